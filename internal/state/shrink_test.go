package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"weak"

	"github.com/vlogdb/vlog/internal/batch"
)

func rowKey(i int) []byte { return binary.BigEndian.AppendUint64(kvKey(""), uint64(i)) }

// TestCutsLeaveNoHoles: nodes go with their keys, also where ranges leave little
// between them, all in one batch or one by one.
func TestCutsLeaveNoHoles(t *testing.T) {
	const rows, gap = 200_000, 500
	p := load(t, inserted(rowKeys(rows), 5000), 1<<16)
	for name, each := range map[string]int{"one batch": rows, "batches": 1} {
		e, seq := NewEdit(p), int(p.Seq())
		b := &batch.Batch{}
		for at := 0; at < rows; at += gap {
			b.Ops = append(b.Ops, batch.Op{Kind: batch.DeleteRange, Key: rowKey(at + 1), End: rowKey(at + gap)})
			if len(b.Ops) == each || at+gap >= rows {
				seq++
				e.Apply(b, Position{Seq: batch.Seq(seq)})
				b.Ops = b.Ops[:0]
			}
		}
		q := e.Picture()
		mustBeSound(t, q)
		if q.Len() > rows/gap+2 || q.leaves > q.Len()/leafMin+2 || q.twigs > q.leaves/nodeMin+2 || q.boughs > 2 {
			t.Errorf("%s: %d keys in %d leaves, %d twigs, %d boughs", name, q.Len(), q.leaves, q.twigs, q.boughs)
		}
	}
}

func rowKeys(n int) [][]byte {
	keys := make([][]byte, n)
	for i := range keys {
		keys[i] = rowKey(i)
	}
	return keys
}

// settled says whether the nodes on the way to a key are as large as joining them
// with a neighbour can make them.
func settled(p *Picture, key []byte) error {
	k := p.root
	for h := p.height; h > 1; h-- {
		b := k.bough
		i := b.find(key, 0)
		if n := b.kids[i].size(h - 1); n < nodeMin && (i > 0 && b.kids[i-1].size(h-1)+n <= nodeJoin || i+1 < b.n && b.kids[i+1].size(h-1)+n <= nodeJoin) {
			return fmt.Errorf("at height %d a node of %d kids has a neighbour with room", h-1, n)
		}
		k = b.kids[i]
	}
	t := k.twig
	i := t.find(key, 0)
	if n := t.counts[i]; n < leafMin && (i > 0 && t.counts[i-1]+n <= leafJoin || i+1 < t.n && t.counts[i+1]+n <= leafJoin) {
		return fmt.Errorf("a leaf of %d keys has a neighbour with room", n)
	}
	return nil
}

// TestBothEdgesSettle: a cut leaves nothing small on either side of it, however
// deep it reaches.
func TestBothEdgesSettle(t *testing.T) {
	keys := rowKeys(100_000)
	var thin [][]byte
	for i, j := range perm(len(keys)) {
		if i%4 > 0 {
			thin = append(thin, keys[j])
		}
	}
	p := deleted(inserted(keys, 1000), thin)
	r := rand.New(rand.NewPCG(5, 5))
	for range 100 {
		e := NewEdit(p)
		from, to := r.IntN(len(keys)), r.IntN(len(keys))
		cut := batch.Op{Kind: batch.DeleteRange, Key: rowKey(min(from, to)), End: rowKey(max(from, to) + 1)}
		e.Apply(&batch.Batch{Ops: []batch.Op{cut}}, Position{Seq: p.Seq() + 1})
		q := e.Picture()
		mustBeSound(t, q)
		for _, edge := range [][]byte{cut.Key, cut.End} {
			if err := settled(q, edge); err != nil {
				t.Fatalf("%d to %d: %v", from, to, err)
			}
		}
	}
}

// TestLastOfANode: a node whose neighbours have no room for it goes with its last
// key.
func TestLastOfANode(t *testing.T) {
	p := load(t, inserted(rowKeys(200_000), 5000), 1<<16)
	for k, height := p.root, p.height; height > 1; k, height = k.bough.kids[1], height-1 {
		from, to := []byte(k.bough.names()[0]), []byte(k.bough.names()[1])
		keep := slices.Collect(p.Ascend(from, to))[5:8]
		e := NewEdit(p)
		e.Apply(&batch.Batch{Ops: []batch.Op{
			{Kind: batch.DeleteRange, Key: from, End: keep[0].Key}, {Kind: batch.DeleteRange, Key: append(bytes.Clone(keep[2].Key), 0), End: to},
		}}, Position{Seq: p.Seq() + 1})
		q := e.Picture()
		if l, _, _ := q.find(keep[0].Key); l.n != 3 {
			t.Fatalf("height %d: %d keys in the leaf", height, l.n)
		}
		e.Apply(&batch.Batch{Ops: []batch.Op{
			{Kind: batch.Delete, Key: keep[0].Key}, {Kind: batch.Delete, Key: keep[1].Key}, {Kind: batch.Delete, Key: keep[2].Key},
		}}, Position{Seq: p.Seq() + 2})
		mustBeSound(t, e.Picture())
		if e.now.Count(from, to) != 0 {
			t.Errorf("height %d: keys are left", height)
		}
	}
}

// TestCopiesOnce: an edit copies each node once for a version, and does not copy
// it for a change that changes nothing.
func TestCopiesOnce(t *testing.T) {
	p := inserted(rowKeys(50_000), 1000)
	e, seq := NewEdit(p), p.Seq()
	b := &batch.Batch{Ops: []batch.Op{{Kind: batch.Put, Key: rowKey(500), Value: []byte("v")}}}
	again := func() {
		seq++
		e.Apply(b, Position{Seq: seq})
	}
	again()
	if n := testing.AllocsPerRun(100, again); n > 0 {
		t.Errorf("%v allocations for a put into nodes that are ours", n)
	}
	b.Ops[0].Value = make([]byte, chunkMax)
	again()
	if n := testing.AllocsPerRun(20, again); n > 2 {
		t.Errorf("%v allocations for a chunk of its own", n)
	}
	b.Ops[0].Value = nil
	none := &batch.Batch{Ops: []batch.Op{
		{Kind: batch.DeleteRange, Key: kvKey("a"), End: kvKey("b")}, {Kind: batch.Delete, Key: kvKey("absent")},
	}}
	n := testing.AllocsPerRun(100, func() {
		seq++
		e.Apply(none, Position{Seq: seq})
		e.now.thaw()
	})
	if n > 0 {
		t.Errorf("%v allocations for deleting nothing", n)
	}
	b.Counter = 1 << 40
	again()
	e.Picture()
	used := e.now.chunks[e.now.tail].used
	if e.Picture(); e.now.chunks[e.now.tail].used != used {
		t.Error("a picture of nothing new writes an entry")
	}
}

// TestNothingKept: an edit that rests keeps neither the batch that it applied last
// nor nodes of versions that nobody else has.
func TestNothingKept(t *testing.T) {
	e := NewEdit(inserted(rowKeys(5000), 1000))
	root, _ := touched(e, 6)
	e.Picture()
	_, key := touched(e, 7)
	e.Picture()
	runtime.GC()
	if key.Value() != nil {
		t.Error("the bytes of a batch are kept")
	}
	if root.Value() != nil {
		t.Error("a root is kept")
	}
	runtime.KeepAlive(e)
}

// TestNothingKeptOfAll: where everything was deleted, nothing of it stays.
func TestNothingKeptOfAll(t *testing.T) {
	e := NewEdit(inserted(rowKeys(5000), 1000))
	root, _ := touched(e, 6)
	b := &batch.Batch{}
	for _, space := range []batch.Space{batch.Sys, batch.KV} {
		b.Ops = append(b.Ops, batch.Op{Kind: batch.DeleteRange, Key: batch.AppendPrefix(nil, space, batch.Main), End: batch.AppendTreeEnd(nil, space, batch.Main)})
	}
	e.Apply(b, Position{Seq: 7})
	e.Picture()
	runtime.GC()
	if root.Value() != nil {
		t.Error("a root is kept")
	}
	if e.now.Len() != 0 {
		t.Errorf("%d keys", e.now.Len())
	}
}

// touched puts a key and returns the root that came of it and the key. The writer
// is the one before, so that only the key is looked for.
func touched(e *Edit, counter int) (weak.Pointer[bough], weak.Pointer[byte]) {
	key := append(rowKey(77), make([]byte, 100)...)
	b := &batch.Batch{Writer: batch.Writer{1}, Counter: uint64(counter), Ops: []batch.Op{{Kind: batch.Put, Key: key}}}
	e.Apply(b, Position{Seq: batch.Seq(counter)})
	return weak.Make(e.now.root.bough), weak.Make(&key[0])
}
