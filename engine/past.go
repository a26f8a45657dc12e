package engine

import (
	"context"
	"encoding/hex"
	"iter"
	"time"

	"github.com/vlogdb/vlog/internal/state"
)

// Past is the store as it was behind one batch: the same reads as a Scope has, on a
// picture that nobody changes. Like a DB it is the scope of the tenant main; Tenant
// gives others. DB.At and DB.AtTime give one; the zero Past is not valid. It takes
// the memory of a second map (of none where it is the present one), until nobody
// refers to it any more: there is nothing to close. Any number of goroutines may
// use it at once, and it holds nothing up. After DB.Close its methods are ErrClosed.
type Past struct{ scope Scope }

// newPast returns the Past of a picture; of nil, which comes with an error, the zero one.
func newPast(db *DB, p *state.Picture) Past {
	if p == nil {
		return Past{}
	}
	s := db.Scope
	s.at = p
	return Past{s}
}

// Seq returns the number of the newest batch that is seen; 0 is the empty store.
func (p Past) Seq() uint64 { return uint64(p.scope.at.Seq()) }

// Time returns the time of that batch, UTC; zero where there is none.
func (p Past) Time() time.Time { return timeOf(p.scope.at.Time()) }

// timeOf returns a batch's time; zero where it has none.
func timeOf(nanos int64) time.Time {
	if nanos == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanos).UTC()
}

// Chain returns, in hex, what commits to every batch up to Seq.
func (p Past) Chain() string {
	chain := p.scope.at.Chain()
	return hex.EncodeToString(chain[:])
}

// Name returns the tenant.
func (p Past) Name() string { return p.scope.Name() }

// Tenant returns another tenant of the same past; ErrBadName as for DB.Tenant.
func (p Past) Tenant(name string) (Past, error) {
	s, err := (&DB{p.scope}).Tenant(name)
	s.at = p.scope.at
	return Past{s}, err
}

// Tenants yields the tenants that had keys, in order, main first.
func (p Past) Tenants(ctx context.Context) iter.Seq2[string, error] {
	return (&DB{p.scope}).Tenants(ctx)
}

// Get returns the value that a key had; ErrNotFound where it had none.
func (p Past) Get(ctx context.Context, key []byte) ([]byte, error) { return p.scope.Get(ctx, key) }

// Entry returns a key with the value that it had and the batch that put it;
// ErrNotFound where it had none.
func (p Past) Entry(ctx context.Context, key []byte) (Entry, error) { return p.scope.Entry(ctx, key) }

// Has reports whether a key had a value.
func (p Past) Has(ctx context.Context, key []byte) (bool, error) { return p.scope.Has(ctx, key) }

// Scan yields the entries of a range in order. An error is the last pair. The
// sequence may be ranged again and then yields the same.
func (p Past) Scan(ctx context.Context, r Range) iter.Seq2[Entry, error] {
	return p.scope.Scan(ctx, r)
}

// Count returns how many keys a range had, without going through them.
func (p Past) Count(ctx context.Context, r Range) (int, error) { return p.scope.Count(ctx, r) }

// View runs fn on a reading transaction, so that what is written for transactions
// works on the past too. What fn changes is ErrReadOnly.
func (p Past) View(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	return p.scope.View(ctx, fn)
}
