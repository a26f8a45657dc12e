package real

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlogdb/vlog/engine"
)

// oddities are what may stand in the place of a file. The original was moved to aside.
var oddities = map[string]func(name, aside string) error{
	"a link to the file":       func(name, aside string) error { return os.Symlink(aside, name) },
	"a link to nowhere":        func(name, _ string) error { return os.Symlink(name+".none", name) },
	"a link to itself":         func(name, _ string) error { return os.Symlink(name, name) },
	"a pipe":                   func(name, _ string) error { return unix.Mkfifo(name, 0o600) },
	"a device":                 func(name, _ string) error { return unix.Mknod(name, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))) },
	"a device without an end":  func(name, _ string) error { return unix.Mknod(name, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 5))) },
	"a socket":                 listen,
	"a directory, or a file":   other,
	"a directory with entries": full,
}

func listen(name, _ string) error {
	short, err := os.MkdirTemp("", "s") // such names may not be long
	if err != nil {
		return err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(short, "s"), Net: "unix"})
	if err != nil {
		return err
	}
	l.SetUnlinkOnClose(false)
	return errors.Join(l.Close(), os.Rename(filepath.Join(short, "s"), name), os.Remove(short))
}

// other is a directory for a file and a file for a directory.
func other(name, _ string) error {
	if isDir(name) {
		return os.WriteFile(name, nil, 0o600)
	}
	return os.Mkdir(name, 0o700)
}

func full(name, _ string) error {
	if isDir(name) {
		return os.WriteFile(name, []byte("a file"), 0o600)
	}
	return errors.Join(os.Mkdir(name, 0o700), os.WriteFile(filepath.Join(name, "file"), nil, 0o600))
}

// isDir says whether a store has a directory of this name.
func isDir(name string) bool { return filepath.Base(name) == "log" || filepath.Base(name) == "error" }

// places are the names of a store, those that it has only now and then among them.
func places(codec engine.Codec) []string {
	ext := map[engine.Codec]string{engine.Binary: ".vlog", engine.NDJSON: ".ndjson"}[codec]
	return []string{"FORMAT", "LOCK", "log", "log/00000000000000000001" + ext, "log/00000000000000000031" + ext, "log/checkpoint-00000000000000000030",
		"log/durable", "log/backup", "log/recover", "log/truncate", "log/truncate_flag", "log/error", "log/spare-7", "log/copy.tmp"}
}

// TestOddFiles puts a link, a pipe, a device and more in the place of each file of a
// store. Whoever opens, looks, checks or backs up gets ErrNotRegular with the path, at
// once: nothing waits for the other end of a pipe, no link is followed, nothing is
// changed, and with the file back in its place everything is there.
func TestOddFiles(t *testing.T) {
	both(t, func(t *testing.T, codec engine.Codec) {
		tmp := t.TempDir()
		dir := filepath.Join(tmp, "store")
		acked := written{}
		db := open(t, dir, plain(codec))
		acked.some(t, db, 30)
		_, err := db.Checkpoint(t.Context())
		check(t, err)
		acked.some(t, db, 3)
		check(t, db.Close())
		for _, place := range places(codec) {
			for what, odd := range oddities {
				o := oddFile{t, codec, dir, filepath.Join(dir, place), filepath.Join(tmp, "aside")}
				o.try(place+": "+what, acked, odd)
			}
		}
		acked.opens(t, dir)
	})
}

// oddFile is one place in a store where something odd is put.
type oddFile struct {
	t                *testing.T
	codec            engine.Codec
	dir, name, aside string
}

func (o oddFile) try(what string, acked written, odd func(name, aside string) error) {
	o.t.Helper()
	err := os.Rename(o.name, o.aside)
	there := err == nil
	if !there && !errors.Is(err, os.ErrNotExist) {
		o.t.Fatal(err)
	}
	if err := odd(o.name, o.aside); errors.Is(err, unix.EPERM) {
		o.t.Logf("%s cannot be made by this user", what)
	} else if check(o.t, err); o.name != o.aside {
		o.refused(what)
	}
	check(o.t, os.RemoveAll(o.name))
	if there {
		check(o.t, os.Rename(o.aside, o.name))
	}
}

// refused fails unless everything that opens the store refuses, and leaves it as it is.
func (o oddFile) refused(what string) {
	o.t.Helper()
	before := names(o.t, filepath.Dir(o.dir))
	for how, open := range map[string]func() error{
		"open": func() error { return opened(engine.Open(o.t.Context(), o.dir, plain(o.codec))) },
		"look": func() error { return opened(engine.Open(o.t.Context(), o.dir, engine.Options{ReadOnly: true})) },
		"backup": func() error {
			_, err := engine.Backup(o.t.Context(), o.dir, filepath.Join(o.t.TempDir(), "place"), engine.BackupOptions{})
			return err
		},
	} {
		promptly(o.t, what+": "+how, func() {
			if err := open(); !errors.Is(err, engine.ErrNotRegular) {
				o.t.Errorf("%s: %s: %v", what, how, err)
			}
		})
	}
	promptly(o.t, what+": check", func() {
		found := ""
		_, err := engine.Check(o.t.Context(), o.dir, engine.CheckOptions{}, func(f engine.Finding) { found += f.Kind })
		if !strings.Contains(found, "irregular") && !errors.Is(err, engine.ErrNotRegular) {
			o.t.Errorf("%s: check found %q, %v", what, found, err)
		}
	})
	if after := names(o.t, filepath.Dir(o.dir)); after != before {
		o.t.Errorf("%s: changed from\n%s\nto\n%s", what, before, after)
	}
}

func opened(db *engine.DB, err error) error {
	if err != nil {
		return err
	}
	return db.Close()
}

// promptly fails where something waits for what never comes.
func promptly(t *testing.T, what string, fn func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatalf("%s: hangs", what)
	}
}

// TestOddFilesLater puts them there while the store is open and at work: whatever comes
// of it comes at once, has a name, and takes nothing away that was acknowledged.
func TestOddFilesLater(t *testing.T) {
	both(t, func(t *testing.T, codec engine.Codec) {
		for _, place := range places(codec) {
			for what, odd := range oddities {
				if *long || what == "a pipe" || what == "a link to the file" {
					oddLater(t, codec, place, what, odd)
				}
			}
		}
	})
}

func oddLater(t *testing.T, codec engine.Codec, place, what string, odd func(name, aside string) error) {
	tmp := t.TempDir()
	dir := filepath.Join(tmp, "store")
	acked := written{}
	db := open(t, dir, plain(codec))
	acked.some(t, db, 30)
	_, err := db.Checkpoint(t.Context())
	check(t, err)
	acked.some(t, db, 3)
	name, aside := filepath.Join(dir, place), filepath.Join(tmp, "aside")
	there := os.Rename(name, aside) == nil
	if err := odd(name, aside); errors.Is(err, unix.EPERM) {
		check(t, db.Close())
		return
	} else {
		check(t, err)
	}
	promptly(t, place+": "+what, func() {
		for n := range 30 {
			named(t, place+": "+what, acked.put(t.Context(), db, fmt.Sprint("later", n), strings.Repeat("o", 1000)))
		}
		_, err := db.Checkpoint(t.Context())
		named(t, place+": "+what, err)
		_, err = db.Backup(t.Context(), filepath.Join(tmp, "place"), engine.BackupOptions{})
		named(t, place+": "+what, err)
		named(t, place+": "+what, db.Close())
	})
	if there && place != "log" { // what a checkpoint dropped may not come back
		if _, err := os.Lstat(name); err != nil {
			return
		}
	}
	check(t, os.RemoveAll(name))
	if there {
		check(t, os.Rename(aside, name))
	}
	oddOpens(t, place+": "+what, dir, acked)
}

// named fails where an error is none of the engine's.
func named(t *testing.T, what string, err error) {
	t.Helper()
	if _, ok := errors.AsType[*engine.Error](err); err != nil && !ok {
		t.Errorf("%s: %v", what, err)
	}
}

// oddOpens looks whether what was acknowledged is there; what was not may be, too.
func oddOpens(t *testing.T, what, dir string, acked written) {
	t.Helper()
	db, err := engine.Open(t.Context(), dir, engine.Options{MustExist: true, CheckpointAfter: -1, NoPrepare: true})
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	for key, value := range acked {
		if got, err := db.Get(t.Context(), []byte(key)); err != nil || len(got) != len(value) {
			t.Errorf("%s: %s is %d bytes, %v", what, key, len(got), err)
		}
	}
	check(t, db.Close())
}
