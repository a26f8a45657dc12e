package engine_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/vlogdb/vlog/engine"
)

// TestOptionsThatNameNothing: a codec, a policy or a rule that is none is refused before
// anything is made. Taken for another it would make a store that nobody asked for.
func TestOptionsThatNameNothing(t *testing.T) {
	for what, opts := range map[string]engine.Options{
		"codec":   {Codec: 77},
		"codec 3": {Codec: 77, Keep: &engine.Keep{All: true}},
		"sync":    {Sync: -2},
		"keep":    {Keep: &engine.Keep{}},
		"codec 2": {Codec: engine.NDJSON + 1, ReadOnly: true},
	} {
		dir := filepath.Join(t.TempDir(), "s")
		_, err := engine.Open(t.Context(), dir, opts)
		want(t, what, err, engine.ErrBadName)
		if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: something was made: %v", what, err)
		}
		_, err = engine.OpenMemory(t.Context(), opts)
		want(t, what+", in memory", err, engine.ErrBadName)
	}
	dir, dest := filepath.Join(t.TempDir(), "s"), filepath.Join(t.TempDir(), "d")
	filled(t, dir)
	_, err := engine.Convert(t.Context(), dir, dest, 77, engine.ConvertOptions{})
	want(t, "convert", err, engine.ErrBadName)
}
