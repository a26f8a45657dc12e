package state

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/tidwall/btree"

	"github.com/vlogdb/vlog/internal/batch"
)

const million = 1_000_000

// record i of a benchmark: a 16-byte key, random or in order, in the main tenant.
func benchKey(i uint64, random bool) []byte {
	key := batch.AppendPrefix(make([]byte, 0, 18), batch.KV, batch.Main)
	if random {
		h := i * 0x9e3779b97f4a7c15
		h ^= h >> 29
		key = binary.BigEndian.AppendUint64(key, h*0xbf58476d1ce4e5b9)
		return binary.BigEndian.AppendUint64(key, i)
	}
	return append(key, []byte("user:0000")...)[:len(key)+16-7][:0:0]
}

func benchKeys(n int) [][]byte {
	keys := make([][]byte, n)
	for i := range keys {
		keys[i] = benchKey(uint64(i), true)
	}
	return keys
}

var benchValue = bytes.Repeat([]byte("v"), 100)

// inserted returns a picture of all keys, put in this order, in batches.
func inserted(keys [][]byte, size int) *Picture {
	e := NewEdit(Empty())
	b := &batch.Batch{Writer: batch.Writer{1}}
	for len(keys) > 0 {
		n := min(size, len(keys))
		b.Ops = b.Ops[:0]
		for _, k := range keys[:n] {
			b.Ops = append(b.Ops, batch.Op{Kind: batch.Put, Key: k, Value: benchValue})
		}
		slices.SortFunc(b.Ops, func(x, y batch.Op) int { return bytes.Compare(x.Key, y.Key) })
		b.Counter++
		e.Apply(b, Position{Seq: batch.Seq(b.Counter)})
		keys = keys[n:]
	}
	return e.Picture()
}

func loaded(tb testing.TB, p *Picture) *Picture { return load(tb, p, 1<<20) }

// heap returns the bytes on the heap that make's result keeps.
func heap(make func() any) (int, any) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	v := make()
	runtime.GC()
	runtime.ReadMemStats(&after)
	return int(after.HeapAlloc) - int(before.HeapAlloc), v
}

func perm(n int) []int { return rand.New(rand.NewPCG(1, 2)).Perm(n) }

func BenchmarkGet(b *testing.B) {
	keys := benchKeys(million)
	order := perm(million)
	random := inserted(keys, 1000)
	get := func(p *Picture) func(*testing.B) {
		return func(b *testing.B) {
			i := 0
			for b.Loop() {
				e, ok := p.Get(keys[order[i%million]])
				if !ok || e.Value[0] != 'v' {
					b.Fatal("not there")
				}
				i++
			}
		}
	}
	b.Run("inserted", get(random))
	image := loaded(b, random)
	b.Run("loaded", get(image))
	b.Run("tidwall", func(b *testing.B) {
		m := tidwall(keys)
		strs := make([]string, million)
		for i, k := range keys {
			strs[i] = string(k)
		}
		i := 0
		for b.Loop() {
			v, ok := m.Get(strs[order[i%million]])
			if !ok || v[0] != 'v' {
				b.Fatal("not there")
			}
			i++
		}
	})
}

func tidwall(keys [][]byte) *btree.Map[string, []byte] {
	var m btree.Map[string, []byte]
	for _, k := range keys {
		m.Set(string(k), bytes.Clone(benchValue))
	}
	return &m
}

// BenchmarkScan reports entries per second; a byte of each value is looked at.
func BenchmarkScan(b *testing.B) {
	keys := benchKeys(million)
	random := inserted(keys, 1000)
	scan := func(p *Picture) func(*testing.B) {
		return func(b *testing.B) {
			n := 0
			for b.Loop() {
				for e := range p.Ascend(nil, nil) {
					n += int(e.Value[0])
				}
			}
			b.ReportMetric(float64(b.N)*million/b.Elapsed().Seconds()/1e6, "M/s")
		}
	}
	b.Run("inserted", scan(random))
	b.Run("loaded", scan(loaded(b, random)))
	b.Run("tidwall", func(b *testing.B) {
		m := tidwall(keys)
		n := 0
		for b.Loop() {
			m.Scan(func(_ string, v []byte) bool { n += int(v[0]); return true })
		}
		b.ReportMetric(float64(b.N)*million/b.Elapsed().Seconds()/1e6, "M/s")
	})
}

// BenchmarkOverwrite puts values to keys that are there: one batch, one version.
func BenchmarkOverwrite(b *testing.B) {
	keys := benchKeys(million)
	base := inserted(keys, 1000)
	order := perm(million)
	for _, size := range []int{1, 64, 1000} {
		b.Run(map[int]string{1: "1", 64: "64", 1000: "1000"}[size], func(b *testing.B) {
			e, at := NewEdit(base), 0
			bt := &batch.Batch{Writer: batch.Writer{1}, Counter: 1 << 20}
			for b.Loop() {
				bt.Ops = bt.Ops[:0]
				for range size {
					bt.Ops = append(bt.Ops, batch.Op{Kind: batch.Put, Key: keys[order[at%million]], Value: benchValue})
					at++
				}
				b.StopTimer()
				slices.SortFunc(bt.Ops, func(x, y batch.Op) int { return bytes.Compare(x.Key, y.Key) })
				b.StartTimer()
				bt.Counter++
				e.Apply(bt, Position{Seq: batch.Seq(bt.Counter)})
				e.Picture()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*size), "ns/put")
		})
	}
}
