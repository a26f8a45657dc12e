package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// TestReplayMuch: a log of several runs of batches, which opening applies beside reading
// the next, comes to what was there: keys put again and again, deleted, deleted by ranges
// in between, by several tenants.
func TestReplayMuch(t *testing.T) { both(t, testReplayMuch) }

func testReplayMuch(t *testing.T) {
	mem := tracked()
	db := open(t, mem.Reopen(), quiet)
	for i := range 120 {
		check(t, db.Update(t.Context(), func(_ context.Context, tx *engine.Tx) error { return muchOf(tx, i) }))
	}
	want := all(t, db)
	again := open(t, mem.Crash(vfs.Kill, 1), quiet)
	if got := all(t, again); got != want {
		t.Errorf("%d bytes are there, there were %d", len(got), len(want))
	}
	if a, b := db.Stats(), again.Stats(); a.Seq != b.Seq || a.Keys != b.Keys {
		t.Errorf("%+v, was %+v", b, a)
	}
	for _, d := range []*engine.DB{again, db} {
		put(t, d, "later", "1")
		check(t, d.Close())
	}
}

// muchOf is one of many transactions of some 64 KiB.
func muchOf(tx *engine.Tx, i int) error {
	other, err := tx.Tenant("other")
	if err != nil {
		return err
	}
	if i%70 == 69 { // behind several runs
		if err := tx.DeleteRange(engine.Range{From: fmt.Appendf(nil, "k%03d", i), To: fmt.Appendf(nil, "k%03d", i+40)}); err != nil {
			return err
		}
	}
	for j := range 32 {
		key := fmt.Appendf(nil, "k%03d", (i*7+j*13)%300)
		if j%11 == 10 {
			err = tx.Delete(key)
		} else {
			err = tx.Put(key, bytes.Repeat([]byte{byte(i), byte(j)}, 1000))
		}
		if err == nil {
			err = other.Put(key, fmt.Appendf(nil, "%d %d", i, j))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
