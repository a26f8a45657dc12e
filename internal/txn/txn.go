// Package txn holds a transaction as a value: the picture it began with, what it
// changed on top, and what it read. It is pure: it knows no disk, clock or lock;
// committing is somebody else's work, done with the [Request] it makes.
//
// Embedders do not need this package.
package txn

import (
	"bytes"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/state"
)

// Tx is a transaction on full keys (see batch.AppendKey). It belongs to one
// goroutine. Make one with New.
type Tx struct {
	base   *state.Picture
	layers []*layer   // stacked views, the newest last; never empty
	reads  *Reads     // nil where nobody asks what was read
	scans  []*tracker // loops under way
	limit  int        // bytes of the batch
}

// New returns a transaction on base. With track it remembers what it reads, for
// Reads.Check. limit bounds the batch it may grow to, in bytes.
func New(base *state.Picture, track bool, limit int) *Tx {
	t := &Tx{base: base, layers: []*layer{{}}, limit: limit}
	if track {
		t.reads = &Reads{}
	}
	return t
}

// Base returns the picture that the transaction began with.
func (t *Tx) Base() *state.Picture { return t.base }

// Depth returns how many views are stacked on the transaction.
func (t *Tx) Depth() int { return len(t.layers) - 1 }

func (t *Tx) top() *layer { return t.layers[len(t.layers)-1] }

// Get returns the entry of a key as the transaction sees it. Seq is 0 for what it
// put itself. The bytes are valid, and read-only, until the transaction ends.
func (t *Tx) Get(key []byte) (state.Entry, bool) {
	for i := len(t.layers) - 1; i >= 0; i-- {
		c, found := t.layers[i].get(key)
		if !found {
			continue
		}
		if c.del {
			return state.Entry{}, false
		}
		return state.Entry{Key: bytes.Clone(key), Value: c.value}, true
	}
	if t.reads != nil {
		t.reads.key(key)
	}
	return t.base.Get(key)
}

// Put sets a key. Key and value are copied. ErrTooLarge for a key above
// batch.MaxKey or where the batch would grow above the limit; nothing changes then.
func (t *Tx) Put(key, value []byte) error {
	return t.change(batch.Op{Kind: batch.Put, Key: key, Value: value})
}

// Delete removes a key, whether it is there or not.
func (t *Tx) Delete(key []byte) error {
	return t.change(batch.Op{Kind: batch.Delete, Key: key})
}

// DeleteRange removes every key in [from, to), which must lie in one tree.
func (t *Tx) DeleteRange(from, to []byte) error {
	if bytes.Compare(from, to) >= 0 {
		return nil
	}
	return t.change(batch.Op{Kind: batch.DeleteRange, Key: from, End: to})
}

func (t *Tx) change(op batch.Op) error {
	if n := max(len(op.Key), len(op.End)) - batch.PrefixLen(op.Key); n > batch.MaxKey {
		return batch.TooLarge("key", n, batch.MaxKey)
	}
	if n := t.size() - t.top().replaced(op) + batch.OpSize(&op); n > t.limit {
		return batch.TooLarge("batch", n, t.limit)
	}
	t.top().apply(op)
	return nil
}

// size returns at least how long the batch is so far, in bytes.
func (t *Tx) size() (n int) {
	for _, l := range t.layers {
		n += l.size
	}
	return n + batch.EmptySize
}

// Push stacks a view: what is changed from now on can be dropped alone.
func (t *Tx) Push() { t.layers = append(t.layers, &layer{}) }

// Fold ends the newest view and keeps its changes in the one below.
func (t *Tx) Fold() {
	top := t.top()
	t.layers = t.layers[:len(t.layers)-1]
	below := t.top()
	for _, r := range top.ranges {
		below.apply(batch.Op{Kind: batch.DeleteRange, Key: r.from, End: r.to})
	}
	top.points.Scan(func(key string, c change) bool {
		below.set(key, c)
		return true
	})
}

// Drop ends the newest view and forgets its changes. What it read still counts:
// the program may have decided by it.
func (t *Tx) Drop() { t.layers = t.layers[:len(t.layers)-1] }

// Changed reports whether there is anything to commit.
func (t *Tx) Changed() bool {
	for _, l := range t.layers {
		if !l.empty() {
			return true
		}
	}
	return false
}

// Reads returns what was read so far; nil where it is not tracked. A loop that is
// under way counts as far as it went, and no further: the transaction may be
// committed inside it, and then what was read belongs to whoever commits.
func (t *Tx) Reads() *Reads {
	for len(t.scans) > 0 {
		t.scans[0].done()
	}
	return t.reads
}

// Ops folds every view and returns the changes in canonical order. They alias
// the transaction.
func (t *Tx) Ops() []batch.Op {
	for t.Depth() > 0 {
		t.Fold()
	}
	return t.top().ops()
}
