package vlogtest

import (
	"context"
	"errors"
	"fmt"

	"github.com/vlogdb/vlog/engine"
)

const crashes = 12 // enough for each kind of power cut to come up

// crash: what was answered survives, whole; what was not committed is not there.
func (d *dbTest) crash() {
	for n := range d.crashing() {
		ctx, db := d.Context(), d.open(engine.Options{})
		d.check(db.Update(ctx, func(_ context.Context, tx *engine.Tx) error {
			other, err := tx.Tenant("acme")
			return errors.Join(err, puts(tx, fmt.Sprint("both=", n)), puts(other, fmt.Sprint("both=", n)))
		}))
		open := d.begin(db, engine.Deferred)
		d.check(puts(open, "both=never", "open=never"))
		if n%3 == 0 {
			_, err := db.Checkpoint(ctx)
			d.check(err)
		}
		d.place.PowerCut()
		d.want("a transaction of before", puts(open, "x=1"), engine.ErrClosed)
		db = d.open(engine.Options{})
		if r := db.Report(); int(r.Last) != n+1 {
			d.Errorf("crash %d: the store ends at %v, answered %d", n, r.Last, n+1)
		}
		acme, err := db.Tenant("acme")
		d.check(err)
		d.holds("after the crash", db.Scope, fmt.Sprint("both=", n))
		d.holds("after the crash", acme, fmt.Sprint("both=", n))
		d.check(db.Close())
	}
}

// crashing skips the part where the place cannot crash.
func (d *dbTest) crashing() int {
	if d.place.PowerCut == nil {
		d.Skip("this place cannot lose power")
	}
	return crashes
}

// crashUnsynced: without syncs a crash takes the newest batches, never one in the
// middle, and nothing that DB.Sync or DB.Durable told of.
func (d *dbTest) crashUnsynced() {
	const batches, synced = 20, 7
	for range d.crashing() {
		ctx, db := d.Context(), d.open(engine.Options{Sync: engine.SyncNever})
		d.check(db.DeleteRange(ctx, engine.Range{}))
		base := db.Stats().Seq
		for i := range batches {
			d.check(db.Put(ctx, fmt.Appendf(nil, "%02d", i), nil))
			if i+1 == synced {
				d.check(db.Sync(ctx))
			}
		}
		if durable := db.Durable(); durable != base+synced {
			d.Errorf("durable %d, synced %d", durable, base+synced)
		}
		d.place.PowerCut()
		db = d.open(engine.Options{})
		n, err := db.Count(ctx, engine.Range{})
		d.check(err)
		if n < synced || uint64(n) != uint64(db.Report().Last)-base {
			d.Errorf("%d of %d batches are left, %d were synced; the store ends at %v", n, batches, synced, db.Report().Last)
		}
		var want []string
		for i := range n {
			want = append(want, fmt.Sprintf("%02d=", i))
		}
		d.holds("a prefix", db.Scope, want...)
		d.check(db.Close())
	}
}
