package state

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/vlogdb/vlog/internal/batch"
)

func kvKey(format string, args ...any) []byte {
	return fmt.Appendf(batch.AppendPrefix(nil, batch.KV, batch.Main), format, args...)
}

// put applies one batch of one put.
func put(e *Edit, seq int, key, value []byte) {
	b := &batch.Batch{Counter: uint64(seq), Ops: []batch.Op{{Kind: batch.Put, Key: key, Value: value}}}
	e.Apply(b, Position{Seq: batch.Seq(seq)})
}

// TestOverwrites: what dies is given back, however long it goes on.
func TestOverwrites(t *testing.T) {
	e := NewEdit(Empty())
	value, most := make([]byte, 1000), 0
	for i := range 200_000 {
		put(e, i+1, kvKey("%d", i*7919%2000), value)
		if i%64 == 0 {
			e.Picture()
		}
		if i > 10_000 {
			most = max(most, e.now.bytes)
		}
	}
	p := e.Picture()
	mustBeSound(t, p)
	if limit := 2*p.alive + 64<<10; most > limit {
		t.Errorf("the arena grew to %d bytes for %d alive", most, p.alive)
	}
	if n := p.Stats().Chunks; len(p.chunks) > 2*n+pageSlots {
		t.Errorf("%d slots for %d chunks", len(p.chunks), n)
	}
}

// TestTablesAreOwn: what edits that began with one picture add to its tables does
// not meet, also where a table has room behind it.
func TestTablesAreOwn(t *testing.T) {
	e, seq := NewEdit(Empty()), 0
	alone := make([]byte, chunkMin/3)
	for len(e.now.chunks) < 3*pageSlots-1 { // the picture adds a tail
		seq++
		put(e, seq, kvKey("%d", seq), alone)
	}
	base := e.Picture()
	if len(base.chunks) != 3*pageSlots || cap(base.live) == len(base.live) {
		t.Fatal("the table of pages has no room")
	}
	a, b := base.arena, base.arena
	for _, a := range []*arena{&a, &b} {
		a.thaw()
		a.add(&chunk{data: make([]byte, 1)})
	}
	if last := len(base.live); a.live[last] == b.live[last] || a.chunks[3*pageSlots] == b.chunks[3*pageSlots] {
		t.Error("two edits share a page or a chunk")
	}
	mustBeSound(t, base)
}

// TestLargeValues: a large value has a chunk of its own, exactly as large, which
// goes with it.
func TestLargeValues(t *testing.T) {
	e := NewEdit(Empty())
	value := bytes.Repeat([]byte("0123456789abcdef"), 256<<10)
	for i := range 20 {
		put(e, i+1, kvKey("large"), value)
	}
	p := e.Picture()
	mustBeSound(t, p)
	if s := p.Stats(); s.ArenaBytes > len(value)+chunkMax/8 || s.Chunks != 2 {
		t.Errorf("%d bytes in %d chunks", s.ArenaBytes, s.Chunks)
	}
	got, ok := p.Get(kvKey("large"))
	if !ok || !bytes.Equal(got.Value, value) || cap(got.Value) != len(value) || cap(got.Key) != len(got.Key) {
		t.Errorf("Get is %d bytes, room for %d", len(got.Value), cap(got.Value))
	}
	if q := load(t, p, 1<<16); !Same(p, q, nil, nil) {
		t.Error("an image is not the same")
	}
}

// TestChunks: chunks grow with the arena, up to a limit; a large entry is alone also
// where the tail has room; what chunks leave unused is little, and never shared.
func TestChunks(t *testing.T) {
	e := NewEdit(Empty())
	r := rand.New(rand.NewPCG(1, 1))
	put(e, 1, kvKey("first"), nil)
	if n := e.now.bytes; n != chunkMin {
		t.Errorf("a small arena has %d bytes", n)
	}
	for i := 2; e.now.bytes < 300*chunkMax; i++ {
		size := 1 << r.IntN(20)
		put(e, i, kvKey("%d", i), make([]byte, size+r.IntN(size)))
	}
	p := e.Picture()
	mustBeSound(t, p)
	unused, alone, most := 0, 0, 0
	for slot, c := range p.chunks {
		if sizeAt(c.data) == len(c.data) {
			alone++
			continue
		}
		for at := 0; at < c.used; at += sizeAt(c.data[at:]) {
			if n := sizeAt(c.data[at:]); n > chunkMax/4 {
				t.Fatalf("slot %d: an entry of %d bytes is not alone", slot, n)
			}
		}
		if slot != p.tail {
			unused, most = unused+len(c.data)-c.used, max(most, len(c.data))
		}
	}
	if unused > p.bytes/16 || most != chunkMax || alone < 100 {
		t.Errorf("%d of %d bytes unused, the largest chunk has %d, %d entries are alone", unused, p.bytes, most, alone)
	}
}

// TestDropTenant: when all of a tenant goes, so does its memory, and others stay.
func TestDropTenant(t *testing.T) {
	e := NewEdit(Empty())
	var ops []batch.Op
	for i := range 50_000 {
		key := batch.AppendKey(nil, batch.KV, "big", fmt.Appendf(nil, "%06d", i))
		ops = append(ops, batch.Op{Kind: batch.Put, Key: key, Value: make([]byte, 100)})
	}
	e.Apply(&batch.Batch{Counter: 1, Ops: ops}, Position{Seq: 1})
	put(e, 2, kvKey("mine"), []byte("kept"))
	before := e.Picture()
	mine, i, _ := before.find(kvKey("mine"))
	from, to := batch.AppendPrefix(nil, batch.KV, "big"), batch.AppendTreeEnd(nil, batch.KV, "big")
	if n := before.Count(from, to); n != 50_000 {
		t.Fatalf("the tenant has %d keys", n)
	}
	drop := []batch.Op{{Kind: batch.DeleteRange, Key: from, End: to}}
	e.Apply(&batch.Batch{Counter: 3, Ops: drop}, Position{Seq: 3})
	p := e.Picture()
	mustBeSound(t, p)
	mustBeSound(t, before)
	if s := p.Stats(); s.Keys != 2 || s.ArenaBytes > chunkMax {
		t.Errorf("%d keys, %d bytes", s.Keys, s.ArenaBytes)
	}
	if e, ok := p.Get(kvKey("mine")); !ok || string(e.Value) != "kept" {
		t.Error("another tenant lost its key")
	}
	if l, j, _ := p.find(kvKey("mine")); l.slots[j].ref != mine.slots[i].ref {
		t.Error("what lay in the tail was moved")
	}
	if before.Count(from, to) != 50_000 {
		t.Error("the old picture lost its tenant")
	}
}

// TestNoAllocation: a lookup allocates nothing, found or not.
func TestNoAllocation(t *testing.T) {
	p := inserted(benchKeys(10_000, true), 1000)
	key, absent, w := benchKeys(10_000, true)[77], kvKey("absent"), batch.Writer{1}
	n := testing.AllocsPerRun(100, func() {
		p.Get(key)
		p.Get(absent)
		p.Count(key, absent)
		p.Counter(w)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestPathCost: a batch that puts one key costs a path, not a table: what it
// allocates does not grow with the map beyond that.
func TestPathCost(t *testing.T) {
	p := inserted(benchKeys(100_000, true), 1000)
	e, seq := NewEdit(p), int(p.Seq())
	b := &batch.Batch{Writer: batch.Writer{1}, Ops: []batch.Op{{Kind: batch.Put, Key: benchKeys(1, true)[0], Value: benchValue}}}
	n := testing.AllocsPerRun(1000, func() {
		seq++
		b.Counter = uint64(seq)
		e.Apply(b, Position{Seq: batch.Seq(seq)})
		e.Picture()
	})
	if n > 10 {
		t.Errorf("%v allocations for one put", n)
	}
}
