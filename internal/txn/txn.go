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
	base  *state.Picture
	now   *layer     // all changes so far, those of stacked views too
	was   []*layer   // the changes below each stacked view, as they were; the newest last
	reads *Reads     // nil where nobody asks what was read
	scans []*tracker // loops under way
	limit int        // bytes of the batch
}

// New returns a transaction on base. With track it remembers what it reads, for
// Reads.Check. limit bounds the batch it may grow to, in bytes.
func New(base *state.Picture, track bool, limit int) *Tx {
	t := &Tx{base: base, now: &layer{}, limit: limit}
	if track {
		t.reads = &Reads{}
	}
	return t
}

// Base returns the picture that the transaction began with.
func (t *Tx) Base() *state.Picture { return t.base }

// Depth returns how many views are stacked on the transaction.
func (t *Tx) Depth() int { return len(t.was) }

// Get returns the entry of a key as the transaction sees it. Seq is 0 for what it
// put itself. The bytes are valid, and read-only, until the transaction ends.
func (t *Tx) Get(key []byte) (state.Entry, bool) {
	if c, found := t.now.get(key); found {
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
// batch.MaxKey or where the batch would be above the limit, views included; nothing
// changes then. One that has exactly the limit fits.
func (t *Tx) Put(key, value []byte) error {
	return t.set(&batch.Op{Kind: batch.Put, Key: key, Value: value})
}

// Delete removes a key, whether it is there or not. Errors as for Put.
func (t *Tx) Delete(key []byte) error {
	return t.set(&batch.Op{Kind: batch.Delete, Key: key})
}

func (t *Tx) set(op *batch.Op) error {
	if err := batch.CheckLength(op); err != nil {
		return err
	}
	if n := t.now.bytesWith(op, t.limit); n > t.limit {
		return batch.TooLarge("batch", n, t.limit)
	}
	t.now.add(op)
	return nil
}

// DeleteRange removes every key in [from, to), which must lie in one tree. Errors
// as for Put; to is a key too.
func (t *Tx) DeleteRange(from, to []byte) error {
	if bytes.Compare(from, to) >= 0 {
		return nil
	}
	if err := batch.CheckLength(&batch.Op{Kind: batch.DeleteRange, Key: from, End: to}); err != nil {
		return err
	}
	c := t.now.plan(span{from, to})
	if n := t.now.bytesCut(c); n > t.limit {
		return batch.TooLarge("batch", n, t.limit)
	}
	t.now.cut(c)
	return nil
}

// Push stacks a view: what is changed from now on can be dropped alone.
func (t *Tx) Push() { t.was = append(t.was, t.now.lend()) }

// Fold ends the newest view and keeps its changes.
func (t *Tx) Fold() { t.was = t.was[:len(t.was)-1] }

// Drop ends the newest view and forgets its changes. What it read still counts:
// the program may have decided by it.
func (t *Tx) Drop() {
	t.now = t.was[len(t.was)-1]
	t.Fold()
}

// Changed reports whether there is anything to commit.
func (t *Tx) Changed() bool { return !t.now.empty() }

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
	t.was = nil
	return t.now.ops()
}
