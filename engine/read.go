package engine

import (
	"context"
	"iter"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
)

// Entry is a key, its value, and the number of the batch that put it; 0 where
// this very transaction did.
type Entry struct {
	Key   []byte
	Value []byte
	Seq   uint64
}

// Range is a part of a tenant's keys, in bytewise order. The zero Range is all of
// them; the parts given are all required. To go on behind a key, give that key and
// a zero byte as From.
type Range struct {
	Prefix  []byte // only keys that begin so
	From    []byte // not below
	To      []byte // below; nil is no bound
	Reverse bool   // from the end
}

// bounds returns the range as full keys.
func (s Scope) bounds(r Range) (from, to []byte) {
	from, to = s.prefix, s.end
	if len(r.Prefix) > 0 {
		from = s.full(r.Prefix)
		if end := batch.NextPrefix(r.Prefix); end != nil {
			to = s.full(end)
		}
	}
	if f := s.full(r.From); string(f) > string(from) {
		from = f
	}
	if r.To != nil {
		if t := s.full(r.To); string(t) < string(to) {
			to = t
		}
	}
	return from, to
}

// stackKey is how long a full key may be to be built without allocating.
const stackKey = 128

// reader is what both a picture and a transaction can do.
type reader interface {
	Get(key []byte) (state.Entry, bool)
	Ascend(from, to []byte) iter.Seq[state.Entry]
	Descend(from, to []byte) iter.Seq[state.Entry]
}

// Get returns the value of a key; ErrNotFound where it has none.
func (tx *Tx) Get(key []byte) ([]byte, error) {
	e, err := tx.Entry(key)
	return e.Value, err
}

// Entry returns a key with its value and the batch that put it; ErrNotFound where
// there is none.
func (tx *Tx) Entry(key []byte) (Entry, error) {
	if err := tx.core.err("get"); err != nil {
		return Entry{}, err
	}
	var room [stackKey]byte
	full := append(append(room[:0], tx.scope.prefix...), key...)
	e, ok := tx.core.tx.Get(full)
	if !ok {
		return Entry{}, tx.scope.missing(key)
	}
	return tx.scope.entry(e), nil
}

// Has reports whether a key has a value.
func (tx *Tx) Has(key []byte) (bool, error) {
	if err := tx.core.err("has"); err != nil {
		return false, err
	}
	_, ok := tx.core.tx.Get(tx.scope.full(key))
	return ok, nil
}

// Scan yields the entries of a range in order, as they were when the loop began;
// the loop may change the transaction. An error is the last pair. The sequence may
// be ranged again. What was gone through counts as read, gaps included.
func (tx *Tx) Scan(r Range) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if err := tx.core.err("scan"); err != nil {
			yield(Entry{}, err)
			return
		}
		tx.scope.scan(tx.core.tx, r, yield)
	}
}

// Count returns how many keys a range has.
func (tx *Tx) Count(r Range) (int, error) {
	n := 0
	for _, err := range tx.Scan(r) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

func (s Scope) scan(from reader, r Range, yield func(Entry, error) bool) {
	lo, hi := s.bounds(r)
	if string(lo) >= string(hi) {
		return
	}
	seq := from.Ascend(lo, hi)
	if r.Reverse {
		seq = from.Descend(lo, hi)
	}
	for e := range seq {
		if !yield(s.entry(e), nil) {
			return
		}
	}
}

func (s Scope) entry(e state.Entry) Entry {
	return Entry{Key: e.Key[len(s.prefix):], Value: e.Value, Seq: uint64(e.Seq)}
}

func (s Scope) missing(key []byte) error {
	return &fault.Error{Op: "get", Err: fault.ErrNotFound, Detail: s.tenant + " " + batch.Quote(key)}
}

// Get returns the value of a key as it is now; ErrNotFound where it has none. It
// takes no lock. On a read-only DB it first looks whether another process has written;
// what that takes is told in docs/DESIGN.md, and within View it happens once.
func (s Scope) Get(ctx context.Context, key []byte) ([]byte, error) {
	e, err := s.Entry(ctx, key)
	return e.Value, err
}

// Entry returns a key with its value and the batch that put it, as it is now;
// ErrNotFound where there is none.
func (s Scope) Entry(ctx context.Context, key []byte) (Entry, error) {
	if err := s.core.ended("get"); err != nil {
		return Entry{}, err
	}
	p, err := s.see(ctx)
	if err != nil {
		return Entry{}, err
	}
	var room [stackKey]byte
	e, ok := p.Get(append(append(room[:0], s.prefix...), key...))
	if !ok {
		return Entry{}, s.missing(key)
	}
	return s.entry(e), nil
}

// Has reports whether a key has a value now.
func (s Scope) Has(ctx context.Context, key []byte) (bool, error) {
	if err := s.core.ended("has"); err != nil {
		return false, err
	}
	p, err := s.see(ctx)
	if err != nil {
		return false, err
	}
	_, ok := p.Get(s.full(key))
	return ok, nil
}

// Scan yields the entries of a range in order, as they were when the loop began.
// An error is the last pair. The sequence may be ranged again and then sees what
// is there then.
func (s Scope) Scan(ctx context.Context, r Range) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if err := s.core.ended("scan"); err != nil {
			yield(Entry{}, err)
			return
		}
		p, err := s.see(ctx)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		s.scan(p, r, func(e Entry, _ error) bool {
			if ctx.Err() != nil {
				yield(Entry{}, context.Cause(ctx))
				return false
			}
			return yield(e, nil)
		})
	}
}

// Count returns how many keys a range has now, without going through them.
func (s Scope) Count(ctx context.Context, r Range) (int, error) {
	if err := s.core.ended("count"); err != nil {
		return 0, err
	}
	p, err := s.see(ctx)
	if err != nil {
		return 0, err
	}
	from, to := s.bounds(r)
	if string(from) >= string(to) {
		return 0, nil
	}
	return p.Count(from, to), nil
}

// Tenants yields the tenants that have keys, in order, main first.
func (db *DB) Tenants(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := db.core.ended("tenants"); err != nil {
			yield("", err)
			return
		}
		p, err := db.see(ctx)
		if err != nil {
			yield("", err)
			return
		}
		for from := []byte{byte(batch.KV)}; ; {
			tenant, ok := firstTenant(p, from)
			if !ok || !yield(tenant, nil) {
				return
			}
			from = batch.AppendTreeEnd(nil, batch.KV, tenant)
		}
	}
}

// firstTenant returns the tenant of the first kv key at or behind from.
func firstTenant(p *state.Picture, from []byte) (string, bool) {
	for e := range p.Ascend(from, []byte{byte(batch.KV) + 1}) {
		_, tenant, _, err := batch.SplitKey(e.Key)
		return tenant, err == nil
	}
	return "", false
}
