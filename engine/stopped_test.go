package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// closing counts how often a file system is closed.
type closing struct {
	vfs.FS
	n int
}

func (c *closing) Close() error {
	c.n++
	return c.FS.Close()
}

// TestKeepNotChanged: where opening cannot write the Keep that it was asked for, it lets
// go of everything once, and tells of that failure alone.
func TestKeepNotChanged(t *testing.T) { both(t, testKeepNotChanged) }

func testKeepNotChanged(t *testing.T) {
	mem := tracked()
	db := open(t, mem.Reopen(), quiet)
	put(t, db, "a", "1")
	check(t, db.Close())
	writes := vfs.When(vfs.Both(vfs.OnKind(vfs.OpWrite), vfs.OnPath("log/spare-*")), vfs.Always(engine.ErrNoSpace))
	fsys := &closing{FS: vfs.NewFail(mem.Reopen(), writes)}
	_, err := engine.OpenFS(context.Background(), fsys, engine.Options{Codec: codecOf(t), Keep: &engine.Keep{Checkpoints: 7}})
	want(t, "open", err, engine.ErrNoSpace)
	if fsys.n != 1 || errors.Is(err, engine.ErrClosed) {
		t.Errorf("closed %d times: %v", fsys.n, err)
	}
	if got := all(t, open(t, mem.Reopen(), quiet)); got != "a=1" {
		t.Errorf("the store has %q", got)
	}
}

// TestSealFails: a checkpoint seals the segment first. Where the seal cannot be synced
// the store writes no more and says so, also where it was for want of space; where the
// seal cannot be written it is taken back, and the store goes on.
func TestSealFails(t *testing.T) { both(t, testSealFails) }

func testSealFails(t *testing.T) {
	for name, c := range map[string]struct {
		kind  vfs.OpKind
		cause error
		want  error
		stops bool
	}{
		"sync, no space":  {vfs.OpSync, engine.ErrNoSpace, engine.ErrPoisoned, true},
		"sync, i/o":       {vfs.OpSync, engine.ErrIO, engine.ErrPoisoned, true},
		"write, no space": {vfs.OpWrite, engine.ErrNoSpace, engine.ErrNoSpace, false},
		"write, i/o":      {vfs.OpWrite, engine.ErrIO, engine.ErrIO, false},
	} {
		t.Run(name, func(t *testing.T) {
			mem := tracked()
			disk := newFailing(mem.Reopen())
			db := open(t, disk, quiet)
			put(t, db, "a", "1")
			left := 2 // a seal that finds no room is tried again where room is kept for it
			disk.set(func(op vfs.Op) error {
				if op.Kind != c.kind || !strings.HasPrefix(op.Name, "log/spare") || left == 0 {
					return nil
				}
				left--
				return c.cause
			})
			if c.kind == vfs.OpSync {
				left = 1
			}
			_, err := db.Checkpoint(t.Context())
			disk.set(nil)
			want(t, "checkpoint", err, c.want)
			want(t, "checkpoint", err, c.cause)
			if stopped := errors.Is(db.Err(), engine.ErrPoisoned); stopped != c.stops {
				t.Errorf("the store is %v behind %v", db.Err(), err)
			}
			if !c.stops {
				put(t, db, "b", "1")
				_, err := db.Checkpoint(t.Context())
				check(t, err)
				check(t, db.Close())
			}
		})
	}
}

// TestPrepareFails: where a file that is made ahead cannot be made durable in its
// directory, the store writes no more, and says so before anybody writes.
func TestPrepareFails(t *testing.T) { both(t, testPrepareFails) }

func testPrepareFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := newFailing(tracked())
		db := open(t, disk, engine.Options{CheckpointAfter: 1 << 20})
		put(t, db, "a", "1")
		synctest.Wait()
		disk.set(on(vfs.OnKind(vfs.OpSyncDir), engine.ErrIO))
		time.Sleep(time.Hour)
		disk.set(nil)
		if ahead(t) == 0 { // of lines no file is made ahead
			check(t, db.Err())
			return
		}
		want(t, "err", db.Err(), engine.ErrPoisoned)
		want(t, "err", db.Err(), engine.ErrIO)
		want(t, "put", db.Put(t.Context(), []byte("b"), nil), engine.ErrPoisoned)
		if got := all(t, db); got != "a=1" {
			t.Errorf("readers see %q", got)
		}
		want(t, "close", db.Close(), engine.ErrPoisoned)
	})
}
