package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/engine"
)

// TestConvertCutOff: a conversion that was cut off leaves a directory that says so and is
// no store; the same call goes on, and the source is as it was.
func TestConvertCutOff(t *testing.T) {
	dir, dest := filepath.Join(t.TempDir(), "s"), filepath.Join(t.TempDir(), "d")
	src := filled(t, dir)
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	_, err := engine.Convert(ctx, dir, dest, engine.NDJSON, engine.ConvertOptions{Progress: func(done, total int64) {
		if done > total/2 {
			cancel(enough)
		}
	}})
	if !errors.Is(err, enough) {
		t.Fatal(err)
	}
	for _, readOnly := range []bool{false, true} {
		_, err = engine.Open(t.Context(), dest, engine.Options{ReadOnly: readOnly})
		if !errors.Is(err, engine.ErrIncompatible) || !strings.Contains(err.Error(), "the restore or conversion into this directory was cut off") {
			t.Errorf("read-only %v: %v", readOnly, err)
		}
	}
	res, err := engine.Convert(t.Context(), dir, dest, engine.NDJSON, engine.ConvertOptions{})
	if err != nil || fmt.Sprintf("#%d %s", res.Seq, res.Chain) != src {
		t.Fatalf("#%d %s of %s, %v", res.Seq, res.Chain, src, err)
	}
	for _, d := range []string{dir, dest} {
		if got := ends(t, d); got != src {
			t.Errorf("%s ends at %s, not %s", d, got, src)
		}
	}
}

// filled makes a store with some segments and a checkpoint, and returns where it ends.
func filled(t *testing.T, dir string) string {
	t.Helper()
	db, err := engine.Open(t.Context(), dir, engine.Options{SegmentSize: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if err := db.Put(t.Context(), fmt.Appendf(nil, "k%02d", i), make([]byte, 4<<10)); err != nil {
			t.Fatal(err)
		}
		if i == 50 {
			if _, err := db.Checkpoint(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return ends(t, dir)
}

func ends(t *testing.T, dir string) string {
	t.Helper()
	if _, err := engine.Check(t.Context(), dir, engine.CheckOptions{}, func(f engine.Finding) { t.Errorf("%s: %+v", dir, f) }); err != nil {
		t.Fatal(err)
	}
	db, err := engine.Open(t.Context(), dir, engine.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	info, err := db.Info(t.Context())
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("#%d %s", info.Last, info.Chain)
}

// TestCopyEnded: where the context has ended before, nothing is made.
func TestCopyEnded(t *testing.T) {
	dir, dest := filepath.Join(t.TempDir(), "s"), filepath.Join(t.TempDir(), "d")
	filled(t, dir)
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(enough)
	for name, run := range map[string]func() error{
		"backup":  func() error { _, err := engine.Backup(ctx, dir, dest, engine.BackupOptions{}); return err },
		"restore": func() error { _, err := engine.Restore(ctx, dir, dest, engine.RestoreOptions{}); return err },
		"convert": func() error {
			_, err := engine.Convert(ctx, dir, dest, engine.NDJSON, engine.ConvertOptions{})
			return err
		},
	} {
		if err := run(); !errors.Is(err, enough) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(dest); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
