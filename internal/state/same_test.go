package state

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/vlogdb/vlog/internal/batch"
)

// reads is what a range reads, spelled out.
func reads(p *Picture, from, to []byte) (all []byte) {
	for e := range p.Ascend(from, to) {
		all = append(append(all, e.Key...), byte(e.Seq>>16), byte(e.Seq>>8), byte(e.Seq))
	}
	return all
}

// TestSame: two pictures that differ in little, in ranges that begin or end right
// beside it. Large values lie at the start of their chunks, all at one offset.
func TestSame(t *testing.T) {
	const n = 4000
	base := inserted(rowKeys(n), 700)
	r := rand.New(rand.NewPCG(3, 3))
	pictures := []*Picture{base, load(t, base, 1<<16)}
	for i := range 400 {
		e, at := NewEdit(pictures[r.IntN(len(pictures))]), r.IntN(n)
		var ops []batch.Op
		switch r.IntN(4) {
		case 0:
			ops = []batch.Op{{Kind: batch.Delete, Key: rowKey(at)}, {Kind: batch.Put, Key: append(rowKey(at), 0)}}
		case 1:
			ops = []batch.Op{{Kind: batch.Put, Key: rowKey(at), Value: make([]byte, chunkMax)}}
		case 2:
			ops = []batch.Op{{Kind: batch.Put, Key: rowKey(at)}}
		}
		e.Apply(&batch.Batch{Writer: batch.Writer{byte(r.IntN(3))}, Counter: 1 << (20 + i%40), Ops: ops}, Position{Seq: batch.Seq(1000 + i)})
		p, q := e.Picture(), pictures[r.IntN(len(pictures))]
		from, to := max(0, at-r.IntN(1<<r.IntN(12))), at+r.IntN(1<<r.IntN(12))
		for _, s := range []span{{rowKey(from), rowKey(to)}, {rowKey(from), rowKey(at)}, {rowKey(at), rowKey(to)}, {rowKey(at + 1), nil}, {nil, rowKey(at)}, {nil, nil}} {
			if want := bytes.Equal(reads(p, s.from, s.to), reads(q, s.from, s.to)); Same(p, q, s.from, s.to) != want || Same(q, p, s.from, s.to) != want {
				t.Fatalf("round %d: Same is %v in %x to %x", i, !want, s.from, s.to)
			}
		}
		if len(pictures) < 5 {
			pictures = append(pictures, p)
		} else {
			pictures[2+i%3] = p
		}
	}
}

// TestSameCost: what two pictures share is not looked into.
func TestSameCost(t *testing.T) {
	p := inserted(rowKeys(100_000), 1000)
	e := NewEdit(p)
	for _, at := range []int{70_000, 70_001, 20_000} {
		b := &batch.Batch{Writer: batch.Writer{1}, Counter: 1 << 20, Ops: []batch.Op{{Kind: batch.Put, Key: rowKey(at)}}}
		e.Apply(b, Position{Seq: 1 << 20})
	}
	q := e.Picture()
	x, y, steps := newCursor(p, nil), newCursor(q, nil), 0
	for left := p.Len(); left > 0; steps++ {
		n, _ := meet(x, y, left)
		left -= n
	}
	if most := 3 * p.height * (fanout + 1); steps > most {
		t.Errorf("%d steps, at most %d", steps, most)
	}
}
