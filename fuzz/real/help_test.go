package real

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/engine"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// want fails unless err is of a class and tells of a path.
func want(t *testing.T, what string, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("%s: want %v, got %v", what, kind, err)
	}
	if e, ok := errors.AsType[*engine.Error](err); !ok || e.At.Path == "" && !strings.Contains(err.Error(), "/") {
		t.Fatalf("%s: no place is named: %v", what, err)
	}
}

// both runs a test under each codec.
func both(t *testing.T, test func(*testing.T, engine.Codec)) {
	for _, c := range []engine.Codec{engine.Binary, engine.NDJSON} {
		t.Run(c.String(), func(t *testing.T) { test(t, c) })
	}
}

// plain are options without goroutines of the engine's own.
func plain(codec engine.Codec) engine.Options {
	return engine.Options{Codec: codec, SegmentSize: 16 << 10, NoPrepare: true, CheckpointAfter: -1}
}

func open(t *testing.T, dir string, opts engine.Options) *engine.DB {
	t.Helper()
	db, err := engine.Open(t.Context(), dir, opts)
	check(t, err)
	return db
}

// written is the model of a store: what was acknowledged.
type written map[string]string

// put puts a key, and takes it into the model where that was acknowledged.
func (w written) put(ctx context.Context, db *engine.DB, key, value string) error {
	err := db.Put(ctx, []byte(key), []byte(value))
	if err == nil {
		w[key] = value
	}
	return err
}

// some puts keys of a few hundred bytes.
func (w written) some(t *testing.T, db *engine.DB, n int) {
	t.Helper()
	for range n {
		check(t, w.put(t.Context(), db, fmt.Sprintf("key%06d", len(w)), strings.Repeat("v", 300)))
	}
}

// same fails unless a store holds exactly what was acknowledged.
func (w written) same(t *testing.T, db *engine.DB) {
	t.Helper()
	got := written{}
	for e, err := range db.Scan(t.Context(), engine.Range{}) {
		check(t, err)
		got[string(e.Key)] = string(e.Value)
	}
	if !maps.Equal(got, w) {
		t.Fatalf("the store holds %d keys, acknowledged were %d", len(got), len(w))
	}
}

// again closes a store, opens it and looks whether everything acknowledged is there.
func (w written) again(t *testing.T, db *engine.DB, dir string) {
	t.Helper()
	check(t, db.Close())
	w.opens(t, dir)
}

// opens opens a store, looks whether everything acknowledged is there, that it takes
// writes, and that checking finds nothing.
func (w written) opens(t *testing.T, dir string) {
	t.Helper()
	db := open(t, dir, engine.Options{MustExist: true, CheckpointAfter: -1, NoPrepare: true})
	w.same(t, db)
	check(t, w.put(t.Context(), db, fmt.Sprintf("key%06d", len(w)), "once more"))
	check(t, db.Close())
	sound(t, dir)
}

// sound fails where checking a store finds anything.
func sound(t *testing.T, dir string) {
	t.Helper()
	_, err := engine.Check(t.Context(), dir, engine.CheckOptions{}, func(f engine.Finding) { t.Errorf("%s: %+v", dir, f) })
	check(t, err)
}

// tree is everything that can be seen of a directory: names, modes, sizes, times and
// content, a line for each.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	check(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&all, "%s %v %d %d", path, info.Mode(), info.Size(), info.ModTime().UnixNano())
		if info.Mode().IsRegular() {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&all, " %q", b)
		}
		all.WriteByte('\n')
		return nil
	}))
	return all.String()
}

// unchanged fails where a directory is not as it was.
func unchanged(t *testing.T, what, dir, before string) {
	t.Helper()
	after := tree(t, dir)
	if after == before {
		return
	}
	old := strings.Split(before, "\n")
	for i, line := range strings.Split(after, "\n") {
		if i >= len(old) || line != old[i] {
			t.Fatalf("%s changed something, at %.200s", what, line)
		}
	}
	t.Fatalf("%s took something away", what)
}

// names are the names, kinds and sizes below a directory.
func names(t *testing.T, dir string) (all string) {
	check(t, filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		all += fmt.Sprintln(path, info.Mode(), info.Size())
		return err
	}))
	return all
}
