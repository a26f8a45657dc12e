package bench

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// payload returns the batch of n puts and its canonical bytes.
func payload(b *testing.B, first uint64, n int) (*batch.Batch, []byte) {
	puts := &batch.Batch{Counter: first}
	value := make([]byte, valueSize)
	for i := range n {
		key := make([]byte, 0, 20)
		puts.Ops = append(puts.Ops, batch.Op{Kind: batch.Put, Key: batch.AppendKey(key, batch.KV, batch.Main, ordered(first+uint64(i))), Value: value})
	}
	p, err := batch.Append(nil, puts)
	if err != nil {
		b.Fatal(err)
	}
	return puts, p
}

// ordered returns keys that ascend, as the ops of a batch must.
func ordered(n uint64) []byte {
	key := make([]byte, 16)
	for i := 15; n > 0; i-- {
		key[i], n = byte(n), n>>8
	}
	return key
}

// BenchmarkAppend is the log alone: one record of 100 bytes, with and without a
// sync behind it, beside the raw disk.
func BenchmarkAppend(b *testing.B) {
	b.Run("raw", func(b *testing.B) { rawDisk(b) })
	for _, sync := range []bool{true, false} {
		name := map[bool]string{true: "synced", false: "unsynced"}[sync]
		b.Run(name, func(b *testing.B) { appendRecords(b, sync) })
	}
}

func appendRecords(b *testing.B, sync bool) {
	fs, err := vfs.OpenOS(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	if err := fs.Mkdir(wal.Dir); err != nil {
		b.Fatal(err)
	}
	opts := wal.Options{Rand: rand.Uint64, Now: func() int64 { return time.Now().UnixNano() }, Spares: 1, Grow: 1 << 20}
	log, err := wal.Resume(fs, opts, wal.Start{})
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	if err := log.Prepare(ctx, nil); err != nil {
		b.Fatal(err)
	}
	_, p := payload(b, 1, 1)
	group := []batch.Record{batch.NewRecord(p)}
	var last batch.Seq
	for b.Loop() {
		if last, err = log.Append(ctx, last, group); err != nil {
			b.Fatal(err)
		}
		if !sync {
			continue
		}
		if err := log.Sync(ctx); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
	if err := log.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkApply is the map alone: batches of one and of 1,000 puts, a picture
// behind each.
func BenchmarkApply(b *testing.B) {
	for name, n := range map[string]int{"1": 1, "1000": 1000} {
		b.Run("puts="+name, func(b *testing.B) {
			e := state.NewEdit(state.Empty())
			seq := batch.Seq(0)
			for b.Loop() {
				b.StopTimer()
				puts, _ := payload(b, uint64(seq)*uint64(n), n)
				b.StartTimer()
				seq++
				e.Apply(puts, state.Position{Seq: seq})
				e.Picture()
			}
			b.ReportMetric(float64(b.N)*float64(n)/b.Elapsed().Seconds(), "puts/s")
		})
	}
}
