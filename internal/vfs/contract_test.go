package vfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/vlogdb/vlog/internal/fault"
)

// testFS is the contract of FS and File: one line runs it over an implementation.
func testFS(t *testing.T, open func(t *testing.T) FS) {
	t.Helper()
	parts := map[string]func(t *testing.T, fsys FS){
		"open": testOpen, "content": testContent, "names": testNames, "badnames": testBadNames,
		"finds": testSyncFinds, "dirs": testDirs, "replace": testReplace, "lock": testLock, "hints": testHints, "closed": testClosed,
	}
	for name, part := range parts {
		t.Run(name, func(t *testing.T) { part(t, open(t)) })
	}
}

func TestContract(t *testing.T) {
	noDelay := func(Op) time.Duration { return 0 }
	never := InjectorFunc(func(Op) error { return nil })
	for name, open := range map[string]func(t *testing.T) FS{
		"os":       openTemp,
		"mem":      func(*testing.T) FS { return NewMem(MemOptions{}) },
		"tracking": func(*testing.T) FS { return NewMem(MemOptions{Track: true}) },
		"fail":     func(*testing.T) FS { return NewFail(NewMem(MemOptions{Track: true}), never) },
		"log":      func(t *testing.T) FS { return NewLog(openTemp(t), new(Trace).Record) },
		"slow":     func(*testing.T) FS { return NewSlow(NewMem(MemOptions{}), noDelay) },
		"image": func(*testing.T) FS {
			return NewMem(MemOptions{Track: true}).Crash(Kill, 1)
		},
	} {
		t.Run(name, func(t *testing.T) { testFS(t, open) })
	}
}

func openTemp(t *testing.T) FS {
	fsys, err := OpenOS(t.TempDir())
	check(t, err)
	return fsys
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, err error, kind *fault.Kind) {
	t.Helper()
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || e.Err != kind || e.Op == "" || e.At.Path == "" {
		t.Fatalf("error %v (%T), want a fault.Error of %v with operation and path", err, err, kind)
	}
}

func create(t *testing.T, fsys FS, name, text string) File {
	t.Helper()
	f, err := fsys.Open(name, Create)
	check(t, err)
	_, err = f.WriteAt([]byte(text), 0)
	check(t, err)
	return f
}

func read(t *testing.T, fsys FS, name string) string {
	t.Helper()
	f, err := fsys.Open(name, ReadOnly)
	check(t, err)
	st, err := f.Stat()
	check(t, err)
	p := make([]byte, st.Size)
	n, err := f.ReadAt(p, 0)
	if err != nil && err != io.EOF || int64(n) != st.Size {
		t.Fatalf("read %s: %d bytes of %d, %v", name, n, st.Size, err)
	}
	check(t, f.Close())
	return string(p)
}

func testOpen(t *testing.T, fsys FS) {
	_, err := fsys.Open("a", ReadOnly)
	want(t, err, fault.ErrNotFound)
	_, err = fsys.Open("a", ReadWrite)
	want(t, err, fault.ErrNotFound)
	_, err = fsys.Open("no/a", Create)
	want(t, err, fault.ErrNotFound)
	f, err := fsys.Open("a", CreateNew)
	check(t, err)
	check(t, f.Close())
	_, err = fsys.Open("a", CreateNew)
	want(t, err, fault.ErrExists)
	_, err = fsys.Open("a/b", ReadOnly)
	want(t, err, fault.ErrNotRegular)
	check(t, fsys.Mkdir("d"))
	for _, mode := range []Mode{ReadOnly, ReadWrite, Create} {
		_, err = fsys.Open("d", mode)
		want(t, err, fault.ErrNotRegular)
		_, err = fsys.Open(".", mode)
		want(t, err, fault.ErrNotRegular)
	}
	_, err = fsys.Open("d", CreateNew)
	want(t, err, fault.ErrExists)
}

func testContent(t *testing.T, fsys FS) {
	f := create(t, fsys, "a", "hello")
	_, err := f.WriteAt([]byte("world"), 10_000)
	check(t, err)
	check(t, f.Sync())
	if got, want := read(t, fsys, "a"), "hello"+string(make([]byte, 9_995))+"world"; got != want {
		t.Fatalf("hole reads as %d bytes", len(got))
	}
	check(t, f.Truncate(3))
	check(t, f.Truncate(8))
	if got := read(t, fsys, "a"); got != "hel\x00\x00\x00\x00\x00" {
		t.Fatalf("after shrinking and growing: %q", got)
	}
	p := make([]byte, 10)
	if n, err := f.ReadAt(p, 4); n != 4 || err != io.EOF || !bytes.Equal(p[:n], make([]byte, 4)) {
		t.Fatalf("at the end: %d, %v", n, err)
	}
	if n, err := f.ReadAt(p, 100); n != 0 || err != io.EOF {
		t.Fatalf("behind the end: %d, %v", n, err)
	}
	_, err = f.ReadAt(p, -1)
	want(t, err, fault.ErrIO)
	_, err = f.WriteAt(p, -1)
	want(t, err, fault.ErrIO)
	check(t, f.Close())
	f, err = fsys.Open("a", ReadOnly)
	check(t, err)
	_, err = f.WriteAt(p, 0)
	want(t, err, fault.ErrReadOnly)
	want(t, f.Truncate(0), fault.ErrReadOnly)
	check(t, f.Close())
}

// testSyncFinds: a sync says whether the file could be found again. It follows a rename,
// its own or somebody else's.
func testSyncFinds(t *testing.T, fsys FS) {
	check(t, fsys.Mkdir("d"))
	f := create(t, fsys, "d/a", "one")
	check(t, f.Sync())
	check(t, fsys.Rename("d/a", "d/b"))
	check(t, f.Sync())
	check(t, create(t, fsys, "d/a", "another").Close())
	check(t, f.Sync())
	check(t, fsys.Rename("d/a", "d/b"))
	want(t, f.Sync(), fault.ErrNotFound)
	check(t, f.Close())
}

func testNames(t *testing.T, fsys FS) {
	check(t, create(t, fsys, "a", "one").Close())
	b := create(t, fsys, "b", "two")
	check(t, fsys.Rename("a", "b"))
	if got := read(t, fsys, "b"); got != "one" {
		t.Fatalf("renamed over: %q", got)
	}
	p := make([]byte, 3)
	if _, err := b.ReadAt(p, 0); err != nil || string(p) != "two" {
		t.Fatalf("file that was replaced while open: %q, %v", p, err)
	}
	if st, err := b.Stat(); err != nil || st.Links != 0 {
		t.Fatalf("links of a file without a name: %+v, %v", st, err)
	}
	check(t, b.Close())
	check(t, fsys.Rename("b", "b"))
	want(t, fsys.Rename("a", "c"), fault.ErrNotFound)
	want(t, fsys.Remove("a"), fault.ErrNotFound)
	check(t, fsys.Remove("b"))
	check(t, fsys.Mkdir("d"))
	check(t, create(t, fsys, "c", "three").Close())
	want(t, fsys.Rename("d", "e"), fault.ErrNotRegular)
	want(t, fsys.Rename("c", "no/c"), fault.ErrNotFound)
	check(t, fsys.Rename("c", "d/c"))
	want(t, fsys.Remove("d"), fault.ErrExists)
	check(t, fsys.SyncDir("."))
	check(t, fsys.SyncDir("d"))
}

func testBadNames(t *testing.T, fsys FS) {
	for _, name := range []string{"", "..", "../a", "/a", "a/", "a//b", "./a", "a/../b", "a\x00b"} {
		_, err := fsys.Open(name, Create)
		if name == "" {
			if err == nil {
				t.Fatal("empty name opened")
			}
			continue
		}
		want(t, err, fault.ErrBadName)
		want(t, fsys.Remove(name), fault.ErrBadName)
		want(t, fsys.Mkdir(name), fault.ErrBadName)
		want(t, fsys.Rename(name, "x"), fault.ErrBadName)
		want(t, fsys.Replace(name, nil), fault.ErrBadName)
	}
	want(t, fsys.Remove("."), fault.ErrBadName)
	want(t, fsys.Rename(".", "x"), fault.ErrBadName)
	want(t, fsys.Mkdir("."), fault.ErrExists)
}

func testDirs(t *testing.T, fsys FS) {
	check(t, fsys.Mkdir("d"))
	want(t, fsys.Mkdir("d"), fault.ErrExists)
	want(t, fsys.Mkdir("no/d"), fault.ErrNotFound)
	check(t, create(t, fsys, "d/b", "").Close())
	check(t, fsys.Mkdir("d/a"))
	list, err := fsys.ReadDir("d")
	check(t, err)
	if got := fmt.Sprint(list); got != "[{a true false} {b false true}]" {
		t.Fatal(got)
	}
	_, err = fsys.ReadDir("d/b")
	want(t, err, fault.ErrNotRegular)
	_, err = fsys.ReadDir("no")
	want(t, err, fault.ErrNotFound)
	want(t, fsys.SyncDir("no"), fault.ErrNotFound)
	want(t, fsys.SyncDir("d/b"), fault.ErrNotRegular)
	check(t, fsys.SyncDir("d"))
	check(t, fsys.Remove("d/a"))
	want(t, fsys.Remove("d"), fault.ErrExists)
	check(t, fsys.Remove("d/b"))
	check(t, fsys.Remove("d"))
	if list, err := fsys.ReadDir("."); err != nil || len(list) != 0 {
		t.Fatalf("left over: %v, %v", list, err)
	}
}

func testReplace(t *testing.T, fsys FS) {
	check(t, fsys.Mkdir("d"))
	big := string(bytes.Repeat([]byte("x"), 10_000))
	for _, text := range []string{"one", "", big, "two"} {
		check(t, fsys.Replace("d/head", []byte(text)))
		if got := read(t, fsys, "d/head"); got != text {
			t.Fatalf("%d bytes, want %d", len(got), len(text))
		}
	}
	want(t, fsys.Replace("no/head", nil), fault.ErrNotFound)
	want(t, fsys.Replace("d", nil), fault.ErrNotRegular)
	for _, dir := range []string{".", "d"} {
		list, err := fsys.ReadDir(dir)
		check(t, err)
		if len(list) != 1 {
			t.Fatalf("temporary files left in %s: %v", dir, list)
		}
	}
}

func testLock(t *testing.T, fsys FS) {
	held, err := fsys.Held("LOCK")
	if held || err != nil {
		t.Fatal(held, err)
	}
	l, err := fsys.Lock("LOCK")
	check(t, err)
	_, err = fsys.Lock("LOCK")
	want(t, err, fault.ErrLocked)
	if held, err := fsys.Held("LOCK"); !held || err != nil {
		t.Fatal(held, err)
	}
	check(t, l.SetContent([]byte("a long holder"), true))
	check(t, l.SetContent([]byte("holder"), false))
	if got := read(t, fsys, "LOCK"); got != "holder" {
		t.Fatalf("%q", got)
	}
	if held, err := fsys.Held("LOCK"); !held || err != nil {
		t.Fatal("reading the content let the lock go", err)
	}
	check(t, l.Close())
	want(t, l.Close(), fault.ErrClosed)
	if held, err := fsys.Held("LOCK"); held || err != nil {
		t.Fatal(held, err)
	}
	l, err = fsys.Lock("LOCK")
	check(t, err)
	if fsys.Remove("LOCK") == nil { // not everywhere
		_, err = fsys.Lock("LOCK")
		want(t, err, fault.ErrLocked)
	}
	check(t, l.Close())
	l, err = fsys.Lock("LOCK")
	check(t, err)
	check(t, l.Close())
	check(t, fsys.Mkdir("d"))
	_, err = fsys.Lock("d")
	want(t, err, fault.ErrNotRegular)
	_, err = fsys.Held("d")
	want(t, err, fault.ErrNotRegular)
}

// testHints: what changes in the directory is told of, what happens elsewhere need
// not be, and after Close nothing is left behind. That a hint comes is asked of every
// FS here; those who use hints must not.
func testHints(t *testing.T, fsys FS) {
	check(t, fsys.Mkdir("d"))
	_, err := fsys.Hints("no")
	want(t, err, fault.ErrNotFound)
	f := create(t, fsys, "d/a", "text")
	_, err = fsys.Hints("d/a")
	want(t, err, fault.ErrNotRegular)
	h, err := fsys.Hints("d")
	check(t, err)
	other, err := fsys.Hints("d")
	check(t, err)
	changes := map[string]func() error{
		"write":  func() error { _, err := f.WriteAt([]byte("more"), 0); return err },
		"create": func() error { return create(t, fsys, "d/b", "").Close() },
		"rename": func() error { return fsys.Rename("d/b", "c") },
		"back":   func() error { return fsys.Rename("c", "d/b") },
		"remove": func() error { return fsys.Remove("d/b") },
	}
	for _, what := range []string{"write", "create", "rename", "back", "remove"} {
		check(t, changes[what]())
		told(t, what, h)
		told(t, what, other)
	}
	for range 1000 { // nobody takes them
		check(t, changes["write"]())
	}
	told(t, "many", h)
	check(t, h.Close())
	want(t, h.Close(), fault.ErrClosed)
	check(t, changes["write"]())
	told(t, "another is closed", other)
	check(t, other.Close())
	check(t, f.Close())
}

// told waits for a hint.
func told(t *testing.T, what string, h Hints) {
	t.Helper()
	select {
	case <-h.C():
	case <-time.After(time.Minute):
		t.Fatalf("no hint of %s", what)
	}
}

func testClosed(t *testing.T, fsys FS) {
	f := create(t, fsys, "a", "text")
	check(t, fsys.Mkdir("sub"))
	below := create(t, fsys, "sub/a", "text")
	check(t, fsys.SyncDir("sub"))
	check(t, fsys.Close())
	_, err := fsys.Open("a", ReadOnly)
	want(t, err, fault.ErrClosed)
	_, err = fsys.Open("b", Create)
	want(t, err, fault.ErrClosed)
	_, err = fsys.ReadDir(".")
	want(t, err, fault.ErrClosed)
	_, err = fsys.Hints(".")
	want(t, err, fault.ErrClosed)
	_, err = fsys.Lock("LOCK")
	want(t, err, fault.ErrClosed)
	for _, err := range []error{fsys.Remove("a"), fsys.Rename("a", "b"), fsys.Mkdir("d"), fsys.SyncDir("."), fsys.Replace("a", nil)} {
		want(t, err, fault.ErrClosed)
	}
	check(t, errors.Join(below.Sync(), below.Close()))
	check(t, f.Sync())
	_, err = f.WriteAt([]byte("more"), 4)
	check(t, err)
	check(t, f.Close())
	want(t, f.Close(), fault.ErrClosed)
	want(t, f.Sync(), fault.ErrClosed)
	want(t, f.Truncate(0), fault.ErrClosed)
	_, err = f.Stat()
	want(t, err, fault.ErrClosed)
	_, err = f.ReadAt(make([]byte, 1), 0)
	want(t, err, fault.ErrClosed)
	_, err = f.WriteAt(make([]byte, 1), 0)
	want(t, err, fault.ErrClosed)
}
