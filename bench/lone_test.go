package bench

import (
	"context"
	"testing"
	"time"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// BenchmarkLone is W1 with one writer as a share of the raw disk, the two taken in
// turn in short slices: a busy disk slows both, and the ratio stays. One writer's
// context can end, the other's cannot.
func BenchmarkLone(b *testing.B) {
	b.Run("background", func(b *testing.B) { lone(b, context.Background()) })
	b.Run("cancellable", func(b *testing.B) { lone(b, b.Context()) })
}

func lone(b *testing.B, ctx context.Context) {
	db, err := engine.Open(ctx, b.TempDir(), engine.Options{})
	if err != nil {
		b.Fatal(err)
	}
	raw, done := rawWriter(b)
	value := make([]byte, valueSize)
	n := uint64(0)
	put := func() error {
		n++
		return db.Put(ctx, keyOf(n), value)
	}
	var ours, disk time.Duration
	const slice = 50
	for b.Loop() {
		disk += spent(b, slice, raw)
		ours += spent(b, slice, put)
	}
	b.ReportMetric(float64(disk)/float64(ours), "of-raw")
	b.ReportMetric(float64(ours.Microseconds())/float64(b.N*slice), "µs/put")
	b.ReportMetric(float64(disk.Microseconds())/float64(b.N*slice), "µs/raw")
	b.ReportMetric(0, "ns/op")
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	done()
}

func spent(b *testing.B, n int, do func() error) time.Duration {
	began := time.Now()
	for range n {
		if err := do(); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(began)
}

// rawWriter returns what overwrites one sector of a prepared file and syncs it, and
// what ends that.
func rawWriter(b *testing.B) (write func() error, done func()) {
	fs, err := vfs.OpenOS(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	f, err := fs.Open("raw", vfs.CreateNew)
	if err != nil {
		b.Fatal(err)
	}
	const size = 8 << 20
	if _, err := f.WriteAt(make([]byte, size), 0); err != nil {
		b.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	sector, off := make([]byte, vfs.SectorSize), int64(0)
	for i := range sector {
		sector[i] = byte(i*7 + i/3 + 1)
	}
	write = func() error {
		if _, err := f.WriteAt(sector, off); err != nil {
			return err
		}
		off = (off + vfs.SectorSize) % size
		return f.Sync()
	}
	return write, func() {
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
