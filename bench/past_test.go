package bench

import (
	"context"
	"testing"

	"github.com/vlogdb/vlog/engine"
)

const (
	pastKeys    = 100_000
	pastBatches = 100_000 // of one put each, behind the checkpoint
)

// lived makes a store of 100,000 keys with a checkpoint, and 100,000 batches behind it;
// base is the batch of the checkpoint.
func lived(b *testing.B) (db *engine.DB, base uint64) {
	ctx := context.Background()
	db, err := engine.Open(ctx, b.TempDir(), engine.Options{Sync: engine.SyncNever, CheckpointAfter: -1, Keep: &engine.Keep{All: true}})
	if err != nil {
		b.Fatal(err)
	}
	value := make([]byte, valueSize)
	for n := uint64(0); n < pastKeys; {
		err := db.Update(ctx, func(_ context.Context, tx *engine.Tx) error {
			for end := n + 1000; n < end; n++ {
				if err := tx.Put(keyOf(n), value); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	res, err := db.Checkpoint(ctx)
	if err != nil {
		b.Fatal(err)
	}
	for n := range uint64(pastBatches) {
		if err := db.Put(ctx, keyOf(n*7919%pastKeys), value); err != nil {
			b.Fatal(err)
		}
	}
	if err := db.Sync(ctx); err != nil {
		b.Fatal(err)
	}
	return db, res.Seq
}

// BenchmarkPast is how long it takes to look back: one batch behind a checkpoint of
// 100,000 keys, and 100,000 batches behind it; by number and by time; and the history
// of one key. Opening does the work of the farthest.
func BenchmarkPast(b *testing.B) {
	db, base := lived(b)
	ctx, last := context.Background(), base+pastBatches
	at := func(seq uint64) engine.Past {
		p, err := db.At(ctx, seq)
		if err != nil {
			b.Fatal(err)
		}
		return p
	}
	for name, seq := range map[string]uint64{"present": last, "checkpoint": base, "near": base + 1, "middle": base + pastBatches/2, "far": last - 1} {
		b.Run("at="+name, func(b *testing.B) {
			for b.Loop() {
				at(seq)
			}
		})
	}
	for name, seq := range map[string]uint64{"near": base + 1, "far": last - 1} {
		when := at(seq).Time()
		b.Run("time="+name, func(b *testing.B) {
			for b.Loop() {
				if p, err := db.AtTime(ctx, when); err != nil || p.Seq() < seq {
					b.Fatal(p, err)
				}
			}
		})
	}
	b.Run("history", func(b *testing.B) {
		for b.Loop() {
			for _, err := range db.History(ctx, keyOf(7919), 0) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
}
