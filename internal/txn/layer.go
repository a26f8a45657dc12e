package txn

import (
	"bytes"
	"slices"

	"github.com/tidwall/btree"

	"github.com/vlogdb/vlog/internal/batch"
)

// change is what a layer does to one key.
type change struct {
	value []byte
	del   bool
}

// span is a range of keys, its end not included.
type span struct{ from, to []byte }

// layer is changes on top of a picture: first the ranges are deleted, then the
// points set. No point deletes what a range deletes. The zero layer changes nothing.
//
// Most transactions only write: as long as nobody asks what was written, puts and
// deletes are kept as they came, in fresh. The first question puts them into points.
type layer struct {
	fresh  fresh
	ranges []span // ascending, disjoint, not touching
	lent   bool   // somebody else has ranges: a change must copy them
	points btree.Map[string, change]
	size   int // bytes of the ops of ranges and points
}

// asked puts what is fresh into points, for whoever asks about single keys.
func (l *layer) asked() {
	if l.fresh.over {
		return
	}
	ops := l.fresh.ops
	l.fresh = fresh{over: true}
	for i := range ops {
		l.set(&ops[i])
	}
}

// lend returns a layer that stays as l is now.
func (l *layer) lend() *layer {
	l.asked()
	l.lent = true
	return &layer{fresh: fresh{over: true}, ranges: l.ranges, lent: true, points: *l.points.Copy(), size: l.size}
}

func (l *layer) empty() bool { return len(l.fresh.ops) == 0 && l.count() == 0 }

// count returns how many ops ranges and points are.
func (l *layer) count() int { return len(l.ranges) + l.points.Len() }

// get returns what the layer does to a key; found is false where it does nothing.
func (l *layer) get(key []byte) (c change, found bool) {
	l.asked()
	if c, found = l.points.Get(string(key)); found {
		return c, true
	}
	return change{del: true}, l.covers(key)
}

func (l *layer) covers(key []byte) bool {
	i := l.behind(key)
	return i < len(l.ranges) && bytes.Compare(l.ranges[i].from, key) <= 0
}

// behind returns the first range that ends behind key.
func (l *layer) behind(key []byte) int {
	i, found := slices.BinarySearchFunc(l.ranges, key, func(s span, k []byte) int { return bytes.Compare(s.to, k) })
	if found {
		i++
	}
	return i
}

// idle says whether a put or delete needs no op: a range deletes the key anyway.
func (l *layer) idle(op *batch.Op) bool {
	return op.Kind == batch.Delete && len(l.ranges) > 0 && l.covers(op.Key)
}

// bytesWith returns how long the batch is with a put or delete more; where it is below
// a limit in any case it may be less.
func (l *layer) bytesWith(op *batch.Op, limit int) int {
	if !l.fresh.over {
		if n := batch.HeadSize(len(l.fresh.ops)+1) + l.fresh.size + batch.OpSize(op); n <= limit {
			return n
		}
		l.asked() // of several changes of one key only the last counts
	}
	ops, size := l.count(), l.size
	if old, was := l.points.Get(string(op.Key)); was {
		ops, size = ops-1, size-pointSize(string(op.Key), old)
	}
	if !l.idle(op) {
		ops, size = ops+1, size+batch.OpSize(op)
	}
	return batch.HeadSize(ops) + size
}

// add makes a put or delete part of the layer; it copies what it keeps.
func (l *layer) add(op *batch.Op) {
	if l.fresh.over {
		l.set(op)
		return
	}
	l.fresh.add(op)
}

// set is add for points.
func (l *layer) set(op *batch.Op) {
	key := string(op.Key)
	if l.idle(op) {
		l.unset(key)
		return
	}
	c := change{del: op.Kind == batch.Delete}
	if !c.del {
		c.value = append(make([]byte, 0, len(op.Value)), op.Value...)
	}
	if old, was := l.points.Set(key, c); was {
		l.size -= pointSize(key, old)
	}
	l.size += batch.OpSize(op)
}

func (l *layer) unset(key string) {
	if old, was := l.points.Delete(key); was {
		l.size -= pointSize(key, old)
	}
}

func pointSize(key string, c change) int {
	op := point(key, c)
	return batch.OpSize(&op)
}

func point(key string, c change) batch.Op {
	if c.del {
		return batch.Op{Kind: batch.Delete, Key: []byte(key)}
	}
	return batch.Op{Kind: batch.Put, Key: []byte(key), Value: c.value}
}

// cut is what deleting a range does to a layer.
type cut struct {
	span   span     // of the one range that comes of it
	lo, hi int      // ranges that melt into it: those it meets or touches
	gone   []string // points inside
	size   int      // bytes of what melts and goes
}

// plan returns what deleting a range would do.
func (l *layer) plan(s span) cut {
	l.asked()
	c := cut{span: s, lo: l.behind(s.from)}
	if c.lo > 0 && bytes.Equal(l.ranges[c.lo-1].to, s.from) {
		c.lo--
	}
	for c.hi = c.lo; c.hi < len(l.ranges) && bytes.Compare(l.ranges[c.hi].from, s.to) <= 0; c.hi++ {
		r := l.ranges[c.hi]
		c.span = span{least(c.span.from, r.from), greatest(c.span.to, r.to)}
		c.size += rangeSize(r)
	}
	l.points.Ascend(string(s.from), func(key string, old change) bool {
		if key >= string(s.to) {
			return false
		}
		c.gone = append(c.gone, key)
		c.size += pointSize(key, old)
		return true
	})
	return c
}

// bytesCut returns how long the batch is behind a cut.
func (l *layer) bytesCut(c cut) int {
	ops := l.count() - len(c.gone) - (c.hi - c.lo) + 1
	return batch.HeadSize(ops) + l.size - c.size + rangeSize(c.span)
}

// cut carries a plan out; it copies what it keeps.
func (l *layer) cut(c cut) {
	for _, key := range c.gone {
		l.points.Delete(key)
	}
	if l.lent {
		l.ranges, l.lent = slices.Clone(l.ranges), false
	}
	s := span{bytes.Clone(c.span.from), bytes.Clone(c.span.to)}
	l.ranges = slices.Replace(l.ranges, c.lo, c.hi, s)
	l.size += rangeSize(s) - c.size
}

func rangeSize(s span) int {
	return batch.OpSize(&batch.Op{Kind: batch.DeleteRange, Key: s.from, End: s.to})
}

func least(a, b []byte) []byte {
	if bytes.Compare(a, b) <= 0 {
		return a
	}
	return b
}

func greatest(a, b []byte) []byte {
	if bytes.Compare(a, b) >= 0 {
		return a
	}
	return b
}

// ops returns the changes in canonical order.
func (l *layer) ops() []batch.Op {
	if !l.fresh.over {
		return l.fresh.sorted()
	}
	ops := make([]batch.Op, 0, l.count())
	for _, r := range l.ranges {
		ops = append(ops, batch.Op{Kind: batch.DeleteRange, Key: r.from, End: r.to})
	}
	l.points.Scan(func(key string, c change) bool {
		ops = append(ops, point(key, c))
		return true
	})
	return ops
}
