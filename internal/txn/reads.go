package txn

import (
	"bytes"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
)

// maxReads bounds what a transaction remembers of its reads. Beyond it all reads
// count as one range from the least to the greatest: more conflicts, never fewer.
const maxReads = 1 << 16

// Reads is what a transaction read: keys and ranges. The zero Reads read nothing.
type Reads struct {
	keys   map[string]struct{}
	ranges []span // to nil means to the end
	wide   bool   // everything was folded into ranges[0]
}

// Empty reports whether nothing was read.
func (r *Reads) Empty() bool { return r == nil || len(r.keys)+len(r.ranges) == 0 }

func (r *Reads) key(key []byte) {
	if r.wide {
		r.widen(span{key, next(key)})
		return
	}
	if r.keys == nil {
		r.keys = map[string]struct{}{}
	}
	r.keys[string(key)] = struct{}{}
	r.bound()
}

func (r *Reads) span(s span) {
	s = span{bytes.Clone(s.from), bytes.Clone(s.to)}
	if r.wide {
		r.widen(s)
		return
	}
	r.ranges = append(r.ranges, s)
	r.bound()
}

// next returns the key right behind key.
func next(key []byte) []byte { return append(bytes.Clone(key), 0) }

func (r *Reads) bound() {
	if len(r.keys)+len(r.ranges) <= maxReads {
		return
	}
	all, keys := r.ranges, r.keys
	r.ranges, r.keys, r.wide = nil, nil, true
	for _, s := range all {
		r.widen(s)
	}
	for k := range keys {
		r.widen(span{[]byte(k), next([]byte(k))})
	}
}

func (r *Reads) widen(s span) {
	if len(r.ranges) == 0 {
		r.ranges = []span{{bytes.Clone(s.from), bytes.Clone(s.to)}}
		return
	}
	w := &r.ranges[0]
	w.from = bytes.Clone(least(w.from, s.from))
	if w.to == nil || s.to == nil {
		w.to = nil
		return
	}
	w.to = bytes.Clone(greatest(w.to, s.to))
}

// Check returns nil where everything read on base reads the same on now, else
// ErrConflict naming what changed. Equal means put by the same batch: a value that
// was changed and changed back counts as changed.
func (r *Reads) Check(base, now *state.Picture) error {
	if r.Empty() || base == now || base.Seq() == now.Seq() {
		return nil
	}
	for key := range r.keys {
		was, had := base.Get([]byte(key))
		is, has := now.Get([]byte(key))
		if had != has || was.Seq != is.Seq {
			return conflict([]byte(key), is.Seq)
		}
	}
	for _, s := range r.ranges {
		if !state.Same(base, now, s.from, s.to) {
			return conflict(s.from, 0)
		}
	}
	return nil
}

func conflict(key []byte, by batch.Seq) error {
	detail := "what it read has changed"
	if space, tenant, k, err := batch.SplitKey(key); err == nil {
		detail = space.String() + " " + tenant + " " + batch.Quote(k) + " has changed"
	}
	return &fault.Error{Op: "commit", At: fault.Place{Seq: uint64(by)}, Err: fault.ErrConflict, Detail: detail}
}
