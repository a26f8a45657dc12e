package vlogtest_test

import (
	"context"
	"testing"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/vlogtest"
)

// buy is the program under test: an order and the stock change together.
func buy(ctx context.Context, db *engine.DB, item string) error {
	return db.Update(ctx, func(ctx context.Context, tx *engine.Tx) error {
		if _, err := tx.Get([]byte("stock/" + item)); err != nil {
			return err
		}
		if err := tx.Delete([]byte("stock/" + item)); err != nil {
			return err
		}
		return tx.Put([]byte("order/"+item), nil)
	})
}

// A test of a program takes a database from New.
func ExampleNew() {
	testBuy := func(t *testing.T) {
		db := vlogtest.New(t)
		if err := db.Put(t.Context(), []byte("stock/lamp"), nil); err != nil {
			t.Fatal(err)
		}
		if err := buy(t.Context(), db, "lamp"); err != nil {
			t.Error(err)
		}
		if err := buy(t.Context(), db, "lamp"); err == nil {
			t.Error("sold twice")
		}
	}
	_ = testBuy // called by go test, as any TestBuy
}

// A Store shows what a power cut leaves of a program's work.
func ExampleStore() {
	testPowerCut := func(t *testing.T) {
		for seed := range uint64(20) {
			store := vlogtest.NewStore(seed)
			db := store.Open(t, engine.Options{})
			if err := db.Put(t.Context(), []byte("stock/lamp"), nil); err != nil {
				t.Fatal(err)
			}
			if err := buy(t.Context(), db, "lamp"); err != nil {
				t.Fatal(err)
			}
			db = store.Crash(t, vlogtest.PowerCut)
			if has, err := db.Has(t.Context(), []byte("order/lamp")); err != nil || !has {
				t.Errorf("seed %d: the order is lost: %v", seed, err)
			}
		}
	}
	_ = testPowerCut // called by go test, as any TestPowerCut
}

// A new kind of DB runs the contract in one line.
func ExampleTestDB() {
	testKind := func(t *testing.T) {
		vlogtest.TestDB(t, func(t testing.TB) vlogtest.Place {
			dir := t.TempDir()
			return vlogtest.Place{Open: func(ctx context.Context, opts engine.Options) (*engine.DB, error) {
				return engine.Open(ctx, dir, opts)
			}}
		})
	}
	_ = testKind // called by go test
}
