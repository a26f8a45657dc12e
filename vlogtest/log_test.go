package vlogtest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/vlogtest"
	"github.com/vlogdb/vlog/wal"
)

// resume begins a log with small segments in an empty directory.
func resume(t testing.TB, fsys vfs.FS, codec wal.Codec) *wal.Local {
	t.Helper()
	if err := errors.Join(fsys.Mkdir(wal.Dir), fsys.SyncDir(".")); err != nil {
		t.Fatal(err)
	}
	epoch := uint64(0)
	opts := wal.Options{
		Store: wal.StoreID{1}, Codec: codec, SegmentSize: 4 << 10, MaxRecord: 9000, Spares: 1, Grow: 1 << 10,
		Rand: func() uint64 { epoch++; return epoch }, Now: func() int64 { return 1 },
	}
	l, err := wal.Resume(fsys, opts, wal.Start{})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestLog runs the contract over the log in a directory, on a real disk and in memory.
func TestLog(t *testing.T) { both(t, testLog) }

func testLog(t *testing.T, codec wal.Codec) {
	for name, open := range map[string]func(t testing.TB) vfs.FS{
		"directory": func(t testing.TB) vfs.FS {
			fsys, err := vfs.OpenOS(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = fsys.Close() })
			return fsys
		},
		"memory": func(testing.TB) vfs.FS { return vfs.NewMem(vfs.MemOptions{Track: true}) },
	} {
		t.Run(name, func(t *testing.T) {
			vlogtest.TestLog(t, func(t testing.TB) wal.Log { return resume(t, open(t), codec) })
		})
	}
}

// TestLocal is what a log in a directory promises beyond the contract: nothing is
// shown before Sync, Trim frees whole segments, Close makes everything durable.
func TestLocal(t *testing.T) { both(t, testLocal) }

func testLocal(t *testing.T, codec wal.Codec) {
	ctx := context.Background()
	mem := vfs.NewMem(vfs.MemOptions{Track: true})
	l := resume(t, mem, codec)
	add := func(n int) {
		t.Helper()
		_, last, _, err := l.Bounds(ctx)
		if err == nil {
			_, err = l.Append(ctx, last, []wal.Record{batch.NewRecord(make([]byte, n))})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	sync := func() {
		t.Helper()
		if err := l.Sync(ctx); err != nil {
			t.Fatal(err)
		}
	}
	add(10)
	if _, last, _, _ := l.Bounds(ctx); last != 0 {
		t.Errorf("durable up to %v before a sync", last)
	}
	for range l.Read(ctx, 1) {
		t.Error("shown before a sync")
	}
	sync()
	for range 10 {
		add(2000)
		sync()
	}
	before := l.Stats()
	if err := l.Trim(ctx, 8); err != nil {
		t.Fatal(err)
	}
	first, _, _, err := l.Bounds(ctx)
	if after := l.Stats(); err != nil || first < 6 || after.Segments >= before.Segments || after.Bytes >= before.Bytes {
		t.Errorf("trimmed before 8: it begins at %v %v, %+v, before %+v", first, err, after, before)
	}
	add(10)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	left := mem.Crash(vfs.Lost, 1)
	entries, err := left.ReadDir(wal.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		seg, err := wal.Scan(t.Context(), wal.Place{FS: left, Name: wal.Dir + "/" + e.Name, Store: wal.StoreID{1}}, nil)
		if err != nil || !seg.Sealed {
			t.Errorf("%s after a power cut: %+v %v", e.Name, seg, err)
		}
		if e == entries[len(entries)-1] && seg.Last != 12 {
			t.Errorf("the log ends at %v", seg.Last)
		}
	}
}
