package engine_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// quietly are options without goroutines of the engine's own.
func quietly(t testing.TB) engine.Options {
	return engine.Options{Codec: codecOf(t), CheckpointAfter: -1, SegmentSize: 2 << 10}
}

func mustOpen(t *testing.T, dir string) *engine.DB {
	t.Helper()
	db, err := engine.Open(t.Context(), dir, quietly(t))
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func mustPut(t *testing.T, db *engine.DB, key, value string) {
	t.Helper()
	if err := db.Put(t.Context(), []byte(key), []byte(value)); err != nil {
		t.Fatal(err)
	}
}

func mustClose(t *testing.T, db *engine.DB) {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestLinkInPlaceOfASegment: a link under the name of a segment is refused by name,
// and never taken for a missing file that may be written over.
func TestLinkInPlaceOfASegment(t *testing.T) { both(t, testLinkInPlaceOfASegment) }

func testLinkInPlaceOfASegment(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	db := mustOpen(t, dir)
	mustPut(t, db, "k", "v")
	mustClose(t, db)
	segment := filepath.Join(dir, filepath.FromSlash(codecOf(t).SegmentName(1)))
	away := filepath.Join(t.TempDir(), "away")
	if err := errors.Join(os.Rename(segment, away), os.Symlink(away, segment), os.Remove(filepath.Join(dir, "LOCK"))); err != nil {
		t.Fatal(err)
	}
	if _, err := engine.Open(t.Context(), dir, quietly(t)); !errors.Is(err, engine.ErrNotRegular) {
		t.Fatalf("opening: %v", err)
	}
	found := 0
	sum, err := engine.Check(t.Context(), dir, engine.CheckOptions{}, func(engine.Finding) { found++ })
	if err != nil || sum.Errors == 0 {
		t.Fatalf("check: %+v, %v", sum, err)
	}
	if err := errors.Join(os.Remove(segment), os.Rename(away, segment)); err != nil {
		t.Fatal(err)
	}
	db = mustOpen(t, dir)
	if v, err := db.Get(t.Context(), []byte("k")); err != nil || string(v) != "v" {
		t.Fatalf("%q %v", v, err)
	}
	mustClose(t, db)
}

// TestSegmentCannotBeMade: where the file for the next segment cannot be made,
// nothing was written and writing goes on once it can.
func TestSegmentCannotBeMade(t *testing.T) { both(t, testSegmentCannotBeMade) }

func testSegmentCannotBeMade(t *testing.T) {
	mem := vfs.NewMem(vfs.MemOptions{})
	broken := false
	fs := vfs.NewFail(mem, vfs.InjectorFunc(func(op vfs.Op) error {
		if broken && op.Kind == vfs.OpCreate {
			return errors.New("too many open files")
		}
		return nil
	}))
	db, err := engine.OpenFS(t.Context(), fs, quietly(t))
	if err != nil {
		t.Fatal(err)
	}
	broken = true
	if err := db.Put(t.Context(), []byte("k"), nil); err == nil || errors.Is(err, engine.ErrAmbiguous) || errors.Is(err, engine.ErrPoisoned) {
		t.Fatalf("put: %v", err)
	}
	broken = false
	mustPut(t, db, "k", "v")
	broken = true
	if _, err := db.Checkpoint(t.Context()); err == nil || errors.Is(err, engine.ErrPoisoned) {
		t.Fatalf("checkpoint: %v", err)
	}
	broken = false
	mustPut(t, db, "k2", "v")
	if info, err := db.Info(t.Context()); err != nil || info.Last != 2 {
		t.Fatalf("%+v %v", info, err)
	}
	mustClose(t, db)
}

// TestLogRemovedWhileOpen: a log that was removed under an open store is noticed at
// the next sync.
func TestLogRemovedWhileOpen(t *testing.T) { both(t, testLogRemovedWhileOpen) }

func testLogRemovedWhileOpen(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("open files cannot be removed there")
	}
	dir := filepath.Join(t.TempDir(), "store")
	db := mustOpen(t, dir)
	mustPut(t, db, "k", "v")
	if err := os.RemoveAll(filepath.Join(dir, "log")); err != nil {
		t.Fatal(err)
	}
	if err := db.Put(t.Context(), []byte("k2"), nil); !errors.Is(err, engine.ErrAmbiguous) {
		t.Fatalf("put: %v", err)
	}
	if err := db.Put(t.Context(), []byte("k3"), nil); !errors.Is(err, engine.ErrPoisoned) {
		t.Fatalf("second put: %v", err)
	}
	if err := db.Close(); err == nil {
		t.Fatal("close told nothing")
	}
}

// TestSegmentRemovedWhileOpen: so is a segment that was removed alone. It goes on taking
// writes and syncs, and would be gone with the process.
func TestSegmentRemovedWhileOpen(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("open files cannot be removed there")
	}
	dir := filepath.Join(t.TempDir(), "store")
	db := mustOpen(t, dir)
	mustPut(t, db, "k", "v")
	segments, err := filepath.Glob(filepath.Join(dir, "log", "*1.vlog"))
	if err != nil || len(segments) != 1 {
		t.Fatal(segments, err)
	}
	if err := os.Remove(segments[0]); err != nil {
		t.Fatal(err)
	}
	if err := db.Put(t.Context(), []byte("k2"), nil); !errors.Is(err, engine.ErrAmbiguous) {
		t.Fatalf("put: %v", err)
	}
	if err := db.Close(); err == nil {
		t.Fatal("close told nothing")
	}
}

// TestSpareNameTaken: what stands under the name of the next file is left alone.
func TestSpareNameTaken(t *testing.T) { both(t, testSpareNameTaken) }

func testSpareNameTaken(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	db := mustOpen(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "log", "spare-1"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	mustPut(t, db, "k", "v")
	if b, err := os.ReadFile(filepath.Join(dir, "log", "spare-1")); err != nil || string(b) != "mine" {
		t.Fatalf("%q %v", b, err)
	}
	mustClose(t, db)
}
