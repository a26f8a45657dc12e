package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// counters are what the batches of a store name: writer and counter → the batch.
type counters struct {
	seen map[string]uint64
	top  map[string]uint64 // the highest counter of each writer
	last uint64            // the newest batch that was looked at
}

func newCounters() *counters {
	return &counters{seen: map[string]uint64{}, top: map[string]uint64{}}
}

// read goes on through the log of a store that was opened when those so far were
// there: each counter is above all of then, and none comes twice. It returns how many
// batches were new.
func (c *counters) read(t testing.TB, what string, db *engine.DB) (n int) {
	t.Helper()
	then := map[string]uint64{}
	for w, top := range c.top {
		then[w] = top
	}
	for b, err := range db.Batches(context.Background(), c.last+1) {
		check(t, err)
		var says struct {
			Writer string
			N      uint64
		}
		check(t, json.Unmarshal(b.AppendJSON(nil), &says))
		name := fmt.Sprint(says.Writer, " ", says.N)
		if was, ok := c.seen[name]; ok || says.N <= then[says.Writer] || says.N == 0 {
			t.Errorf("%s: #%d is batch %d of %s; it had come to %d, and that was #%d", what, b.Seq, says.N, says.Writer, then[says.Writer], was)
		}
		c.seen[name], c.last = b.Seq, b.Seq
		c.top[says.Writer] = max(c.top[says.Writer], says.N)
		n++
	}
	return n
}

// TestCounterGoesOn: each batch names its writer and a counter, by which equal changes of
// two machines are told apart. It goes on after closing, after a crash, and after a checkpoint has
// taken the place of every batch that named it.
func TestCounterGoesOn(t *testing.T) { both(t, testCounterGoesOn) }

func testCounterGoesOn(t *testing.T) {
	mem, opts, c := tracked(), quiet, newCounters()
	opts.Keep, opts.SegmentSize = &engine.Keep{Checkpoints: 1}, 4<<10
	life := func(what string, disk *vfs.Mem, n int, use func(db *engine.DB)) *engine.DB {
		t.Helper()
		db := open(t, disk.Reopen(), opts)
		use(db)
		if got := c.read(t, what, db); got < n || c.last != db.Stats().Seq {
			t.Errorf("%s: only %d new batches, up to #%d", what, got, c.last)
		}
		return db
	}
	check(t, life("made", mem, 20, func(db *engine.DB) { putAtOnce(t, db) }).Close())
	check(t, life("opened again", mem, 20, func(db *engine.DB) { putAtOnce(t, db) }).Close())

	db := life("checkpoint", mem, 1, func(db *engine.DB) { put(t, db, "a", "1") })
	_, err := db.Checkpoint(t.Context())
	check(t, err)
	info, err := db.Info(t.Context())
	if check(t, err); info.First <= info.Last {
		t.Fatalf("the log still has #%d to #%d", info.First, info.Last)
	}
	check(t, db.Close())
	check(t, life("behind the checkpoint", mem, 3, func(db *engine.DB) { refused(t, db); putAtOnce(t, db) }).Close())

	life("to be killed", mem, 1, func(db *engine.DB) { put(t, db, "a", "2") })
	killed := mem.Crash(vfs.Kill, 1)
	life("killed", killed, 1, func(db *engine.DB) { put(t, db, "a", "3") })
	life("without power", killed.Crash(vfs.Lost, 1), 1, func(db *engine.DB) { put(t, db, "a", "4") })
}

// putAtOnce writes twenty batches from four goroutines.
func putAtOnce(t testing.TB, db *engine.DB) {
	t.Helper()
	var wg sync.WaitGroup
	errs := make(chan error, 20)
	for w := range 4 {
		wg.Go(func() {
			for n := range 5 {
				errs <- db.Put(context.Background(), fmt.Append(nil, w, n), []byte("at once"))
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		check(t, err)
	}
}

// refused makes a transaction that takes a counter and is not written.
func refused(t testing.TB, db *engine.DB) {
	t.Helper()
	tx, err := db.Begin(t.Context(), engine.Deferred)
	check(t, err)
	_, err = tx.Get([]byte("a"))
	check(t, err)
	check(t, tx.Put([]byte("b"), nil))
	put(t, db, "a", "other")
	if err := tx.Commit(); !errors.Is(err, engine.ErrConflict) {
		t.Errorf("a commit on what has changed: %v", err)
	}
}

// TestCounterOvertaken: who took the lower counter comes second; the next one is above both.
func TestCounterOvertaken(t *testing.T) { both(t, testCounterOvertaken) }

func testCounterOvertaken(t *testing.T) {
	mem, opts, c := tracked(), quiet, newCounters()
	held, goOn := make(chan struct{}), make(chan struct{})
	var met atomic.Bool
	opts.Admit = func(context.Context, engine.Request) error { // by then it has its counter
		if met.CompareAndSwap(false, true) {
			close(held)
			<-goOn
		}
		return nil
	}
	db := open(t, mem.Reopen(), opts)
	slow := make(chan error)
	go func() { slow <- db.Put(context.Background(), []byte("slow"), nil) }()
	<-held
	put(t, db, "fast", "")
	close(goOn)
	check(t, <-slow)
	c.read(t, "overtaken", db)
	check(t, db.Close())
	db = open(t, mem.Reopen(), quiet)
	put(t, db, "next", "")
	if n := c.read(t, "the next", db); n != 1 {
		t.Errorf("%d batches", n)
	}
}

// TestCounterAfterCrash stops a store after each operation of some writes and a checkpoint,
// opens what that may leave, and writes: no counter comes twice.
func TestCounterAfterCrash(t *testing.T) { both(t, testCounterAfterCrash) }

func testCounterAfterCrash(t *testing.T) {
	mem, opts := tracked(), quiet
	opts.Keep, opts.SegmentSize, opts.NoPrepare = &engine.Keep{Checkpoints: 1}, 4<<10, true
	db := open(t, mem.Reopen(), opts)
	c := newCounters()
	seen := map[[32]byte]bool{}
	mem.OnOp(func(op vfs.Op) {
		for _, model := range vfs.Models() {
			mem.Snapshot().Images(model, 3, func(img *vfs.Image) bool {
				if h := img.Hash(); !seen[h] {
					seen[h] = true
					c.goesOn(t, fmt.Sprint(op, ", ", model), img)
				}
				return true
			})
		}
	})
	for _, key := range []string{"a", "b"} {
		put(t, db, key, "1")
		c.read(t, "before "+key, db)
	}
	_, err := db.Checkpoint(t.Context())
	check(t, err)
	put(t, db, "c", "1")
	mem.OnOp(nil)
	if len(seen) < 40 {
		t.Errorf("only %d disks", len(seen))
	}
}

// goesOn opens a disk and writes: the counter is above those of all batches that were
// answered before, also where a checkpoint took their place, and of those that are there.
func (c *counters) goesOn(t testing.TB, what string, img *vfs.Image) {
	t.Helper()
	db, err := engine.OpenFS(context.Background(), img.Mem(false), engine.Options{CheckpointAfter: -1, Codec: codecOf(t)})
	check(t, err)
	here := newCounters()
	info, err := db.Info(context.Background())
	check(t, err)
	here.last = info.First - 1
	here.read(t, what, db)
	for w, top := range c.top {
		here.top[w] = max(here.top[w], top)
	}
	check(t, db.Put(context.Background(), []byte("after"), nil))
	if n := here.read(t, what, db); n != 1 {
		t.Errorf("%s: %d batches were written", what, n)
	}
	check(t, db.Close())
}
