package engine_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/vlogdb/vlog/engine"
)

// BenchmarkGetBeside takes what a read costs on a read-only DB, which looks each time
// whether another one has written.
func BenchmarkGetBeside(b *testing.B) {
	ctx := context.Background()
	dir := b.TempDir() + "/s"
	w, err := engine.Open(ctx, dir, engine.Options{})
	check(b, err)
	for i := range 1000 {
		check(b, w.Put(ctx, fmt.Appendf(nil, "key%04d", i), []byte("value")))
	}
	r, err := engine.Open(ctx, dir, engine.Options{ReadOnly: true})
	check(b, err)
	key := []byte("key0500")
	get := func(db *engine.DB) func(b *testing.B) {
		return func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := db.Get(ctx, key); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	b.Run("writer", get(w))
	b.Run("reader", get(r))
	b.Run("after each write", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			check(b, w.Put(ctx, key, []byte("value")))
			b.StartTimer()
			_, err := r.Get(ctx, key)
			check(b, err)
		}
	})
	check(b, r.View(ctx, func(ctx context.Context, tx *engine.Tx) error {
		b.Run("in a view", func(b *testing.B) {
			for b.Loop() {
				if _, err := tx.Get(key); err != nil {
					b.Fatal(err)
				}
			}
		})
		return nil
	}))
	check(b, w.Close())
	b.Run("closed store", get(r))
	check(b, r.Close())
}
