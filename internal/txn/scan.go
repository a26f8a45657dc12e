package txn

import (
	"bytes"
	"iter"
	"slices"

	"github.com/tidwall/btree"

	"github.com/vlogdb/vlog/internal/state"
)

// Ascend yields the entries in [from, to) as the transaction saw them when the
// loop began, in key order; a nil to means to the end. The loop may change the
// transaction. What was gone through counts as read, gaps included.
func (t *Tx) Ascend(from, to []byte) iter.Seq[state.Entry] {
	return t.scan(span{from, to}, false)
}

// Descend is Ascend from the end of the range.
func (t *Tx) Descend(from, to []byte) iter.Seq[state.Entry] {
	return t.scan(span{from, to}, true)
}

func (t *Tx) scan(s span, down bool) iter.Seq[state.Entry] {
	return func(yield func(state.Entry) bool) {
		seen := t.track(s, down)
		defer seen.done()
		for e := range t.changed(s, down) {
			seen.at = e.Key
			if !yield(e) {
				return
			}
		}
		seen.all = true
	}
}

// tracker notes how far a scan went.
type tracker struct {
	tx   *Tx
	span span
	down bool
	at   []byte // last key seen
	all  bool
}

// track begins to note how far a scan goes.
func (t *Tx) track(s span, down bool) *tracker {
	w := &tracker{tx: t, span: s, down: down}
	if t.reads != nil {
		t.scans = append(t.scans, w)
	}
	return w
}

// done counts what was gone through as read, once.
func (w *tracker) done() {
	i := slices.Index(w.tx.scans, w)
	if i < 0 {
		return
	}
	w.tx.scans = slices.Delete(w.tx.scans, i, i+1)
	switch reads := w.tx.reads; {
	case w.all:
		reads.span(w.span)
	case w.at == nil:
	case w.down:
		reads.span(span{w.at, w.span.to})
	default:
		reads.span(span{w.span.from, next(w.at)})
	}
}

// changed returns the base with the changes so far.
func (t *Tx) changed(s span, down bool) iter.Seq[state.Entry] {
	seq := t.base.Ascend(s.from, s.to)
	if down {
		seq = t.base.Descend(s.from, s.to)
	}
	if t.now.empty() {
		return seq
	}
	return merge{below: seq, layer: t.now.lend(), span: s, down: down}.run
}

// merge is a layer over what is below it. It has the layer as it was when the loop
// began, so that the loop may change the transaction.
type merge struct {
	below iter.Seq[state.Entry]
	layer *layer
	span  span
	down  bool
}

// run pushes what is below through and slips the points in where they belong.
func (m merge) run(yield func(state.Entry) bool) {
	c := m.cursor()
	for e := range m.below {
		if !c.before(e.Key, yield) {
			return
		}
		if c.skips(e.Key) || m.layer.covers(e.Key) {
			continue
		}
		if !yield(e) {
			return
		}
	}
	c.before(nil, yield)
}

// cursor walks the points of a layer inside the span, in the direction of the scan.
type cursor struct {
	m  merge
	it btree.MapIter[string, change]
	ok bool
}

func (m merge) cursor() *cursor {
	c := &cursor{m: m, it: m.layer.points.Iter()}
	switch {
	case !m.down:
		c.ok = c.it.Seek(string(m.span.from))
	case m.span.to == nil:
		c.ok = c.it.Last()
	case c.it.Seek(string(m.span.to)):
		c.ok = c.it.Prev()
	default:
		c.ok = c.it.Last()
	}
	return c
}

// inside says whether the cursor stands on a point of the span.
func (c *cursor) inside() bool {
	if !c.ok {
		return false
	}
	key := []byte(c.it.Key())
	if c.m.down {
		return bytes.Compare(key, c.m.span.from) >= 0
	}
	return c.m.span.to == nil || bytes.Compare(key, c.m.span.to) < 0
}

func (c *cursor) step() {
	if c.m.down {
		c.ok = c.it.Prev()
	} else {
		c.ok = c.it.Next()
	}
}

// before yields the points that come before key in the direction of the scan, or
// all that are left for a nil key; false means that the loop has ended.
func (c *cursor) before(key []byte, yield func(state.Entry) bool) bool {
	for c.inside() && (key == nil || c.order(key) < 0) {
		k, v := c.it.Key(), c.it.Value()
		c.step()
		if !v.del && !yield(state.Entry{Key: []byte(k), Value: v.value}) {
			return false
		}
	}
	return true
}

// order compares the point with key in the direction of the scan.
func (c *cursor) order(key []byte) int {
	n := bytes.Compare([]byte(c.it.Key()), key)
	if c.m.down {
		return -n
	}
	return n
}

// skips says whether the point stands on key, which then hides what is below; a
// put is yielded in its place by the next before.
func (c *cursor) skips(key []byte) bool { return c.inside() && c.order(key) == 0 }
