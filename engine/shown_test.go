package engine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

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

// TestPastOfWhatWasWatched: a batch that Watch gave out can be looked back to at once,
// although it is shown a moment later.
func TestPastOfWhatWasWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := vfs.NewSlow(vfs.NewMem(vfs.MemOptions{}), func(op vfs.Op) time.Duration { return time.Millisecond })
		db, err := OpenFS(t.Context(), slow, Options{CheckpointAfter: -1})
		if err != nil {
			t.Fatal(err)
		}
		key := []byte("k")
		if err := db.Put(t.Context(), key, []byte("1")); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Submit(t.Context(), func(_ context.Context, tx *Tx) error { return tx.Put(key, []byte("2")) }); err != nil {
			t.Fatal(err)
		}
		db.core.store.Log = early{db.core.store.Log, 2}
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
		if _, err := db.At(t.Context(), 3); err == nil {
			t.Error("it has not happened yet")
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
}
