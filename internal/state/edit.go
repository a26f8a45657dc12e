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
	e.finger.lift() // its key is the batch's
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

// View returns what was applied so far for a look at it, until the next Apply. What it
// says of writers may be old.
func (e *Edit) View() *Picture { return &e.now }

// Picture returns what was applied so far as a version of its own. The edit may
// go on; it copies what it then changes.
func (e *Edit) Picture() *Picture {
	e.flush()
	p := e.now
	e.now.thaw()
	e.finger.lift()
	return &p
}

// finger is the way to the leaf of the last change, all of it writable. Changes
// come in key order, so the next is often in the same leaf.
type finger struct {
	leaf  *leaf // nil where there is no way
	twig  *twig // leaf is kid i of it
	i     int
	path  []step // above the twig
	known int    // bytes that all keys in reach of the leaf share
	key   []byte // the last key, of the caller
	end   string // first key out of reach, where ends
	ends  bool
}

// step is a bough on the way, and the kid where the way goes on.
type step struct {
	bough *bough
	i     int
}

// lift forgets the way, so that neither the bytes of a batch nor nodes that nobody
// else has stay in memory while the edit rests.
func (f *finger) lift() {
	clear(f.path[:cap(f.path)])
	*f = finger{path: f.path[:0]}
}

func (f *finger) reaches(key []byte) bool {
	return f.leaf != nil && bytes.Compare(f.key, key) <= 0 && (!f.ends || string(key) < f.end)
}

// seek moves the finger to the leaf that key belongs to. key must not change
// before the next seek.
func (e *Edit) seek(key []byte) *leaf {
	f := &e.finger
	if f.reaches(key) {
		f.key = key
		return f.leaf
	}
	*f = finger{path: f.path[:0], key: key}
	k, i := &e.now.root, 0
	for h := e.now.height; h > 1; h-- {
		b := e.bough(k)
		i = b.find(key, f.known)
		f.known = b.share(i, f.known)
		f.bound(b.names(), i)
		f.path = append(f.path, step{b, i})
		k = &b.kids[i]
	}
	f.twig = e.twig(k)
	f.i = f.twig.find(key, f.known)
	f.known = f.twig.share(f.i, f.known)
	f.bound(f.twig.names(), f.i)
	f.leaf = e.leaf(&f.twig.kids[f.i])
	return f.leaf
}

// bound takes the separator behind kid i as the end of reach, if there is one.
func (f *finger) bound(names []string, i int) {
	if i < len(names) {
		f.end, f.ends = names[i], true
	}
}

// bough makes the bough of k ours.
func (e *Edit) bough(k *kid) *bough {
	k.bough = ours(k.bough, e.now.id)
	return k.bough
}

// twig makes the twig of k ours.
func (e *Edit) twig(k *kid) *twig {
	k.twig = ours(k.twig, e.now.id)
	return k.twig
}

func ours[K comparable](b *node[K], owner uint64) *node[K] {
	if b.owner == owner {
		return b
	}
	mine := *b
	mine.owner = owner
	return &mine
}

// leaf makes a leaf ours.
func (e *Edit) leaf(l **leaf) *leaf {
	if (*l).owner != e.now.id {
		mine := **l
		mine.owner = e.now.id
		*l = &mine
	}
	return *l
}

// grow says that the leaf under the finger has n keys more.
func (e *Edit) grow(n int) {
	f := &e.finger
	e.now.keys += n
	f.twig.grow(f.i, n)
	for _, s := range f.path {
		s.bough.grow(s.i, n)
	}
}
