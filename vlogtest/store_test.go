package vlogtest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/vlogtest"
)

// fill puts n keys and returns what the store then has.
func fill(t testing.TB, db *engine.DB, n int) {
	t.Helper()
	for i := range n {
		if err := db.Put(context.Background(), fmt.Appendf(nil, "%03d", i), nil); err != nil {
			t.Fatal(err)
		}
	}
}

func count(t testing.TB, db *engine.DB) int {
	t.Helper()
	n, err := db.Count(context.Background(), engine.Range{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestNew: a database for a test is empty, works, and is closed by itself.
func TestNew(t *testing.T) {
	var kept *engine.DB
	t.Run("inner", func(t *testing.T) {
		kept = vlogtest.New(t)
		fill(t, kept, 3)
		if count(t, kept) != 3 || count(t, vlogtest.New(t)) != 0 {
			t.Error("databases of one test share their keys")
		}
		if err := vlogtest.New(t).Close(); err != nil { // by hand is fine too
			t.Error(err)
		}
	})
	if err := kept.Err(); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("after the test: %v", err)
	}
}

// TestCrashes: each way to crash leaves what it says.
func TestCrashes(t *testing.T) { both(t, testCrashes) }

func testCrashes(t *testing.T, codec engine.Codec) {
	const synced, more = 5, 20
	crash := func(seed uint64, how vlogtest.Crash) int {
		store := vlogtest.NewStore(seed)
		db := store.Open(t, engine.Options{Codec: codec, Sync: engine.SyncNever})
		fill(t, db, synced)
		if err := db.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		fill(t, db, synced+more)
		left := store.Crash(t, how)
		if err := db.Put(t.Context(), nil, nil); !errors.Is(err, engine.ErrClosed) {
			t.Errorf("the old database after the crash: %v", err)
		}
		fill(t, left, 1)
		return int(left.Report().Last)
	}
	if n := crash(1, vlogtest.Kill); n != 2*synced+more {
		t.Errorf("killed: %d batches left", n)
	}
	if n := crash(1, vlogtest.PowerCutLost); n != synced {
		t.Errorf("everything lost that can be: %d batches left", n)
	}
	outcomes := map[int]bool{}
	for seed := range uint64(60) {
		n := crash(seed, vlogtest.PowerCut)
		if n < synced || n > 2*synced+more {
			t.Errorf("seed %d: %d batches left", seed, n)
		}
		if again := crash(seed, vlogtest.PowerCut); again != n {
			t.Errorf("seed %d: %d batches left, and again %d", seed, n, again)
		}
		outcomes[n] = true
	}
	if len(outcomes) < 3 || !outcomes[synced] || !outcomes[2*synced+more] {
		t.Errorf("60 seeds leave %v batches", outcomes)
	}
}

// TestReopen: a store survives closing, with the options of the last Open.
func TestReopen(t *testing.T) { both(t, testReopen) }

func testReopen(t *testing.T, codec engine.Codec) {
	store := vlogtest.NewStore(1)
	db := store.Open(t, engine.Options{Codec: codec, Documentation: "kept", MaxBatch: 1000})
	fill(t, db, 2)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = store.Open(t, engine.Options{MaxBatch: 1000})
	if count(t, db) != 2 || db.Documentation() != "kept" || !db.Report().Clean {
		t.Errorf("%d keys, %q, %+v", count(t, db), db.Documentation(), db.Report())
	}
	db = store.Crash(t, vlogtest.PowerCut)
	if err := db.Put(t.Context(), nil, make([]byte, 2000)); !errors.Is(err, engine.ErrTooLarge) || count(t, db) != 2 {
		t.Errorf("after the crash: %v, %d keys", err, count(t, db))
	}
}

// TestBubble: databases work inside a bubble, with its clock.
func TestBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := vlogtest.NewStore(1)
		db := store.Open(t, engine.Options{Sync: engine.SyncEvery(time.Hour)})
		fill(t, db, 1)
		if db.Durable() != 0 {
			t.Error("durable at once")
		}
		time.Sleep(time.Hour + time.Second)
		fill(t, db, 2)
		if n := count(t, store.Crash(t, vlogtest.PowerCutLost)); n != 1 {
			t.Errorf("%d keys left", n)
		}
		fill(t, vlogtest.New(t), 3)
	})
}
