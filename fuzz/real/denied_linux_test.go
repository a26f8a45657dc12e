package real

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlogdb/vlog/engine"
)

// forbidden is a store of which something may not be read, or not be written.
type forbidden struct {
	what  string
	path  string // in the store; a pattern
	mode  os.FileMode
	open  error // for writing; nil: it opens, and write is what comes of writing
	write error
	look  error // read-only
}

// TestDenied takes away each right that a store needs, from a user to whom that
// matters: ErrDenied with the path, nothing is changed, and what can still be done is.
func TestDenied(t *testing.T) {
	if asNobody(t) {
		both(t, testDenied)
	}
}

func testDenied(t *testing.T, codec engine.Codec) {
	no := engine.ErrDenied
	for _, f := range []forbidden{
		{"no right to the directory", ".", 0, no, nil, no},
		{"a directory that cannot be listed", ".", 0o300, no, nil, no},
		{"a directory that cannot be written", ".", 0o500, nil, nil, nil},
		{"no right to log", "log", 0, no, nil, no},
		{"log cannot be listed", "log", 0o300, no, nil, no},
		{"log cannot be written", "log", 0o500, no, nil, nil},
		{"no right to LOCK", "LOCK", 0, no, nil, no},
		{"LOCK cannot be written", "LOCK", 0o400, no, nil, nil},
		{"no right to FORMAT", "FORMAT", 0, no, nil, no},
		{"no right to a checkpoint", "log/checkpoint-*", 0, no, nil, no},
		{"no right to the newest segment", "log/*0101.*", 0, no, nil, no},
		{"the newest segment cannot be written", "log/*0101.*", 0o400, nil, nil, nil},
	} {
		t.Run(f.what, func(t *testing.T) { f.tried(t, codec) })
	}
}

func (f forbidden) tried(t *testing.T, codec engine.Codec) {
	dir := filepath.Join(t.TempDir(), "store")
	acked := written{}
	db := open(t, dir, plain(codec))
	acked.some(t, db, 100)
	_, err := db.Checkpoint(t.Context())
	check(t, err)
	acked.some(t, db, 3)
	check(t, db.Close())
	before := tree(t, dir)
	lock, err := os.Stat(filepath.Join(dir, "LOCK"))
	check(t, err)
	restore := f.forbid(t, dir)
	t.Cleanup(restore)

	f.looks(t, dir, acked)
	f.writes(t, dir, acked, codec)
	restore()
	if f.open != nil {
		// Whoever tries to open writes to LOCK, and what it said back again.
		check(t, os.Chtimes(filepath.Join(dir, "LOCK"), time.Time{}, lock.ModTime()))
		unchanged(t, "an opening that failed", dir, before)
	}
	acked.opens(t, dir)
}

// forbid takes the right away and returns what gives it back.
func (f forbidden) forbid(t *testing.T, dir string) func() {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, f.path))
	if check(t, err); len(names) == 0 {
		t.Fatal("there is no " + f.path)
	}
	var old []os.FileMode
	for _, name := range names {
		info, err := os.Stat(name)
		check(t, err)
		old = append(old, info.Mode().Perm())
		check(t, os.Chmod(name, f.mode))
	}
	return func() {
		for i, name := range names {
			check(t, os.Chmod(name, old[i]))
		}
	}
}

func (f forbidden) looks(t *testing.T, dir string, acked written) {
	db, err := engine.Open(t.Context(), dir, engine.Options{ReadOnly: true})
	if f.look != nil {
		want(t, "read-only", err, f.look)
		return
	}
	check(t, err)
	acked.same(t, db)
	check(t, db.Close())
}

func (f forbidden) writes(t *testing.T, dir string, acked written, codec engine.Codec) {
	db, err := engine.Open(t.Context(), dir, plain(codec))
	if f.open != nil {
		want(t, "open", err, f.open)
		return
	}
	check(t, err)
	err = acked.put(t.Context(), db, "denied", "or not")
	if f.write != nil {
		want(t, "put", err, f.write)
		check(t, db.Err())
	} else {
		check(t, err)
	}
	acked.same(t, db)
	check(t, db.Close())
}

// TestDeniedLater takes the right to log/ away while the store is open: writing is
// refused by name where a file is to be made, and goes on when the right is back.
func TestDeniedLater(t *testing.T) {
	if asNobody(t) {
		both(t, testDeniedLater)
	}
}

func testDeniedLater(t *testing.T, codec engine.Codec) {
	dir := filepath.Join(t.TempDir(), "store")
	acked := written{}
	db := open(t, dir, plain(codec))
	acked.some(t, db, 3)
	check(t, os.Chmod(filepath.Join(dir, "log"), 0o500))
	var err error
	for range 60 {
		err = errors.Join(err, acked.put(t.Context(), db, "key000000", strings.Repeat("d", 1000)))
	}
	want(t, "rotation", err, engine.ErrDenied)
	_, err = db.Checkpoint(t.Context())
	want(t, "checkpoint", err, engine.ErrDenied)
	_, err = db.Backup(t.Context(), "/proc/place", engine.BackupOptions{})
	if err == nil {
		t.Error("a backup to where nothing can be made")
	}
	acked.same(t, db)
	check(t, db.Err())
	check(t, os.Chmod(filepath.Join(dir, "log"), 0o700))
	acked.some(t, db, 3)
	_, err = db.Checkpoint(t.Context())
	check(t, err)
	acked.again(t, db, dir)
}

// TestParentDenied: a store opens also where its parent may only be passed through; a
// new one, whose name could not be made durable, is not made there.
func TestParentDenied(t *testing.T) {
	if !asNobody(t) {
		return
	}
	parent := t.TempDir()
	dir := filepath.Join(parent, "store")
	acked := written{}
	db := open(t, dir, engine.Options{})
	acked.some(t, db, 3)
	check(t, db.Close())
	check(t, os.Mkdir(dir+"-new", 0o700))
	check(t, os.Chmod(parent, 0o300))
	t.Cleanup(func() { check(t, os.Chmod(parent, 0o700)) })
	db = open(t, dir, engine.Options{})
	acked.some(t, db, 3)
	acked.again(t, db, dir)
	_, err := engine.Open(t.Context(), dir+"-new", engine.Options{})
	want(t, "create", err, engine.ErrDenied)
}

// TestReadOnlyMount mounts a store read-only: ErrReadOnly with a path for whoever wants
// to write, and looking, checking and backing up work and change nothing; whether it was
// closed or its writer killed.
func TestReadOnlyMount(t *testing.T) {
	if withMounts(t) {
		both(t, testReadOnlyMount)
	}
}

func testReadOnlyMount(t *testing.T, codec engine.Codec) {
	tmp := t.TempDir()
	dir, killed := filepath.Join(tmp, "disk", "store"), filepath.Join(tmp, "disk", "killed")
	acked := written{}
	db := open(t, dir, plain(codec))
	acked.some(t, db, 50)
	check(t, os.CopyFS(killed, os.DirFS(dir)))
	check(t, db.Close())
	mount(t, filepath.Join(tmp, "disk"), disk{source: filepath.Join(tmp, "disk"), flags: unix.MS_BIND})
	check(t, unix.Mount("", filepath.Join(tmp, "disk"), "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	before := tree(t, filepath.Join(tmp, "disk"))
	for _, dir := range []string{dir, killed} {
		_, err := engine.Open(t.Context(), dir, plain(codec))
		want(t, "open", err, engine.ErrReadOnly)
		looks(t, dir, acked)
		_, err = engine.Check(t.Context(), dir, engine.CheckOptions{}, func(engine.Finding) {})
		check(t, err)
		place := filepath.Join(tmp, "place-"+filepath.Base(dir))
		_, err = engine.Backup(t.Context(), dir, place, engine.BackupOptions{Verify: true})
		check(t, err)
	}
	_, err := engine.Open(t.Context(), filepath.Join(tmp, "disk", "new"), plain(codec))
	want(t, "create", err, engine.ErrReadOnly)
	_, err = engine.Backup(t.Context(), dir, filepath.Join(tmp, "disk", "place"), engine.BackupOptions{})
	want(t, "backup", err, engine.ErrReadOnly)
	unchanged(t, "a look", filepath.Join(tmp, "disk"), before)
}
