package engine

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// early is a log that has told of a batch before the committer shows it.
type early struct {
	wal.History
	last wal.Seq
}

func (l early) Bounds(ctx context.Context) (first, last wal.Seq, chain wal.Chain, err error) {
	first, last, chain, err = l.History.Bounds(ctx)
	return first, max(last, l.last), chain, err
}

// slowDB is a store whose disk takes a millisecond for everything, with one batch.
func slowDB(t *testing.T) *DB {
	t.Helper()
	slow := vfs.NewSlow(vfs.NewMem(vfs.MemOptions{}), func(op vfs.Op) time.Duration { return time.Millisecond })
	db, err := OpenFS(t.Context(), slow, Options{CheckpointAfter: -1})
	if err == nil {
		err = db.Put(t.Context(), []byte("k"), []byte("1"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// TestPastOfWhatWasWatched: a batch that Watch gave out can be looked back to at once,
// although it is shown a moment later, also where writing ended meanwhile.
func TestPastOfWhatWasWatched(t *testing.T) {
	for name, ended := range map[string]error{"writing goes on": nil, "writing has ended": fault.ErrIO} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := slowDB(t)
				key := []byte("k")
				if _, err := db.Submit(t.Context(), func(_ context.Context, tx *Tx) error { return tx.Put(key, []byte("2")) }); err != nil {
					t.Fatal(err)
				}
				db.core.store.Log = early{db.core.store.Log, 2}
				time.Sleep(100 * time.Microsecond) // into the first write
				if ended != nil {
					db.core.committer.Poison(ended)
				}
				past, err := db.At(t.Context(), 2)
				if err != nil || past.Seq() != 2 {
					t.Fatalf("#%d, %v", past.Seq(), err)
				}
				if v, err := past.Get(t.Context(), key); err != nil || string(v) != "2" {
					t.Errorf("%q, %v", v, err)
				}
				events := 0
				for _, err := range db.History(t.Context(), key, 0) {
					if events++; err != nil {
						t.Error(err)
					}
				}
				if events != 2 {
					t.Errorf("%d events", events)
				}
				if _, err := db.At(t.Context(), 3); !errors.Is(err, fault.ErrNotFound) {
					t.Errorf("it has not happened yet: %v", err)
				}
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestPastNeverShown: a batch that the log made durable, and told of, before the failure
// that ended writing is not one that has not happened.
func TestPastNeverShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := slowDB(t)
		db.core.store.Log = early{db.core.store.Log, 2}
		db.core.committer.Poison(fault.ErrIO)
		if _, err := db.At(t.Context(), 2); !errors.Is(err, fault.ErrPoisoned) || !errors.Is(err, fault.ErrIO) {
			t.Errorf("%v", err)
		}
		if _, err := db.At(t.Context(), 3); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("%v", err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
}
