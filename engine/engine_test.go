package engine_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/vlogdb/vlog/engine"
)

func TestPutGetReopen(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	db, err := engine.Open(ctx, dir, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if err := db.Put(ctx, fmt.Appendf(nil, "key%03d", i), fmt.Appendf(nil, "value%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	err = db.Update(ctx, func(ctx context.Context, tx *engine.Tx) error {
		return errors.Join(tx.Put([]byte("a"), nil), tx.Delete([]byte("key001")))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		db, err = engine.Open(ctx, dir, engine.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if v, err := db.Get(ctx, []byte("key042")); err != nil || string(v) != "value42" {
			t.Fatalf("got %q, %v", v, err)
		}
		if _, err := db.Get(ctx, []byte("key001")); !errors.Is(err, engine.ErrNotFound) {
			t.Fatalf("got %v", err)
		}
		if n, err := db.Count(ctx, engine.Range{Prefix: []byte("key")}); err != nil || n != 99 {
			t.Fatalf("count %d, %v", n, err)
		}
		if r := db.Report(); !r.Clean || r.Last != 101 {
			t.Fatalf("report %+v", r)
		}
		if round == 1 {
			res, err := db.Checkpoint(ctx)
			if err != nil || !res.Written {
				t.Fatalf("%+v %v", res, err)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	sum, err := engine.Check(ctx, dir, engine.CheckOptions{}, func(f engine.Finding) { t.Errorf("%+v", f) })
	if err != nil || sum.Batches != 101 || sum.Checkpoints != 1 {
		t.Fatalf("%+v %v", sum, err)
	}
}
