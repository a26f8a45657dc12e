package state

import (
	"bytes"

	"github.com/vlogdb/vlog/internal/batch"
)

// Edit makes new versions of a picture. It belongs to one goroutine, and of a
// picture and what comes from it only one Edit at a time may be in use: to give
// an edit up, forget it and begin again with any picture made before. The zero
// Edit is not valid.
type Edit struct {
	now    Picture // what was applied so far; nodes with owner now.id are only ours
	finger finger
	last   last
}

// NewEdit returns an edit that begins with p.
func NewEdit(p *Picture) *Edit {
	e := &Edit{now: *p}
	e.now.thaw()
	return e
}

// Apply makes all changes of a batch, in order, and records its writer. The batch
// must be canonical, as batch.Decode accepts and batch.Append writes it. What b
// refers to is copied.
func (e *Edit) Apply(b *batch.Batch, at Position) {
	e.now.position = at
	if touchesSys(b) {
		e.forget()
	}
	for i := range b.Ops {
		e.op(&b.Ops[i])
	}
	e.note(b.Writer, b.Counter)
	e.sweep()
	e.finger.keep()
}

func (e *Edit) op(op *batch.Op) {
	switch op.Kind {
	case batch.Put:
		e.put(Entry{Key: op.Key, Value: op.Value, Seq: e.now.position.Seq})
	case batch.Delete:
		e.remove(op.Key)
	case batch.DeleteRange:
		e.cut(span{op.Key, op.End})
	}
}

// Picture returns what was applied so far as a version of its own. The edit may
// go on; it copies what it then changes.
func (e *Edit) Picture() *Picture {
	e.flush()
	p := e.now
	e.now.thaw()
	e.finger.leaf = nil
	return &p
}

// finger is the way to the leaf of the last change, all of it writable. Changes
// come in key order, so the next is often in the same leaf.
type finger struct {
	leaf  *leaf // nil where there is no way
	path  []step
	known int    // bytes that all keys in reach of the leaf share
	key   []byte // the last key, of the caller until keep
	kept  []byte // room for a key of our own
	end   string // first key out of reach, where ends
	ends  bool
}

type step struct {
	in *inner
	i  int
}

func (f *finger) reaches(key []byte) bool {
	return f.leaf != nil && bytes.Compare(f.key, key) <= 0 && (!f.ends || string(key) < f.end)
}

// keep makes the finger's key our own: what a batch refers to may change once it
// was applied.
func (f *finger) keep() {
	f.kept = append(f.kept[:0], f.key...)
	f.key = f.kept
}

// seek moves the finger to the leaf that key belongs to. key must not change
// before the next seek.
func (e *Edit) seek(key []byte) *leaf {
	f := &e.finger
	if f.reaches(key) {
		f.key = key
		return f.leaf
	}
	*f = finger{path: f.path[:0], key: key, kept: f.kept}
	c, i := &e.now.root, 0
	for range e.now.height {
		in := e.inner(c)
		i, f.known = in.find(key, f.known)
		if i < in.n-1 {
			f.end, f.ends = in.ix.names[i], true
		}
		f.path = append(f.path, step{in, i})
		c = &in.kids[i]
	}
	f.leaf = e.leafOf(c)
	return f.leaf
}

// inner makes the inner node of c ours.
func (e *Edit) inner(c *child) *inner {
	if c.in.owner != e.now.id {
		in := *c.in
		in.owner = e.now.id
		c.in = &in
	}
	return c.in
}

// leafOf makes the leaf of c ours.
func (e *Edit) leafOf(c *child) *leaf {
	if c.leaf.owner != e.now.id {
		l := *c.leaf
		l.owner = e.now.id
		c.leaf = &l
	}
	return c.leaf
}

// grow says that the leaf under the finger has n keys more.
func (e *Edit) grow(n int) {
	e.now.root.n += n
	for _, s := range e.finger.path {
		s.in.kids[s.i].n += n
	}
}
