package state

import (
	"bytes"
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/vlogdb/vlog/internal/batch"
)

// long runs many changes over many keys beside a Go map, from a fixed seed: trees
// of three and more levels, and sweeps, which the model is too small for.
type long struct {
	rand *rand.Rand
	edit *Edit
	now  map[string]batch.Seq
	seq  batch.Seq
	span uint64 // how many keys there may be
}

func newLong(seed uint64) *long {
	return &long{
		rand: rand.New(rand.NewPCG(seed, 0)), edit: NewEdit(Empty()),
		now: map[string]batch.Seq{}, span: 60_000,
	}
}

func (l *long) key() []byte {
	i := l.rand.Uint64N(l.span)
	key := batch.AppendPrefix(nil, batch.KV, batch.Main)
	if i%2 == 0 {
		i *= 0x9e3779b97f4a7c15
	}
	return binary.BigEndian.AppendUint64(key, i)
}

func (l *long) value() []byte {
	return bytes.Repeat([]byte{byte(l.seq)}, 20+l.rand.IntN(200))
}

// step makes one batch: puts in the given part of its ops, else deletes.
func (l *long) step(size int, puts float64) {
	l.seq++
	b := &batch.Batch{Writer: batch.Writer{byte(l.rand.IntN(2))}, Counter: uint64(l.seq)}
	ops := map[string]batch.Op{}
	for range size {
		key := l.key()
		ops[string(key)] = batch.Op{Kind: batch.Delete, Key: key}
		if l.rand.Float64() < puts {
			ops[string(key)] = batch.Op{Kind: batch.Put, Key: key, Value: l.value()}
		}
	}
	b.Ops = sorted(ops)
	for _, op := range b.Ops {
		delete(l.now, string(op.Key))
		if op.Kind == batch.Put {
			l.now[string(op.Key)] = l.seq
		}
	}
	l.apply(b)
}

// cut deletes a range that holds about one key of part.
func (l *long) cut(part uint64) {
	l.seq++
	from := l.key()
	to := bytes.Clone(from)
	n := binary.BigEndian.Uint64(to[2:])
	binary.BigEndian.PutUint64(to[2:], n+min(^uint64(0)/part, ^n))
	if bytes.Compare(from, to) >= 0 {
		return
	}
	maps.DeleteFunc(l.now, func(k string, _ batch.Seq) bool { return k >= string(from) && k < string(to) && k[0] != 0 })
	l.apply(&batch.Batch{Counter: uint64(l.seq), Ops: []batch.Op{{Kind: batch.DeleteRange, Key: from, End: to}}})
}

func (l *long) apply(b *batch.Batch) {
	l.edit.Apply(b, Position{Seq: l.seq})
	l.now[string(WriterKey(b.Writer))] = l.seq
}

func (l *long) freeze(t *testing.T) *Picture {
	p := l.edit.Picture()
	mustBeSound(t, p)
	keys := slices.Sorted(maps.Keys(l.now))
	i := 0
	for e := range p.Ascend(nil, nil) {
		if i >= len(keys) || string(e.Key) != keys[i] || e.Seq != l.now[keys[i]] {
			t.Fatalf("entry %d is %x at %v", i, e.Key, e.Seq)
		}
		if got, ok := p.Get(e.Key); !ok || got.Seq != e.Seq {
			t.Fatalf("Get(%x) is at %v, found %v", e.Key, got.Seq, ok)
		}
		i++
	}
	if i != len(keys) || p.Len() != i {
		t.Fatalf("%d keys, Len %d, not %d", i, p.Len(), len(keys))
	}
	return p
}

func TestLong(t *testing.T) {
	l := newLong(1)
	sum := map[*Picture]uint32{}
	for _, phase := range []struct {
		batches, size int
		puts          float64
		cuts          uint64
	}{{40, 2000, 1, 0}, {40, 2000, 0.9, 0}, {400, 100, 0.5, 300}, {40, 2000, 0.2, 0}, {20, 2000, 1, 0}, {60, 500, 0.5, 9}} {
		for i := range phase.batches {
			l.step(phase.size, phase.puts)
			if phase.cuts > 0 {
				l.cut(phase.cuts)
			}
			if i%10 == 9 {
				l.edit.Picture()
			}
		}
		p := l.freeze(t)
		sum[p] = imageSum(p)
		if s := p.Stats(); s.ArenaBytes > 2*s.LiveBytes+2*chunkMax {
			t.Errorf("arena of %d bytes for %d alive", s.ArenaBytes, s.LiveBytes)
		}
	}
	for p, want := range sum {
		mustBeSound(t, p)
		if imageSum(p) != want {
			t.Error("an old picture has changed")
		}
	}
}

func imageSum(p *Picture) (sum uint32) {
	for block := range p.Image(1 << 16) {
		sum = sum*31 + batch.Sum(block)
	}
	return sum
}

// TestSameImage: a fold is a fold. How often it was frozen, loaded or begun anew
// on the way does not show.
func TestSameImage(t *testing.T) {
	plain, often := newLong(7), newLong(7)
	for i := range 200 {
		for _, l := range []*long{plain, often} {
			l.step(200, 0.7)
			l.cut(50)
		}
		p := often.edit.Picture()
		if i%20 == 0 {
			p = load(t, p, 1<<16)
		}
		if i%3 == 0 {
			often.edit = NewEdit(p)
		}
	}
	a, b := plain.freeze(t), often.freeze(t)
	if imageSum(a) != imageSum(b) || !Same(a, b, nil, nil) {
		t.Error("the pictures differ")
	}
}

// TestGivenUp: an edit that was given up leaves no trace in what is made instead,
// though both wrote behind the same tail.
func TestGivenUp(t *testing.T) {
	l := newLong(3)
	l.step(3000, 1)
	base := l.freeze(t)
	want := imageSum(base)
	var kept []*Picture
	var sums []uint32
	for i := range 30 {
		lost := newLong(uint64(i))
		lost.edit, lost.seq = NewEdit(base), l.seq
		lost.step(300, 0.6)
		p := lost.edit.Picture()
		kept, sums = append(kept, p), append(sums, imageSum(p))
		lost.step(300, 0.6)
	}
	for i, p := range kept {
		mustBeSound(t, p)
		if imageSum(p) != sums[i] {
			t.Fatalf("the picture of edit %d has changed", i)
		}
	}
	if imageSum(base) != want {
		t.Error("the base has changed")
	}
}
