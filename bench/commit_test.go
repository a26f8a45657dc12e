package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/vlogdb/vlog/engine"
)

const valueSize = 100

// keyOf returns a 16-byte key that spreads over the whole key space.
func keyOf(n uint64) []byte {
	key := make([]byte, 16)
	binary.BigEndian.PutUint64(key, n*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(key[8:], n)
	return key
}

// rawDisk is what one durable commit costs at least on this disk.
func rawDisk(b *testing.B) {
	write, done := rawWriter(b)
	for b.Loop() {
		if err := write(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
	done()
}

// BenchmarkCommit is W1: durable puts of 100 bytes under 16-byte keys.
func BenchmarkCommit(b *testing.B) {
	b.Run("raw", func(b *testing.B) { rawDisk(b) })
	for _, writers := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprint("writers=", writers), func(b *testing.B) { commit(b, writers, make([]byte, valueSize), engine.Binary) })
	}
}

// BenchmarkCodec is what lines cost: durable puts of a JSON value of 100 bytes under
// each codec, in turn.
func BenchmarkCodec(b *testing.B) {
	value := []byte(`{"name":"Alice Example","mail":"alice@example.com","age":31,"tags":["one","two"],"note":"no news today"}`)
	for _, writers := range []int{1, 64} {
		for _, codec := range []engine.Codec{engine.Binary, engine.NDJSON} {
			b.Run(fmt.Sprintf("writers=%d/%v", writers, codec), func(b *testing.B) { commit(b, writers, value, codec) })
		}
	}
}

func commit(b *testing.B, writers int, value []byte, codec engine.Codec) {
	ctx := context.Background()
	db, err := engine.Open(ctx, b.TempDir(), engine.Options{Codec: codec})
	if err != nil {
		b.Fatal(err)
	}
	var next, left atomic.Int64
	before := db.Stats()
	work := func() {
		for left.Add(-1) >= 0 {
			if err := db.Put(ctx, keyOf(uint64(next.Add(1))), value); err != nil {
				b.Error(err)
				return
			}
		}
	}
	const each = 2000
	n := 0
	for b.Loop() {
		left.Store(each)
		var wg sync.WaitGroup
		for range writers {
			wg.Go(work)
		}
		wg.Wait()
		n += each
	}
	s := db.Stats()
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "ops/s")
	b.ReportMetric(float64(s.Syncs-before.Syncs)/float64(s.Commits-before.Commits), "syncs/op")
	b.ReportMetric(0, "ns/op")
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkTransaction is W2: durable transactions of 1,000 puts.
func BenchmarkTransaction(b *testing.B) {
	ctx := context.Background()
	db, err := engine.Open(ctx, b.TempDir(), engine.Options{CheckpointAfter: -1})
	if err != nil {
		b.Fatal(err)
	}
	value := make([]byte, valueSize)
	const puts = 1000
	n := uint64(0)
	for b.Loop() {
		err := db.Update(ctx, func(_ context.Context, tx *engine.Tx) error {
			for range puts {
				n++
				if err := tx.Put(keyOf(n), value); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "puts/s")
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
}

// load returns an in-memory DB of n keys.
func load(b *testing.B, n int) *engine.DB {
	ctx := context.Background()
	db, err := engine.OpenMemory(ctx, engine.Options{CheckpointAfter: -1})
	if err != nil {
		b.Fatal(err)
	}
	value := make([]byte, valueSize)
	for at := 0; at < n; at += 1000 {
		err := db.Update(ctx, func(_ context.Context, tx *engine.Tx) error {
			for i := at; i < min(at+1000, n); i++ {
				if err := tx.Put(keyOf(uint64(i)), value); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return db
}

const million = 1_000_000

// BenchmarkGet is W3: point reads of 1M keys, alone and from two goroutines.
func BenchmarkGet(b *testing.B) {
	db := load(b, million)
	ctx := context.Background()
	order := make([][]byte, 1<<20)
	for i := range order {
		order[i] = keyOf(rand.Uint64N(million))
	}
	get := func(b *testing.B, i int) {
		if v, err := db.Get(ctx, order[i&(len(order)-1)]); err != nil || len(v) != valueSize {
			b.Fatal(err)
		}
	}
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			get(b, i)
			i++
		}
	})
	b.Run("two", func(b *testing.B) {
		b.SetParallelism(1)
		b.RunParallel(func(pb *testing.PB) {
			for i := rand.IntN(len(order)); pb.Next(); i++ {
				get(b, i)
			}
		})
	})
	b.Run("in-view", func(b *testing.B) {
		i := 0
		err := db.View(ctx, func(_ context.Context, tx *engine.Tx) error {
			for b.Loop() {
				if _, err := tx.Get(order[i&(len(order)-1)]); err != nil {
					return err
				}
				i++
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	})
	b.Run("view-each", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			err := db.View(ctx, func(_ context.Context, tx *engine.Tx) error {
				_, err := tx.Get(order[i&(len(order)-1)])
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
			i++
		}
	})
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkScan is W4: an ordered scan of 1M keys.
func BenchmarkScan(b *testing.B) {
	db := load(b, million)
	ctx := context.Background()
	for b.Loop() {
		n := 0
		for _, err := range db.Scan(ctx, engine.Range{}) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != million {
			b.Fatal(n)
		}
	}
	b.ReportMetric(float64(b.N)*million/b.Elapsed().Seconds()/1e6, "Mkeys/s")
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
}
