package real

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

// away is what somebody does to the directory of a store that is open.
type away struct {
	what string
	do   func(dir, stranger string) error
	back func(dir string) error // puts it back; nil: nothing is left to put back
}

var aways = []away{
	{"renamed", func(dir, _ string) error { return os.Rename(dir, dir+".moved") }, func(dir string) error { return os.Rename(dir+".moved", dir) }},
	{"replaced", func(dir, stranger string) error {
		return errors.Join(os.Rename(dir, dir+".moved"), os.Rename(stranger, dir))
	}, func(dir string) error {
		return errors.Join(os.Rename(dir, dir+".stranger"), os.Rename(dir+".moved", dir))
	}},
	{"a link in its place", func(dir, stranger string) error {
		return errors.Join(os.Rename(dir, dir+".moved"), os.Symlink(stranger, dir))
	}, func(dir string) error { return errors.Join(os.Remove(dir), os.Rename(dir+".moved", dir)) }},
	{"removed", func(dir, _ string) error { return os.RemoveAll(dir) }, nil},
	{"log renamed", func(dir, _ string) error { return os.Rename(dir+"/log", dir+".log") }, func(dir string) error { return os.Rename(dir+".log", dir+"/log") }},
	{"log replaced", func(dir, stranger string) error {
		return errors.Join(os.Rename(dir+"/log", dir+".log"), os.CopyFS(dir+"/log", os.DirFS(stranger+"/log")))
	}, func(dir string) error {
		return errors.Join(os.RemoveAll(dir+"/log"), os.Rename(dir+".log", dir+"/log"))
	}},
	{"log removed", func(dir, _ string) error { return os.RemoveAll(dir + "/log") }, nil},
}

// TestMoved moves, replaces and removes a store that is open, and then writes in many
// ways: that fails by name once it is to become durable or the log to go on in another
// file, nothing is made where the store was, nothing written into what stands there
// now. Where it is put back, everything that was answered is there.
func TestMoved(t *testing.T) {
	both(t, func(t *testing.T, codec engine.Codec) {
		for _, a := range aways {
			for first, write := range map[string]func(*moved) error{"put": (*moved).put, "rotate": (*moved).rotate, "checkpoint": (*moved).checkpoint, "submit": (*moved).submit, "sync": (*moved).sync} {
				t.Run(a.what+"/"+first, func(t *testing.T) { testMoved(t, codec, a, write) })
			}
		}
	})
}

// moved is a store that somebody is about to take away.
type moved struct {
	*testing.T
	dir   string
	db    *engine.DB
	acked written
}

func testMoved(t *testing.T, codec engine.Codec, a away, write func(*moved) error) {
	tmp := t.TempDir()
	stranger := filepath.Join(tmp, "stranger")
	db := open(t, stranger, plain(codec))
	written{}.some(t, db, 5)
	check(t, db.Close())
	x := &moved{T: t, dir: filepath.Join(tmp, "store"), acked: written{}}
	opts := plain(codec)
	opts.Sync = engine.SyncNever // so that submit and sync come apart
	x.db = open(t, x.dir, opts)
	x.acked.some(t, x.db, 5)
	check(t, x.db.Sync(t.Context()))
	check(t, a.do(x.dir, stranger))
	left := tree(t, tmp)

	err := write(x)
	if err == nil {
		err = x.db.Sync(t.Context())
	}
	notHere(t, err)
	if err := x.db.Close(); err == nil {
		t.Error("closed what is not there, as if nothing were")
	}
	notMade(t, a, tmp, x.dir, left)
	if a.back != nil {
		check(t, a.back(x.dir))
		x.opensAgain()
	}
}

// opensAgain looks at a store that was put back: what was on disk is there, and what
// was only submitted may be.
func (x *moved) opensAgain() {
	db := open(x.T, x.dir, engine.Options{MustExist: true, CheckpointAfter: -1})
	for key, value := range x.acked {
		if got, err := db.Get(x.Context(), []byte(key)); err != nil || string(got) != value {
			x.Errorf("%s: %q, %v", key, got, err)
		}
	}
	check(x.T, db.Close())
	sound(x.T, x.dir)
}

// notHere fails unless an error says that the store is not where it was.
func notHere(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, engine.ErrNotFound) && !errors.Is(err, engine.ErrForeign) {
		t.Fatalf("written into what is not there: %v", err)
	}
}

// notMade fails where anything stands under the old name that was not put there, or
// what was put there was changed.
func notMade(t *testing.T, a away, tmp, dir, left string) {
	t.Helper()
	if a.back == nil && a.what == "removed" {
		if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the directory came back: %v", err)
		}
	}
	was := below(left, dir+"/", filepath.Join(tmp, "stranger"))
	if now := below(tree(t, tmp), dir+"/", filepath.Join(tmp, "stranger")); now != was {
		t.Errorf("what stands there now was changed: from\n%.2000s\nto\n%.2000s", was, now)
	}
}

// below are the lines of a tree about files below some directories, but for LOCK,
// which stays open where only log/ was taken away.
func below(tree string, dirs ...string) string {
	var all []string
	for line := range strings.Lines(tree) {
		for _, dir := range dirs {
			if strings.HasPrefix(line, dir) && !strings.HasPrefix(line, filepath.Join(dir, "LOCK")) {
				all = append(all, line)
			}
		}
	}
	return strings.Join(all, "")
}

func (x *moved) put() error {
	return x.db.Put(x.Context(), []byte("moved"), nil)
}

func (x *moved) rotate() (err error) {
	for n := range 30 {
		err = errors.Join(err, x.db.Put(x.Context(), fmt.Append(nil, "moved", n), make([]byte, 1000)))
	}
	return err
}

func (x *moved) checkpoint() error {
	_, err := x.db.Checkpoint(x.Context())
	return err
}

func (x *moved) submit() error {
	_, err := x.db.Submit(x.Context(), func(_ context.Context, tx *engine.Tx) error { return tx.Put([]byte("moved"), nil) })
	return err
}

func (x *moved) sync() error {
	if err := x.put(); err != nil {
		return err
	}
	return x.db.Sync(x.Context())
}
