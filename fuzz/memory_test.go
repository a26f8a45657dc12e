package fuzz

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/fuzz/cost"
)

// openingCost is what opening may allocate, by the bytes of what it decodes.
func openingCost(decoded int) int { return 3*decoded + 64<<20 }

// TestOpeningCosts opens stores of 25 MiB, from the log and from a checkpoint: in all
// no more is allocated than three times what they hold, and 64 MiB.
func TestOpeningCosts(t *testing.T) { both(t, openingCosts) }

func openingCosts(t *testing.T, codec engine.Codec) {
	ctx := t.Context()
	opts := engine.Options{Codec: codec, CheckpointAfter: -1, NoPrepare: true, Sync: engine.SyncNever}
	dir := t.TempDir()
	db, err := engine.Open(ctx, dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	size := 25 << 20
	if testing.Short() { // as the race detector is about to look on
		size = 4 << 20
	}
	decoded := fill(ctx, t, db, size)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	fromLog := open(ctx, t, dir, opts, func(db *engine.DB) {
		if _, err := db.Checkpoint(ctx); err != nil {
			t.Fatal(err)
		}
	})
	fromCheckpoint := open(ctx, t, dir, opts, func(*engine.DB) {})
	t.Logf("%d bytes: %d allocated from the log, %d from a checkpoint", decoded, fromLog, fromCheckpoint)
	for what, got := range map[string]uint64{"the log": fromLog, "a checkpoint": fromCheckpoint} {
		if got > uint64(openingCost(decoded)) {
			t.Errorf("opening from %s allocated %d bytes for %d", what, got, decoded)
		}
	}
}

// fill puts entries of a few hundred bytes into a store, ten to a batch.
func fill(ctx context.Context, t *testing.T, db *engine.DB, bytes int) int {
	value := strings.Repeat("all the value there is ", 20)
	for n := 0; db.Stats().LiveBytes < bytes; n++ {
		err := db.Update(ctx, func(_ context.Context, tx *engine.Tx) error {
			for i := range 10 {
				if err := tx.Put(fmt.Appendf(nil, "key/%08d/%d", n, i), []byte(value)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return db.Stats().LiveBytes
}

// open opens a store, uses it, closes it, and returns what opening alone allocated.
func open(ctx context.Context, t *testing.T, dir string, opts engine.Options, use func(*engine.DB)) uint64 {
	var db *engine.DB
	var err error
	got := cost.Of(func() { db, err = engine.Open(ctx, dir, opts) })
	if err != nil {
		t.Fatal(err)
	}
	use(db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return got
}
