package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// TestSyncEvery: an answer means a place in the log; the sync comes later by
// itself, and a crash takes what came after it.
func TestSyncEvery(t *testing.T) { both(t, testSyncEvery) }

func testSyncEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := tracked()
		opts := quiet
		opts.Sync = engine.SyncEvery(10 * time.Millisecond)
		db := open(t, mem.Reopen(), opts)
		put(t, db, "a", "1")
		put(t, db, "b", "1")
		if s := db.Stats(); s.Seq != 2 || s.Durable != 0 || s.Syncs != 0 {
			t.Errorf("before the sync: %+v", s)
		}
		time.Sleep(11 * time.Millisecond)
		if s := db.Stats(); s.Durable != 2 || s.Syncs != 1 {
			t.Errorf("after the sync: %+v", s)
		}
		put(t, db, "c", "1")
		if got := value(t, db, "c"); got != "1" || db.Durable() != 2 {
			t.Errorf("c is %q, durable %d", got, db.Durable())
		}
		if got := all(t, open(t, mem.Crash(vfs.Lost, 1), quiet)); got != "a=1 b=1" {
			t.Errorf("after a power cut: %q", got)
		}
		time.Sleep(time.Second)
		if s := db.Stats(); s.Durable != 3 || s.Syncs != 2 {
			t.Errorf("idle for a second: %+v", s)
		}
		check(t, db.Close())
		if got := all(t, open(t, mem.Crash(vfs.Lost, 1), quiet)); got != "a=1 b=1 c=1" {
			t.Errorf("closed: %q", got)
		}
	})
}

// TestSyncNever: a program that ends loses nothing; a machine loses the newest;
// closing and checkpoints make durable.
func TestSyncNever(t *testing.T) { both(t, testSyncNever) }

func testSyncNever(t *testing.T) {
	mem := tracked()
	opts := quiet
	opts.Sync = engine.SyncNever
	db := open(t, mem.Reopen(), opts)
	put(t, db, "a", "1")
	if got := all(t, open(t, mem.Crash(vfs.Kill, 1), quiet)); got != "a=1" {
		t.Errorf("after the program was killed: %q", got)
	}
	if got := all(t, open(t, mem.Crash(vfs.Lost, 1), quiet)); got != "" {
		t.Errorf("after a power cut: %q", got)
	}
	_, err := db.Checkpoint(t.Context())
	check(t, err)
	put(t, db, "b", "1")
	if got := all(t, open(t, mem.Crash(vfs.Lost, 1), quiet)); got != "a=1" {
		t.Errorf("after a checkpoint and a power cut: %q", got)
	}
	check(t, db.Close())
	if got := all(t, open(t, mem.Crash(vfs.Lost, 1), quiet)); got != "a=1 b=1" {
		t.Errorf("closed: %q", got)
	}
}

// TestBackgroundCheckpoint: one is written when enough was logged, and not before.
func TestBackgroundCheckpoint(t *testing.T) { both(t, testBackgroundCheckpoint) }

func testBackgroundCheckpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := tracked()
		db := open(t, mem.Reopen(), engine.Options{CheckpointAfter: 10_000, SegmentSize: 1 << 20})
		checkpoints := func() int {
			time.Sleep(time.Minute)
			info, err := db.Info(t.Context())
			check(t, err)
			return len(info.Checkpoints)
		}
		value := string(make([]byte, 900))
		for range 10 {
			put(t, db, "a", value)
		}
		if n := checkpoints(); n != 0 {
			t.Errorf("%d checkpoints of %d bytes", n, db.Stats().SinceCheckpoint)
		}
		for range 2 {
			put(t, db, "a", value)
		}
		if n, s := checkpoints(), db.Stats(); n != 1 || s.SinceCheckpoint > 2000 || s.Spares != ahead(t) {
			t.Errorf("%d checkpoints, %+v", n, s)
		}
		check(t, db.Close())
		r := open(t, mem.Reopen(), quiet).Report()
		if !r.Clean || r.Checkpoint < 11 || r.Replayed > 1 || r.Last != 12 || len(r.Removed) != 0 {
			t.Errorf("reopened: %+v", r)
		}
	})
}

// TestCheckpointRate: the background takes its time, a checkpoint by hand does not.
func TestCheckpointRate(t *testing.T) { both(t, testCheckpointRate) }

func testCheckpointRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size, rate = 1 << 20, 100 << 10
		db := open(t, tracked(), engine.Options{CheckpointAfter: size, CheckpointRate: rate, SegmentSize: 4 << 20})
		put(t, db, "a", string(make([]byte, size)))
		began := time.Now()
		for {
			time.Sleep(100 * time.Millisecond)
			if info, err := db.Info(t.Context()); err != nil || len(info.Checkpoints) > 0 {
				check(t, err)
				break
			}
		}
		if took := time.Since(began); took < size/rate*time.Second {
			t.Errorf("%d bytes took %v at %d a second", size, took, rate)
		}
		put(t, db, "b", "")
		time.Sleep(time.Minute) // a file may be prepared meanwhile
		began = time.Now()
		_, err := db.Checkpoint(t.Context())
		check(t, err)
		if took := time.Since(began); took != 0 {
			t.Errorf("by hand it took %v", took)
		}
	})
}

// TestKeepFor: the log reaches back as long as was asked for.
func TestKeepFor(t *testing.T) { both(t, testKeepFor) }

func testKeepFor(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	opts := quiet
	opts.Keep, opts.Clock = &engine.Keep{For: time.Hour}, func() time.Time { return now }
	db := open(t, tracked(), opts)
	for n := range 12 { // batches 2 to 13: Keep was the first
		put(t, db, fmt.Sprint(n), "")
		res, err := db.Checkpoint(t.Context())
		check(t, err)
		want := uint64(0) // of a batch an hour old
		if seq := res.Seq; seq > 6 {
			want = seq - 6
		}
		if seq := res.Seq; seq < 8 {
			want = 0
		}
		if res.Base != want {
			t.Errorf("checkpoint %d at %v: base %d, want %d", res.Seq, now.Format(time.TimeOnly), res.Base, want)
		}
		now = now.Add(10 * time.Minute)
	}
}

// TestCheckpointGivenUp: a checkpoint may be given up at any moment. Then it is
// there or it is not, and nothing else is amiss.
func TestCheckpointGivenUp(t *testing.T) { both(t, testCheckpointGivenUp) }

func testCheckpointGivenUp(t *testing.T) {
	for _, cause := range []error{context.Canceled, errors.New("enough")} {
		written, stopped := 0, 0
		for n := 1; ; n++ {
			more := true
			synctest.Test(t, func(t *testing.T) {
				var done bool
				done, more = giveUpCheckpoint(t, n, cause)
				if done {
					written++
				} else {
					stopped++
				}
			})
			if !more {
				break
			}
		}
		if written < 2 || stopped < 2 {
			t.Errorf("%v: written %d times, not written %d times", cause, written, stopped)
		}
	}
}

// giveUpCheckpoint ends a checkpoint's context at its nth disk operation; more is
// false where it has fewer.
func giveUpCheckpoint(t *testing.T, n int, cause error) (written, more bool) {
	mem := tracked()
	db := open(t, mem.Reopen(), quiet)
	for _, key := range []string{"a", "b", "c"} {
		put(t, db, key, "")
		_, err := db.Checkpoint(t.Context())
		check(t, err)
	}
	put(t, db, "d", "")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	at := 0
	mem.OnOp(func(vfs.Op) {
		if at++; at == n {
			cancel(cause)
			synctest.Wait()
		}
	})
	res, err := db.Checkpoint(ctx)
	mem.OnOp(nil)
	if err != nil && !errors.Is(err, cause) {
		t.Fatalf("given up at operation %d: %v", n, err)
	}
	if err := db.Err(); err != nil {
		t.Fatalf("given up at operation %d: %v", n, err)
	}
	put(t, db, "e", "")
	check(t, db.Close())
	db = open(t, mem.Reopen(), quiet)
	if r := db.Report(); !r.Clean || (r.Checkpoint == 4) != res.Written || r.Last != 5 {
		t.Fatalf("given up at operation %d (%v): %+v", n, err, r)
	}
	return res.Written, at >= n
}

// TestCloseDuringUpkeep closes at every moment of preparing files and of writing a
// checkpoint in the background. It goes well, and the next opening has nothing to do.
func TestCloseDuringUpkeep(t *testing.T) { both(t, testCloseDuringUpkeep) }

func testCloseDuringUpkeep(t *testing.T) {
	checkpoints := map[int]bool{}
	for at := range 90 {
		synctest.Test(t, func(t *testing.T) {
			mem := tracked()
			slow := vfs.NewSlow(mem.Reopen(), func(op vfs.Op) time.Duration { return time.Millisecond })
			var log bytes.Buffer
			opts := engine.Options{CheckpointAfter: 50, SegmentSize: 2 << 10, Logger: slog.New(slog.NewTextHandler(&log, nil))}
			db := open(t, slow, opts)
			for n := range 4 {
				put(t, db, fmt.Sprint(n), string(make([]byte, 60)))
			}
			time.Sleep(time.Duration(at) * time.Millisecond)
			check(t, db.Close())
			if log.Len() > 0 {
				t.Errorf("closed after %d ms: %s", at, log.String())
			}
			db = open(t, mem.Reopen(), quiet)
			if r := db.Report(); !r.Clean || r.Last != 4 || len(r.Removed)+len(r.Unknown) != 0 {
				t.Errorf("closed after %d ms: %+v", at, r)
			}
			checkpoints[int(db.Report().Checkpoint)] = true
		})
	}
	if len(checkpoints) < 2 {
		t.Errorf("the newest checkpoints were %v", checkpoints)
	}
}

// TestCloseDuringCheckpoint closes at every moment of a checkpoint by hand. It comes
// to its end, or is ErrClosed, before Close does.
func TestCloseDuringCheckpoint(t *testing.T) { both(t, testCloseDuringCheckpoint) }

func testCloseDuringCheckpoint(t *testing.T) {
	outcomes := map[bool]int{}
	for at := range 40 {
		synctest.Test(t, func(t *testing.T) {
			mem := tracked()
			db := open(t, vfs.NewSlow(mem.Reopen(), func(op vfs.Op) time.Duration { return time.Millisecond }), quiet)
			put(t, db, "a", "")
			ended := background(func() error { _, err := db.Checkpoint(t.Context()); return err })
			time.Sleep(time.Duration(at) * time.Millisecond)
			check(t, db.Close())
			err := <-ended
			if err != nil {
				want(t, "the checkpoint", err, engine.ErrClosed)
			}
			db = open(t, mem.Reopen(), quiet)
			if r := db.Report(); !r.Clean || r.Last != 1 || (r.Checkpoint == 1) != (err == nil) {
				t.Errorf("closed after %d ms, checkpoint %v: %+v", at, err, r)
			}
			outcomes[err == nil]++
		})
	}
	if outcomes[true] == 0 {
		t.Errorf("it was never written: %v", outcomes)
	}
}

// TestClock: time orders nothing, wherever the clock goes.
func TestClock(t *testing.T) { both(t, testClock) }

func testClock(t *testing.T) {
	mem := tracked()
	now := time.Unix(0, 0)
	opts := quiet
	opts.Clock = func() time.Time { now = now.Add(-time.Hour); return now }
	db := open(t, mem.Reopen(), opts)
	for n := range 5 {
		put(t, db, "a", fmt.Sprint(n))
	}
	res, err := db.Checkpoint(t.Context())
	if err != nil || res.Took < 0 {
		t.Errorf("%+v %v", res, err)
	}
	check(t, db.Close())
	db = open(t, mem.Reopen(), opts)
	if r := db.Report(); r.Took < 0 || r.Last != 5 || value(t, db, "a") != "4" {
		t.Errorf("%+v", r)
	}
}

// TestTornTail: what a crash leaves behind the last good batch is cut, kept, and
// told.
func TestTornTail(t *testing.T) { both(t, testTornTail) }

func testTornTail(t *testing.T) {
	opts := quiet
	opts.Sync = engine.SyncNever
	for seed := range uint64(50) {
		mem := tracked()
		db := open(t, mem.Reopen(), opts)
		put(t, db, "a", "1")
		check(t, db.Sync(t.Context()))
		put(t, db, "b", strings.Repeat("x", 3000))
		db = open(t, mem.Crash(vfs.Torn, seed), quiet)
		r := db.Report()
		info, err := db.Info(t.Context())
		check(t, err)
		if r.Cut == nil {
			continue
		}
		if r.Clean || r.Cut.Bytes == 0 || r.Cut.After != 1 || info.KeptTails != 1 || value(t, db, "a") != "1" || value(t, db, "b") != "-" {
			t.Errorf("%+v, cut %+v, %d tails", r, *r.Cut, info.KeptTails)
		}
		return
	}
	t.Error("no crash leaves a torn tail")
}

// TestSyncerEnds: when writing has ended there is nothing to sync, nor to log again
// and again.
func TestSyncerEnds(t *testing.T) { both(t, testSyncerEnds) }

func testSyncerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := newFailing(tracked())
		var log bytes.Buffer
		opts := quiet
		opts.Sync, opts.Logger = engine.SyncEvery(time.Millisecond), slog.New(slog.NewTextHandler(&log, nil))
		db := open(t, disk, opts)
		put(t, db, "a", "1")
		disk.set(on(vfs.OnKind(vfs.OpSync), engine.ErrIO))
		time.Sleep(time.Second)
		want(t, "err", db.Err(), engine.ErrPoisoned)
		if n := bytes.Count(log.Bytes(), []byte("\n")); n != 1 {
			t.Errorf("one failure was logged %d times", n)
		}
		want(t, "close", db.Close(), engine.ErrPoisoned)
	})
}

// TestCheckpointGivenUpAtSync: nothing is in doubt where a checkpoint is given up
// before it has begun.
func TestCheckpointGivenUpAtSync(t *testing.T) { both(t, testCheckpointGivenUpAtSync) }

func testCheckpointGivenUpAtSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := newHanging(tracked())
		opts := quiet
		opts.Sync = engine.SyncNever
		db := open(t, disk, opts)
		put(t, db, "a", "1")
		check(t, db.Sync(t.Context()))
		put(t, db, "a", "2")
		disk.hang()
		ctx, cancel := context.WithCancelCause(t.Context())
		enough := errors.New("enough")
		gaveUp := background(func() error { _, err := db.Checkpoint(ctx); return err })
		waits(t, "the checkpoint", gaveUp)
		cancel(enough)
		if err := <-gaveUp; err != enough {
			t.Error(err)
		}
		disk.release()
	})
}

// TestManySegments: a program that opens, writes a little and closes, again and
// again, does not heap up log files for ever.
func TestManySegments(t *testing.T) { both(t, testManySegments) }

func testManySegments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := tracked()
		for n := range 64 {
			db := open(t, mem.Reopen(), quiet)
			put(t, db, "a", fmt.Sprint(n))
			check(t, db.Close())
		}
		db := open(t, mem.Reopen(), engine.Options{SegmentSize: 1 << 20})
		put(t, db, "a", "")
		time.Sleep(time.Minute)
		info, err := db.Info(t.Context())
		check(t, err)
		if len(info.Checkpoints) != 1 {
			t.Errorf("%d checkpoints of %d segments", len(info.Checkpoints), info.Segments)
		}
		check(t, db.Close())
	})
}
