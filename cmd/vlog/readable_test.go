package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/vlogdb/vlog/engine"
)

// TestReadableAtAnyMoment reads the files of an NDJSON store with other tools' eyes, again
// and again: while writers are at work, with rotation and checkpoints in the background,
// after a compaction, and after the close. Every line that ends parses; nothing but a
// beginning of a line stands behind the last; and a value is found by its text.
func TestReadableAtAnyMoment(t *testing.T) {
	r := &readable{T: t, dir: filepath.Join(t.TempDir(), "store")}
	db, err := engine.Open(t.Context(), r.dir, engine.Options{Codec: engine.NDJSON, SegmentSize: 64 << 10, CheckpointAfter: 200 << 10, CheckpointRate: -1})
	if err != nil {
		t.Fatal(err)
	}
	r.put(db, "users/42", `{"name":"Alice","born":1990}`)
	r.finds(`"k":"users/42","v":{"name":"Alice","born":1990}`)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for n := range 400 {
				r.put(db, fmt.Sprintf("item/%d/%d", w, n), anyValue(w+n))
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for working := true; working; {
		select {
		case <-done:
			working = false
		default:
		}
		r.read()
	}
	if _, err := db.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.read()
	r.finds(`"k":"users/42","v":{"name":"Alice","born":1990}`)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range r.read() {
		r.jq(name)
	}
	r.finds(`"k":"users/42","v":{"name":"Alice","born":1990}`)
	if r.lines < 3000 || r.checkpoints == 0 {
		t.Errorf("%d lines read, %d checkpoints", r.lines, r.checkpoints)
	}
	t.Logf("%d lines read, %d reads of checkpoints, %d files met in the middle of a line", r.lines, r.checkpoints, r.halves)
}

// anyValue is JSON, text or bytes.
func anyValue(n int) string {
	switch n % 4 {
	case 0:
		return fmt.Sprintf(`{"n":%d,"tags":["a","é"]}`, n)
	case 1:
		return fmt.Sprintf("line %d\nand \"another\"\r\n", n)
	case 2:
		return strings.Repeat(string([]byte{0, 255, byte(n), '\n'}), n%700)
	}
	return strings.Repeat("long ", n*5)
}

// readable is a store that is looked at from outside.
type readable struct {
	*testing.T
	dir                        string
	lines, checkpoints, halves int
}

func (r *readable) put(db *engine.DB, key, value string) {
	if err := db.Put(context.Background(), []byte(key), []byte(value)); err != nil {
		r.Error(err)
	}
}

// read reads every file of lines once and returns their names. One that goes meanwhile
// was dropped.
func (r *readable) read() (names []string) {
	r.Helper()
	for _, pattern := range []string{"*.ndjson", "checkpoint-*", "backup"} {
		found, err := filepath.Glob(filepath.Join(r.dir, "log", pattern))
		if err != nil {
			r.Fatal(err)
		}
		for _, name := range found {
			b, err := os.ReadFile(name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				r.Fatal(err)
			}
			r.parse(name, b)
			names = append(names, name)
		}
	}
	return names
}

func (r *readable) parse(name string, b []byte) {
	r.Helper()
	if strings.Contains(name, "checkpoint-") {
		r.checkpoints++
	}
	for line := range bytes.Lines(b) {
		switch {
		case line[len(line)-1] == '\n':
			r.lines++
			if !json.Valid(line) {
				r.Fatalf("%s holds a line that does not parse: %.200q", name, line)
			}
		case line[0] != '{': // only the last can be without its end
			r.Fatalf("%s ends in %.200q", name, line)
		default:
			r.halves++
		}
	}
}

// finds looks for a text in the files, as grep does.
func (r *readable) finds(text string) {
	r.Helper()
	for _, name := range r.read() {
		b, err := os.ReadFile(name)
		if err == nil && bytes.Contains(b, []byte(text)) {
			return
		}
	}
	r.Errorf("%s is found nowhere", text)
}

// jq has jq read a file, where it is installed.
func (r *readable) jq(name string) {
	r.Helper()
	path, err := exec.LookPath("jq")
	if err != nil {
		return
	}
	out, err := exec.Command(path, "-c", ".", name).Output()
	b, err2 := os.ReadFile(name)
	if err := errors.Join(err, err2); err != nil || bytes.Count(out, []byte("\n")) != bytes.Count(b, []byte("\n")) {
		r.Errorf("jq reads %d lines of %s, which has %d: %v", bytes.Count(out, []byte("\n")), name, bytes.Count(b, []byte("\n")), err)
	}
}
