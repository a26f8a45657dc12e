package txn

import (
	"bytes"
	"slices"
	"strings"

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

func (s span) has(key []byte) bool {
	return bytes.Compare(s.from, key) <= 0 && bytes.Compare(key, s.to) < 0
}

// layer is changes on top of something below: first the ranges are deleted, then
// the points set. The zero layer changes nothing.
type layer struct {
	ranges []span // ascending, disjoint, not touching
	points btree.Map[string, change]
	size   int // bytes of its ops
}

func (l *layer) empty() bool { return len(l.ranges) == 0 && l.points.Len() == 0 }

// get returns what the layer does to a key; found is false where it does nothing.
func (l *layer) get(key []byte) (c change, found bool) {
	if c, found = l.points.Get(string(key)); found {
		return c, true
	}
	return change{del: true}, l.covers(key)
}

func (l *layer) covers(key []byte) bool {
	i, exact := slices.BinarySearchFunc(l.ranges, key, func(s span, k []byte) int { return bytes.Compare(s.from, k) })
	return exact || (i > 0 && l.ranges[i-1].has(key))
}

// apply makes an op part of the layer; it copies what it keeps.
func (l *layer) apply(op batch.Op) {
	switch op.Kind {
	case batch.Put:
		l.set(string(op.Key), change{value: append(make([]byte, 0, len(op.Value)), op.Value...)})
	case batch.Delete:
		l.set(string(op.Key), change{del: true})
	case batch.DeleteRange:
		l.cut(span{bytes.Clone(op.Key), bytes.Clone(op.End)})
	}
}

// set changes one key. A delete inside a range that the layer deletes anyway
// takes no op.
func (l *layer) set(key string, c change) {
	if c.del && len(l.ranges) > 0 && l.covers([]byte(key)) {
		if old, was := l.points.Delete(key); was {
			l.size -= pointSize(key, old)
		}
		return
	}
	if old, was := l.points.Set(key, c); was {
		l.size -= pointSize(key, old)
	}
	l.size += pointSize(key, c)
}

// replaced returns the bytes of the op that a put or delete takes the place of.
func (l *layer) replaced(op batch.Op) int {
	if old, was := l.points.Get(string(op.Key)); was && op.Kind != batch.DeleteRange {
		return pointSize(string(op.Key), old)
	}
	return 0
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

// cut deletes a range: its points go, and it melts with the ranges it meets.
func (l *layer) cut(s span) {
	var gone []string
	l.points.Ascend(string(s.from), func(key string, _ change) bool {
		if strings.Compare(key, string(s.to)) >= 0 {
			return false
		}
		gone = append(gone, key)
		return true
	})
	for _, key := range gone {
		old, _ := l.points.Delete(key)
		l.size -= pointSize(key, old)
	}
	l.melt(s)
}

func (l *layer) melt(s span) {
	kept := l.ranges[:0:0]
	for _, r := range l.ranges {
		if bytes.Compare(r.to, s.from) < 0 || bytes.Compare(s.to, r.from) < 0 {
			kept = append(kept, r)
			continue
		}
		l.size -= rangeSize(r)
		s = span{least(s.from, r.from), greatest(s.to, r.to)}
	}
	i, _ := slices.BinarySearchFunc(kept, s.from, func(r span, k []byte) int { return bytes.Compare(r.from, k) })
	l.ranges = slices.Insert(kept, i, s)
	l.size += rangeSize(s)
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
	ops := make([]batch.Op, 0, len(l.ranges)+l.points.Len())
	for _, r := range l.ranges {
		ops = append(ops, batch.Op{Kind: batch.DeleteRange, Key: r.from, End: r.to})
	}
	l.points.Scan(func(key string, c change) bool {
		ops = append(ops, point(key, c))
		return true
	})
	return ops
}
