package state

import (
	"testing"

	"github.com/vlogdb/vlog/internal/batch"
)

// rows puts rows in order, so that the arena has them in order, and returns the
// edit, with the writer's entry before all.
func rows(n int) *Edit {
	e := NewEdit(Empty())
	e.Apply(&batch.Batch{Counter: 1}, Position{Seq: 1})
	e.Picture()
	b := &batch.Batch{}
	for i := range n {
		b.Ops = append(b.Ops, batch.Op{Kind: batch.Put, Key: rowKey(i), Value: benchValue})
	}
	e.Apply(b, Position{Seq: 2})
	return e
}

// thin deletes the rows that gone names. No writer is noted by that.
func thin(e *Edit, n int, gone func(i int) bool) {
	b := &batch.Batch{}
	for i := range n {
		if gone(i) {
			b.Ops = append(b.Ops, batch.Op{Kind: batch.Delete, Key: rowKey(i)})
		}
	}
	e.Apply(b, Position{Seq: e.now.Seq() + 1})
}

func where(e *Edit, key []byte) ref {
	l, pos, _ := e.now.find(key)
	return e.now.real(l.slots[pos].ref)
}

// TestSweep says when what is alive is moved out of chunks, and when that is not
// worth it. It looks at the first chunk, which has the most dead.
func TestSweep(t *testing.T) {
	const n, kept = 20_000, 50
	for name, c := range map[string]struct {
		gone  func(i int) bool
		moves bool
		debt  bool // is left, to be paid when there is something to sweep
	}{
		"most of it is dead":        {func(i int) bool { return i < 100 || i%10 > 0 }, true, true},
		"six in ten are dead":       {func(i int) bool { return i < 100 || i%5 > 1 }, true, true},
		"no chunk is half dead":     {func(i int) bool { return i%5 < 2 }, false, false},
		"less than a third is dead": {func(i int) bool { return i < n/3 && i%5 > 0 }, false, true},
	} {
		e := rows(n)
		row, hot := where(e, rowKey(kept)), e.now.hot
		thin(e, n, func(i int) bool { return i != kept && c.gone(i) })
		if rowMoved, hotMoved := where(e, rowKey(kept)) != row, e.now.hot != hot; rowMoved != c.moves || hotMoved != c.moves {
			t.Errorf("%s: a row was moved: %v, the writer: %v", name, rowMoved, hotMoved)
		}
		if (e.now.debt > 0) != c.debt {
			t.Errorf("%s: a debt of %d bytes", name, e.now.debt)
		}
		if c.moves && e.now.bytes > 3*e.now.alive/2+2*chunkMin {
			t.Errorf("%s: %d bytes for %d alive", name, e.now.bytes, e.now.alive)
		}
		mustBeSound(t, e.Picture())
	}
}
