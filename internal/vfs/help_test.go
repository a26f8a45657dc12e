package vfs

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// show returns a whole file system as one line: "d/ d/a=text b=text". Runs of
// the same byte are shortened to "x*512", garbage to "?*512".
func show(t *testing.T, fsys FS) string {
	t.Helper()
	var parts []string
	var walk func(dir, prefix string)
	walk = func(dir, prefix string) {
		list, err := fsys.ReadDir(dir)
		check(t, err)
		for _, e := range list {
			if e.Dir {
				parts = append(parts, prefix+e.Name+"/")
				walk(prefix+e.Name, prefix+e.Name+"/")
				continue
			}
			parts = append(parts, prefix+e.Name+"="+short(read(t, fsys, prefix+e.Name)))
		}
	}
	walk(".", "")
	return strings.Join(parts, " ")
}

func short(text string) string {
	var out []string
	for off := 0; off < len(text); {
		rest := text[off:]
		n := len(rest) - len(strings.TrimLeft(rest, rest[:1]))
		name := rest[:1]
		if rest[0] == 0 {
			name = "0"
		}
		if sector := min(SectorSize, len(rest)); off%SectorSize == 0 &&
			rest[:sector] == string(garbageOf(int64(off / SectorSize))[:sector]) {
			name, n = "?", sector
		}
		out = append(out, fmt.Sprintf("%s*%d", name, n))
		off += n
	}
	return strings.Join(out, "+")
}

// states returns what the images of a model show, sorted, each once.
func states(t *testing.T, m *Mem, model Model) []string {
	t.Helper()
	var list []string
	left := m.Snapshot().Images(model, 20_000, func(img *Image) bool {
		list = append(list, show(t, img.Mem(true)))
		return true
	})
	if left != 0 {
		t.Fatalf("%v: %d images not shown", model, left)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func wantStates(t *testing.T, m *Mem, model Model, want ...string) {
	t.Helper()
	got := states(t, m, model)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%v:\n%s\nwant:\n%s", model, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func wantAmong(t *testing.T, m *Mem, model Model, want ...string) {
	t.Helper()
	got := states(t, m, model)
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("%v: %q is not among\n%s", model, w, strings.Join(got, "\n"))
		}
	}
}

func wantNever(t *testing.T, m *Mem, model Model, never ...string) {
	t.Helper()
	got := states(t, m, model)
	for _, w := range never {
		if slices.Contains(got, w) {
			t.Errorf("%v: shows %q, which no disk does", model, w)
		}
	}
}

func tracked() *Mem { return NewMem(MemOptions{Track: true}) }

func put(t *testing.T, f File, text string, n int, off int64) {
	t.Helper()
	_, err := f.WriteAt(bytes.Repeat([]byte(text), n), off)
	check(t, err)
}

// durable makes a file with n times text, synced and named.
func durable(t *testing.T, m *Mem, name, text string, n int) File {
	t.Helper()
	f, err := m.Open(name, CreateNew)
	check(t, err)
	put(t, f, text, n, 0)
	check(t, f.Sync())
	check(t, m.SyncDir("."))
	return f
}
