package engine_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// TestDiskHangs: whoever gives up waiting does not know the outcome, readers go on,
// and the true result comes when the disk does.
func TestDiskHangs(t *testing.T) { both(t, testDiskHangs) }

func testDiskHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := newHanging(tracked())
		db := open(t, disk, quiet)
		put(t, db, "a", "1")
		disk.hang()
		ctx, cancel := context.WithCancelCause(t.Context())
		enough := errors.New("enough")
		update := background(func() error { return db.Update(ctx, putIn("a", "2")) })
		queued := background(func() error { return db.Update(ctx, putIn("b", "2")) })
		p, err := db.Submit(t.Context(), putIn("c", "2"))
		check(t, err)
		wait := background(func() error { _, err := p.Wait(ctx); return err })
		sync := background(func() error { return db.Sync(ctx) })
		for what, done := range map[string]<-chan error{"update": update, "queued": queued, "wait": wait, "sync": sync} {
			waits(t, what, done)
		}
		if got := all(t, db); got != "a=1" || db.Durable() != 1 {
			t.Errorf("readers see %q, durable %d", got, db.Durable())
		}
		cancel(enough)
		for what, done := range map[string]<-chan error{"update": update, "wait": wait, "sync": sync} {
			err := <-done
			want(t, what, err, engine.ErrAmbiguous)
			want(t, what, err, enough)
		}
		// The Submit took the writer's place, so what was queued was sequenced before it.
		want(t, "queued", <-queued, engine.ErrAmbiguous)
		closed := background(db.Close)
		waits(t, "close", closed)
		disk.release()
		check(t, <-closed)
		if seq, err := p.Wait(ctx); seq != 4 && seq != 3 || err != nil {
			t.Errorf("asked again: %d %v", seq, err)
		}
	})
}

// TestGiveUpBeforeOrder: who gives up before getting a place in order was not there.
func TestGiveUpBeforeOrder(t *testing.T) { both(t, testGiveUpBeforeOrder) }

func testGiveUpBeforeOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := newHanging(tracked())
		db := open(t, disk, quiet)
		disk.hang()
		first := background(func() error { return db.Put(t.Context(), []byte("a"), nil) })
		ctx, cancel := context.WithCancel(t.Context())
		second := background(func() error { return db.Put(ctx, []byte("b"), nil) })
		cancel()
		if err := <-second; err != context.Canceled {
			t.Errorf("gave up: %v", err)
		}
		disk.release()
		check(t, <-first)
		check(t, db.Sync(t.Context()))
		if got := all(t, db); got != "a=" {
			t.Errorf("the store has %q", got)
		}
	})
}

// TestEmptyGivesUp: what changed nothing but read what is not yet durable waits for
// that, and no longer than its context.
func TestEmptyGivesUp(t *testing.T) { both(t, testEmptyGivesUp) }

func testEmptyGivesUp(t *testing.T) {
	for name, end := range map[string]func(ctx context.Context, tx *engine.Tx) error{
		"commit":   func(_ context.Context, tx *engine.Tx) error { return tx.Commit() },
		"rollback": func(_ context.Context, tx *engine.Tx) error { return tx.Rollback() },
		"submit": func(ctx context.Context, tx *engine.Tx) error {
			p, err := tx.Submit()
			if err != nil {
				return err
			}
			_, err = p.Wait(ctx)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				disk := newHanging(tracked())
				db := open(t, disk, quiet)
				disk.hang()
				written := background(func() error { return db.Put(t.Context(), []byte("a"), []byte("1")) })
				ctx, cancel := context.WithCancelCause(t.Context())
				enough := errors.New("enough")
				begin := func(ctx context.Context) *engine.Tx {
					tx, err := db.Begin(ctx, engine.Immediate)
					check(t, err)
					v, err := tx.Get([]byte("a"))
					if string(v) != "1" || err != nil {
						t.Fatalf("the place is given on what is pending: %q %v", v, err)
					}
					return tx
				}
				tx := begin(ctx)
				gaveUp := background(func() error { return end(ctx, tx) })
				waits(t, name, gaveUp)
				cancel(enough)
				synctest.Wait()
				select {
				case err := <-gaveUp:
					want(t, "gave up", err, enough)
				default:
					t.Error("it waits longer than its context")
				}
				tx = begin(t.Context())
				stays := background(func() error { return end(t.Context(), tx) })
				waits(t, name, stays)
				disk.release()
				check(t, <-stays)
				check(t, <-written)
			})
		})
	}
}

// TestNoSpace: a full disk refuses what it cannot take, loses nothing, and takes
// more when there is room.
func TestNoSpace(t *testing.T) { both(t, testNoSpace) }

func testNoSpace(t *testing.T) {
	for name, err := range map[string]error{"at once": engine.ErrNoSpace, "after half": vfs.Short(engine.ErrNoSpace)} {
		t.Run(name, func(t *testing.T) {
			mem := tracked()
			disk := newFailing(mem.Reopen())
			db := open(t, disk, quiet)
			put(t, db, "a", "1")
			for range 3 {
				disk.set(on(vfs.OnKind(vfs.OpWrite), err))
				tx, err := db.Begin(t.Context(), engine.Immediate)
				check(t, err)
				check(t, tx.Put([]byte("a"), bytes.Repeat([]byte("x"), 2000)))
				want(t, "a full disk", tx.Commit(), engine.ErrNoSpace)
				if tx.Seq() != 0 {
					t.Errorf("what was not written has the number %d", tx.Seq())
				}
				want(t, "update", db.Update(t.Context(), putIn("b", "x")), engine.ErrNoSpace)
				check(t, db.Err())
				disk.set(nil)
				put(t, db, "c", "1")
			}
			check(t, db.Close())
			if got := all(t, open(t, mem.Crash(vfs.Lost, 1), quiet)); got != "a=1 c=1" {
				t.Errorf("the store has %q", got)
			}
		})
	}
}

// TestPoisoned: after a failed sync nothing is written any more, reading goes on,
// and everybody is told the first cause.
func TestPoisoned(t *testing.T) { both(t, testPoisoned) }

func testPoisoned(t *testing.T) {
	mem := tracked()
	disk := newFailing(mem.Reopen()).dropping()
	db := open(t, disk, quiet)
	put(t, db, "a", "1")
	ctx := t.Context()
	tx, err := db.Begin(ctx, engine.Deferred)
	check(t, err)
	check(t, tx.Put([]byte("b"), nil))
	disk.set(on(vfs.OnKind(vfs.OpSync), engine.ErrIO))
	failed := db.Put(ctx, []byte("a"), []byte("2"))
	want(t, "the failed one", failed, engine.ErrAmbiguous)
	want(t, "the failed one", failed, engine.ErrIO)
	disk.set(nil)
	_, checkpoint := db.Checkpoint(ctx)
	_, submit := db.Submit(ctx, putIn("c", ""))
	_, begin := db.Begin(ctx, engine.Immediate)
	for what, err := range map[string]error{
		"put": db.Put(ctx, nil, nil), "begin": begin, "commit": tx.Commit(), "submit": submit, "sync": db.Sync(ctx), "checkpoint": checkpoint,
		"err": db.Err(),
	} {
		want(t, what, err, engine.ErrPoisoned)
		want(t, what, err, engine.ErrIO)
	}
	if got := all(t, db); got != "a=1" {
		t.Errorf("readers see %q", got)
	}
	ops := mem.Ops()
	want(t, "close", db.Close(), engine.ErrPoisoned)
	if n := mem.Ops() - ops; n != 0 {
		t.Errorf("closing wrote %d times", n)
	}
	if got := all(t, open(t, mem.Crash(vfs.Lost, 1), quiet)); got != "a=1" {
		t.Errorf("after a power cut: %q", got)
	}
	if got := all(t, open(t, mem.Crash(vfs.Kill, 1), quiet)); got != "a=1" && got != "a=2" {
		t.Errorf("reopened: %q", got)
	}
}

// TestCheckpointUnsure: where a checkpoint fails and nobody can say what is durable,
// writing ends at once, and nothing more is written, not even a seal.
func TestCheckpointUnsure(t *testing.T) { both(t, testCheckpointUnsure) }

func testCheckpointUnsure(t *testing.T) {
	mem := tracked()
	disk := newFailing(mem.Reopen())
	db := open(t, disk, quiet)
	put(t, db, "a", "1")
	var renamed bool
	disk.set(func(op vfs.Op) error {
		if renamed = renamed || op.Kind == vfs.OpRename; renamed && op.Kind == vfs.OpSyncDir {
			return engine.ErrIO
		}
		return nil
	})
	_, err := db.Checkpoint(t.Context())
	want(t, "checkpoint", err, engine.ErrPoisoned)
	disk.set(nil)
	for what, err := range map[string]error{"err": db.Err(), "put": db.Put(t.Context(), nil, nil), "sync": db.Sync(t.Context())} {
		want(t, what, err, engine.ErrPoisoned)
		want(t, what, err, engine.ErrIO)
	}
	if _, err := db.Info(t.Context()); err != nil || value(t, db, "a") != "1" {
		t.Errorf("reading: %v", err)
	}
	ops := mem.Ops()
	want(t, "close", db.Close(), engine.ErrPoisoned)
	if n := mem.Ops() - ops; n != 0 {
		t.Errorf("closing wrote %d times", n)
	}
	if got := all(t, open(t, mem.Crash(vfs.Lost, 1), quiet)); got != "a=1" {
		t.Errorf("reopened: %q", got)
	}
}

// dropping marks the pages of a failed sync clean, as systems do.
func (f *failing) dropping() *failing {
	f.DropOnSync(vfs.OnChange())
	return f
}

// always fails the writes that match for want of space.
func (f *failing) always(match func(op vfs.Op) bool) *failing {
	f.set(on(vfs.Both(vfs.OnKind(vfs.OpWrite), match), engine.ErrNoSpace))
	return f
}

// TestAdmitPanics: a panic in Admit rolls back like one in fn.
func TestAdmitPanics(t *testing.T) { both(t, testAdmitPanics) }

func testAdmitPanics(t *testing.T) {
	boom := true
	db := open(t, vfs.NewMem(vfs.MemOptions{}), engine.Options{Admit: func(context.Context, engine.Request) error {
		if boom {
			panic("in admit")
		}
		return nil
	}})
	for _, mode := range []engine.Mode{engine.Deferred, engine.Immediate, engine.Exclusive} {
		tx, err := db.Begin(t.Context(), mode)
		check(t, err)
		check(t, tx.Put([]byte("a"), nil))
		func() {
			defer func() {
				if v := recover(); v != "in admit" {
					t.Errorf("the panic came out as %v", v)
				}
			}()
			_ = tx.Commit()
		}()
		if tx.Open() || db.Stats().OpenTx != 0 {
			t.Fatalf("%v is left open", mode)
		}
	}
	boom = false
	put(t, db, "b", "1")
	if got := all(t, db); got != "b=1" {
		t.Errorf("the store has %q", got)
	}
}

// TestFullDiskIsLeftAlone: where there is no room to make a file ahead, that is not tried
// at every write: each try takes what is left of the disk from those who write. Of lines
// no file is ever made ahead.
func TestFullDiskIsLeftAlone(t *testing.T) { both(t, testFullDiskIsLeftAlone) }

func testFullDiskIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const room = 400 << 10
		mem := tracked()
		mem.SetCapacity(room)
		var tries atomic.Int64
		mem.OnOp(func(op vfs.Op) {
			if op.Kind == vfs.OpRemove && strings.HasPrefix(op.Name, "log/spare-") {
				tries.Add(1)
			}
		})
		db := open(t, mem.Reopen(), engine.Options{SegmentSize: 1 << 20, CheckpointAfter: 80_000, CheckpointRate: -1})
		for n, want := range []int64{1, 1, 2, 2} { // again behind 10 KB
			for range 4 {
				put(t, db, "a", string(make([]byte, 1000)))
				time.Sleep(time.Minute)
			}
			want *= int64(ahead(t))
			if got := tries.Load(); got != want {
				t.Errorf("behind %d puts: tried %d times, want %d", 4*n+4, got, want)
			}
		}
		check(t, db.Close())
	})
}

// TestBackgroundFails: what fails where nobody waits is logged, and hurts nobody.
func TestBackgroundFails(t *testing.T) { both(t, testBackgroundFails) }

func testBackgroundFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := newFailing(tracked())
		var log bytes.Buffer
		db := open(t, disk, engine.Options{CheckpointAfter: 1, CheckpointRate: -1, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		disk.set(on(vfs.Both(vfs.OnKind(vfs.OpWrite), vfs.OnPath("log/backup")), engine.ErrNoSpace))
		put(t, db, "a", "1")
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := log.String(); !strings.Contains(got, "background work failed") || !strings.Contains(got, "checkpoint") || !strings.Contains(got, engine.ErrNoSpace.Error()) {
			t.Errorf("logged %q", got)
		}
		disk.set(nil)
		put(t, db, "b", "1")
		time.Sleep(time.Minute)
		if info, err := db.Info(t.Context()); err != nil || len(info.Checkpoints) != 1 || info.Checkpoints[0] != 2 {
			t.Errorf("checkpoints %v %v", info.Checkpoints, err)
		}
		// Where nobody wants to be told, nothing is said.
		silent := open(t, newFailing(tracked()).always(vfs.OnPath("log/backup")), engine.Options{CheckpointAfter: 1, CheckpointRate: -1})
		put(t, silent, "a", "1")
		time.Sleep(time.Minute)
		check(t, silent.Close())
		check(t, db.Close())
	})
}

// TestErrorOnLost: an error that a function returns because of what then was not
// written means nothing; the function runs again.
func TestErrorOnLost(t *testing.T) { both(t, testErrorOnLost) }

func testErrorOnLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		writes := make(chan error)
		var shut atomic.Bool
		disk := vfs.NewFail(tracked(), vfs.InjectorFunc(func(op vfs.Op) error {
			if shut.Load() && op.Kind == vfs.OpWrite && op.Len < 4<<10 { // not the zeros ahead, which are tried again
				return <-writes
			}
			return nil
		}))
		db := open(t, disk, quiet)
		put(t, db, "a", "1")
		var doomed <-chan error
		var saw []string
		submitted, third := make(chan error, 1), make(chan struct{})
		submit := func() error {
			p, err := db.Submit(t.Context(), func(_ context.Context, tx *engine.Tx) error {
				v, err := tx.Get([]byte("a"))
				check(t, err)
				if saw = append(saw, string(v)); len(saw) == 1 {
					put(t, db, "a", "2")
					shut.Store(true)
					doomed = background(func() error { return db.Put(t.Context(), []byte("a"), []byte("3")) })
				}
				if string(v) == "3" {
					close(third)
					return errors.New("three is too much")
				}
				return tx.Put([]byte("b"), v)
			})
			if err == nil {
				_, err = p.Wait(t.Context())
			}
			return err
		}
		go func() { submitted <- submit() }()
		<-third
		waits(t, "submit", submitted)
		shut.Store(false)
		writes <- engine.ErrNoSpace
		want(t, "the doomed", <-doomed, engine.ErrNoSpace)
		check(t, <-submitted)
		if got := strings.Join(saw, " "); got != "1 3 2" || value(t, db, "b") != "2" {
			t.Errorf("it saw %q", got)
		}
	})
}
