package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"testing"

	"github.com/tidwall/btree"

	"github.com/vlogdb/vlog/internal/batch"
)

const million = 1_000_000

// benchKeys returns 16-byte keys in the main tenant, in random order or ascending.
func benchKeys(n int, random bool) [][]byte {
	keys := make([][]byte, n)
	for i := range keys {
		key := batch.AppendPrefix(make([]byte, 0, 18), batch.KV, batch.Main)
		h := uint64(i) * 0x9e3779b97f4a7c15
		if random {
			key = binary.BigEndian.AppendUint64(key, (h^h>>29)*0xbf58476d1ce4e5b9)
			keys[i] = binary.BigEndian.AppendUint64(key, h)
		} else {
			keys[i] = fmt.Appendf(key, "user:%011d", i)
		}
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

// BenchmarkGet looks keys up in random order. The keys that are asked for lie in
// that order, as if just made: what is measured is the map's misses.
func BenchmarkGet(b *testing.B) {
	keys := benchKeys(million, true)
	random, floor := inserted(keys, 1000), tidwall(keys)
	asked := bytes.Join(shuffled(keys), nil)
	key := func(i int) []byte { return asked[i%million*18:][:18] }
	get := func(p *Picture) func(*testing.B) {
		return func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if e, ok := p.Get(key(i)); !ok || e.Value[0] != 'v' {
					b.Fatal("not there")
				}
			}
		}
	}
	b.Run("inserted", get(random))
	b.Run("loaded", get(loaded(b, random)))
	b.Run("tidwall", func(b *testing.B) {
		text := string(asked)
		for i := 0; b.Loop(); i++ {
			if v, ok := floor.Get(text[i%million*18:][:18]); !ok || v[0] != 'v' {
				b.Fatal("not there")
			}
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
	keys := benchKeys(million, true)
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

// puts returns batches of puts of these keys.
func puts(keys [][]byte, size int) []*batch.Batch {
	var all []*batch.Batch
	for len(keys) > 0 {
		n := min(size, len(keys))
		b := &batch.Batch{Writer: batch.Writer{1}}
		for _, k := range keys[:n] {
			b.Ops = append(b.Ops, batch.Op{Kind: batch.Put, Key: k, Value: benchValue})
		}
		slices.SortFunc(b.Ops, func(x, y batch.Op) int { return bytes.Compare(x.Key, y.Key) })
		all = append(all, b)
		keys = keys[n:]
	}
	return all
}

// runPuts applies batches, a version for each. When all were applied it goes on
// with the first, again on top of what is there or on the base.
func runPuts(b *testing.B, batches []*batch.Batch, again bool, base *Picture) {
	e, at, seq := NewEdit(base), 0, base.Seq()
	for b.Loop() {
		if at == len(batches) {
			at = 0
			if !again {
				e = NewEdit(base)
			}
		}
		seq++
		batches[at].Counter = uint64(seq)
		e.Apply(batches[at], Position{Seq: seq})
		e.Picture()
		at++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(batches[0].Ops)), "ns/put")
	b.ReportMetric(float64(e.now.bytes)/float64(e.now.alive), "arena/live")
}

func shuffled(keys [][]byte) [][]byte {
	all := make([][]byte, len(keys))
	for i, j := range perm(len(keys)) {
		all[i] = keys[j]
	}
	return all
}

// BenchmarkOverwrite puts to keys that are there; every batch makes a version.
func BenchmarkOverwrite(b *testing.B) {
	keys := benchKeys(million, true)
	base := inserted(keys, 1000)
	keys = shuffled(keys)
	for _, size := range []int{1, 64, 1000} {
		batches := puts(keys, size)
		b.Run(strconv.Itoa(size), func(b *testing.B) { runPuts(b, batches, true, base) })
	}
}

// BenchmarkInsert puts a million new keys to half a million; every batch makes a
// version.
func BenchmarkInsert(b *testing.B) {
	keys := shuffled(benchKeys(million, true))
	base := inserted(keys[:million/2], 1000)
	for _, size := range []int{1, 64, 1000} {
		batches := puts(keys[million/2:], size)
		b.Run(strconv.Itoa(size), func(b *testing.B) { runPuts(b, batches, false, base) })
	}
	b.Run("ascending-1000", func(b *testing.B) {
		runPuts(b, puts(benchKeys(million, false), 1000), false, Empty())
	})
	b.Run("tidwall", func(b *testing.B) {
		m, at := tidwall(keys[:million/2]), million/2
		for b.Loop() {
			if at == million {
				b.StopTimer()
				m, at = tidwall(keys[:million/2]), million/2
				b.StartTimer()
			}
			m.Set(string(keys[at]), bytes.Clone(benchValue))
			at++
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	p := inserted(benchKeys(million, true), 1000)
	var blocks [][]byte
	for block := range p.Image(1 << 20) {
		blocks = append(blocks, bytes.Clone(block))
	}
	for b.Loop() {
		l := NewLoader(p.Position())
		for _, block := range blocks {
			if err := l.Add(block); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := l.Picture(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkImage(b *testing.B) {
	p := inserted(benchKeys(million, true), 1000)
	for b.Loop() {
		n := 0
		for block := range p.Image(1 << 20) {
			n += len(block)
		}
		b.SetBytes(int64(n))
	}
}

// BenchmarkHeap reports what a record of 116 bytes takes.
func BenchmarkHeap(b *testing.B) {
	keys := benchKeys(million, true)
	report := func(name string, make func() any) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				n, v := heap(make)
				b.ReportMetric(float64(n)/million/116, "x-logical")
				runtime.KeepAlive(v)
			}
		})
	}
	report("inserted", func() any { return inserted(keys, 1000) })
	image := inserted(keys, 1000)
	report("loaded", func() any { return loaded(b, image) })
	report("overwritten", func() any {
		e := NewEdit(inserted(keys, 1000))
		for i, bt := range puts(shuffled(keys), 1000) {
			e.Apply(bt, Position{Seq: batch.Seq(2000 + i)})
		}
		return e.Picture()
	})
	report("tidwall", func() any { return tidwall(keys) })
}
