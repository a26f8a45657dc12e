package txn

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
)

// do makes an op part of a transaction.
func do(tx *Tx, op batch.Op) error {
	switch op.Kind {
	case batch.Put:
		return tx.Put(op.Key, op.Value)
	case batch.Delete:
		return tx.Delete(op.Key)
	}
	return tx.DeleteRange(op.Key, op.End)
}

func drawOp(t *rapid.T) batch.Op {
	op := batch.Op{Kind: rapid.SampledFrom([]batch.Kind{batch.Put, batch.Put, batch.Delete, batch.DeleteRange}).Draw(t, "kind"), Key: []byte(drawKey(t))}
	switch op.Kind {
	case batch.Put:
		op.Value = make([]byte, rapid.SampledFrom([]int{0, 1, 30, 126, 127, 128}).Draw(t, "size"))
	case batch.DeleteRange:
		from, to := drawRange(t)
		op.Key, op.End = []byte(from), []byte(to)
	}
	return op
}

// spelled returns the bytes that some ops come to, one after the other, which must
// be canonical.
func spelled(t *rapid.T, ops []batch.Op) int {
	tx := New(state.Empty(), false, batch.MaxRecord)
	for _, op := range ops {
		must(t, do(tx, op))
	}
	p, err := batch.Append(nil, &batch.Batch{Ops: tx.Ops()})
	must(t, err)
	return len(p)
}

// TestExactLimit: an op is taken if and only if the batch then is not above the
// limit, however deep views are stacked, and what is refused changes nothing.
func TestExactLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(30, 600).Draw(t, "limit")
		tx := New(state.Empty(), false, limit)
		done := [][]batch.Op{nil} // of each view, with those below
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			top := len(done) - 1
			switch step := rapid.IntRange(0, 9).Draw(t, "step"); {
			case step == 0:
				tx.Push()
				done = append(done, slices.Clone(done[top]))
			case step == 1 && top > 0:
				tx.Fold()
				done = append(done[:top-1], done[top])
			case step == 2 && top > 0:
				tx.Drop()
				done = done[:top]
			default:
				done[top] = try(t, tx, done[top], drawOp(t))
			}
			if n := spelled(t, done[len(done)-1]); n != tx.now.bytes() || n > limit {
				t.Fatalf("the batch has %d bytes, the transaction counted %d of %d", n, tx.now.bytes(), limit)
			}
		}
	})
}

// try does an op and returns what was done so far.
func try(t *rapid.T, tx *Tx, done []batch.Op, op batch.Op) []batch.Op {
	more := append(slices.Clone(done), op)
	n, err := spelled(t, more), do(tx, op)
	if (err == nil) != (n <= tx.limit) || err != nil && !errors.Is(err, fault.ErrTooLarge) {
		t.Fatalf("%v of %d bytes in all, at most %d: %v", op.Kind, n, tx.limit, err)
	}
	if err != nil {
		return done
	}
	return more
}

// TestViewsAtTheLimit: what a view replaces does not count twice.
func TestViewsAtTheLimit(t *testing.T) {
	const size = 1000
	limit := batch.HeadSize(1) + batch.OpSize(&batch.Op{Kind: batch.Put, Key: full("a"), Value: make([]byte, size)})
	tx := New(state.Empty(), false, limit)
	for range 3 {
		must(t, tx.Put(full("a"), make([]byte, size)))
		tx.Push()
	}
	if err := tx.Put(full("a"), make([]byte, size+1)); !errors.Is(err, fault.ErrTooLarge) {
		t.Errorf("one byte above the limit: %v", err)
	}
	if err := tx.Delete(full("b")); !errors.Is(err, fault.ErrTooLarge) {
		t.Errorf("one op above the limit: %v", err)
	}
	must(t, tx.DeleteRange(full(""), []byte(end)))
	must(t, tx.Delete(full("b"))) // the range deletes it: no op
	tx.Drop()
	if p, err := batch.Append(nil, &batch.Batch{Ops: tx.Ops()}); err != nil || len(p) != limit {
		t.Errorf("%d bytes of %d: %v", len(p), limit, err)
	}
}

// TestNoDeleteInRange: a delete inside a range takes no op, whichever came first,
// also where a view made one of them.
func TestNoDeleteInRange(t *testing.T) {
	del := func(tx *Tx) error { return tx.Delete(full("b")) }
	cut := func(tx *Tx) error { return tx.DeleteRange(full("a"), full("c")) }
	put := func(tx *Tx) error { return tx.Put(full("b"), nil) }
	push := func(tx *Tx) error { tx.Push(); return nil }
	for name, steps := range map[string][]func(*Tx) error{
		"before":       {del, cut},
		"behind":       {cut, del},
		"put between":  {cut, put, del},
		"put before":   {put, cut, del},
		"views":        {cut, push, put, push, del},
		"cut in views": {del, push, cut, push, del},
	} {
		tx := New(state.Empty(), false, 1000)
		for _, step := range steps {
			must(t, step(tx))
		}
		if ops := tx.Ops(); len(ops) != 1 || ops[0].Kind != batch.DeleteRange {
			t.Errorf("%s: %v", name, ops)
		}
	}
}

// TestManyOps: the number of ops takes a byte more from 128 on, also where it is
// only looked ahead at.
func TestManyOps(t *testing.T) {
	put := batch.Op{Kind: batch.Put, Key: full("000")}
	cut := batch.Op{Kind: batch.DeleteRange, Key: full("x"), End: full("y")}
	for _, n := range []int{126, 127, 128} {
		size := n * batch.OpSize(&put)
		for _, c := range []struct {
			op    batch.Op
			limit int // what the batch has then
		}{
			{put, batch.HeadSize(n) + size},
			{batch.Op{Kind: batch.Put, Key: full("x")}, batch.HeadSize(n+1) + size + batch.OpSize(&batch.Op{Kind: batch.Put, Key: full("x")})},
			{cut, batch.HeadSize(n+1) + size + batch.OpSize(&cut)},
			{batch.Op{Kind: batch.DeleteRange, Key: full("000"), End: full("002")}, 0},
		} {
			tx := New(state.Empty(), false, batch.MaxRecord)
			for i := range n {
				must(t, tx.Put(full(fmt.Sprintf("%03d", i)), nil))
			}
			if c.limit == 0 {
				c.limit = batch.HeadSize(n-1) + size - 2*batch.OpSize(&put) + batch.OpSize(&c.op)
			}
			for limit, want := range map[int]error{c.limit - 1: fault.ErrTooLarge, c.limit: nil} {
				tx.limit = limit
				if err := do(tx, c.op); !errors.Is(err, want) {
					t.Errorf("%v behind %d ops, in %d bytes: %v", c.op.Kind, n, limit, err)
				}
			}
		}
	}
}

// TestDropTwice: what a view restored is still what the view below goes back to.
func TestDropTwice(t *testing.T) {
	tx := New(state.Empty(), false, 1000)
	must(t, tx.DeleteRange(full("a"), full("b")))
	must(t, tx.DeleteRange(full("c"), full("d")))
	tx.Push()
	tx.Push()
	tx.Drop()
	must(t, tx.DeleteRange(full("a"), full("d")))
	tx.Drop()
	if ops := tx.Ops(); len(ops) != 2 || string(ops[0].End) != string(full("b")) || string(ops[1].Key) != string(full("c")) {
		t.Errorf("%q", ops)
	}
	tx.Push()
	if tx.Ops(); tx.Depth() != 0 {
		t.Errorf("%d views are stacked behind Ops", tx.Depth())
	}
}

// TestManyRanges: ranges that lie apart cost about the same each, in whatever order
// they come.
func TestManyRanges(t *testing.T) {
	tx := New(state.Empty(), false, batch.MaxRecord)
	const n = 20_000
	for i := range n {
		at := uint16(i * 7919 % n)
		key := []byte{byte(at >> 8), byte(at)}
		must(t, tx.DeleteRange(full(string(key)), full(string(key)+"\x01")))
	}
	if ops := tx.Ops(); len(ops) != n {
		t.Errorf("%d ops", len(ops))
	}
}
