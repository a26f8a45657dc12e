//go:build linux || darwin

package vfs

import (
	"os"
	"path/filepath"
	"testing"
)

// TestInside: the same directory is known by links and by names that are not there yet.
func TestInside(t *testing.T) {
	dir := t.TempDir()
	store := filepath.Join(dir, "store")
	check(t, os.MkdirAll(filepath.Join(store, "log"), 0o700))
	check(t, os.Symlink(store, filepath.Join(dir, "link")))
	check(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	for _, c := range []struct {
		dir, other string
		want       bool
	}{
		{store, store, true},
		{filepath.Join(dir, "link"), store, true},
		{store, filepath.Join(dir, "link"), true},
		{filepath.Join(store, "log"), store, true},
		{filepath.Join(dir, "link", "not", "there"), store, true},
		{store, filepath.Join(store, "log"), false},
		{filepath.Join(dir, "store2"), store, false},
		{filepath.Join(dir, "a", "b"), store, false},
		{store, filepath.Join(dir, "a"), false},
		{filepath.Join(dir, "file"), store, false},
		{store, dir, true},
	} {
		if got, err := Inside(c.dir, c.other); err != nil || got != c.want {
			t.Errorf("%s in %s: %v, %v", c.dir, c.other, got, err)
		}
	}
}
