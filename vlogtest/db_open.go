package vlogtest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vlogdb/vlog/engine"
)

// info: what a store says about itself.
func (d *dbTest) info() {
	ctx, db := d.Context(), d.open(engine.Options{Documentation: "What it is for."})
	acme, err := db.Tenant("acme")
	d.check(err)
	i, err := db.Info(ctx)
	d.check(err)
	if i.First != i.Last+1 || i.Last != 0 || i.Keys != 0 || i.Tenants != 0 || !i.LastTime.IsZero() || i.ReadOnly || i.Created.IsZero() {
		d.Errorf("a new store: %+v", i)
	}
	if i.Path == "" || i.Path != db.Path() || len(i.ID) != 36 || i.ID != db.ID() || i.Codec == "" || i.Codec != db.Codec() || !strings.Contains(db.String(), i.Path) {
		d.Errorf("path %q %q, id %q %q, codec %q %q, %q", i.Path, db.Path(), i.ID, db.ID(), i.Codec, db.Codec(), db.String())
	}
	if i.Documentation != "What it is for." || db.Documentation() != i.Documentation || i.Keep != (engine.Keep{Checkpoints: 2}) {
		d.Errorf("documentation %q, keep %+v", i.Documentation, i.Keep)
	}
	if i.Writer == nil || i.Writer.PID == 0 {
		d.Errorf("the writer is %+v", i.Writer)
	}
	d.put(db.Scope, "a=1", "b=2")
	d.put(acme, "a=12345")
	chain := i.Chain
	i, err = db.Info(ctx)
	d.check(err)
	if i.First != 1 || i.Last != 2 || i.Durable != 2 || i.Keys != 3 || i.Tenants != 2 || i.Chain == chain || len(i.Chain) != 64 || i.LastTime.IsZero() || i.Segments != 1 || i.LogBytes == 0 {
		d.Errorf("after two batches: %+v", i)
	}
	s := db.Stats()
	if s.Commits != 2 || s.Groups != 2 || s.Syncs != 2 || s.Conflicts != 0 || s.OpenTx != 0 || s.Seq != 2 || s.Durable != 2 || s.Keys < 3 {
		d.Errorf("stats: %+v", s)
	}
	if s.BatchBytes == 0 || s.SinceCheckpoint != int64(s.BatchBytes) || s.LiveBytes == 0 || s.ArenaBytes < s.LiveBytes || s.HeapBytes < s.ArenaBytes {
		d.Errorf("stats: %+v", s)
	}
}

// reopen: what was committed is there, in the same order, and nothing else is.
func (d *dbTest) reopen() {
	d.lasting()
	ctx, db := d.Context(), d.open(engine.Options{Documentation: "first"})
	if r := db.Report(); !r.Created || r.Last != 0 {
		d.Errorf("made: %+v", r)
	}
	id := db.ID()
	d.put(db.Scope, "a=1", "b=1", "c=1")
	d.check(db.DeleteRange(ctx, engine.Range{From: []byte("b"), To: []byte("c")}))
	tx := d.begin(db, engine.Deferred)
	d.check(puts(tx, "a=never"))
	last, err := db.Info(ctx)
	d.check(err)
	d.check(db.Close())
	for n := range 3 {
		db = d.open(engine.Options{Documentation: "another"})
		d.holds("reopened", db.Scope, "a=1", "c=1")
		if r := db.Report(); r.Created || !r.Clean || r.Last != 2 || r.Replayed != 2 || r.Cut != nil || r.Rewritten != 0 {
			d.Errorf("reopened: %+v", r)
		}
		i, err := db.Info(ctx)
		if err != nil || db.ID() != id || i.Documentation != "first" || i.Last != last.Last || i.Chain != last.Chain || !i.Created.Equal(last.Created) {
			d.Errorf("reopened: %+v %v, was %+v", i, err, last)
		}
		e, err := db.Entry(ctx, []byte("a"))
		if err != nil || e.Seq != 1 {
			d.Errorf("a was put by %d %v", e.Seq, err)
		}
		if n == 0 {
			d.check(db.View(ctx, func(context.Context, *engine.Tx) error { return nil })) // only reads: the log stays as it is
		}
		d.check(db.Close())
	}
}

func (d *dbTest) mustExist() {
	d.lasting()
	ctx := d.Context()
	_, err := d.place.Open(ctx, engine.Options{MustExist: true})
	d.want("nothing there", err, engine.ErrNotStore)
	_, err = d.place.Open(ctx, engine.Options{ReadOnly: true})
	d.want("nothing there to read", err, engine.ErrNotStore)
	_, err = d.place.Open(ctx, engine.Options{Keep: &engine.Keep{}})
	d.want("keep nothing", err, engine.ErrBadName)
	_, err = d.place.Open(ctx, engine.Options{Keep: &engine.Keep{All: true, Batches: 1}})
	d.want("keep two ways", err, engine.ErrBadName)
	d.check(d.open(engine.Options{MustNotExist: true}).Close())
	_, err = d.place.Open(ctx, engine.Options{MustNotExist: true})
	d.want("a store is there", err, engine.ErrExists)
	d.check(d.open(engine.Options{MustExist: true}).Close())
	cancelled, cancel := context.WithCancelCause(ctx)
	cancel(errEnough)
	if db, err := d.place.Open(cancelled, engine.Options{}); err == nil {
		d.check(db.Close()) // nothing to wait for
	} else {
		d.want("cancelled", err, errEnough)
	}
	d.check(d.open(engine.Options{}).Close()) // and after all these nothing is held
}

// locked: one writer at a time; the second learns who it is.
func (d *dbTest) locked() {
	d.lasting()
	db := d.open(engine.Options{})
	for _, opts := range []engine.Options{{}, {MustExist: true}} {
		_, err := d.place.Open(d.Context(), opts)
		d.want("a second writer", err, engine.ErrLocked)
		holder, ok := errors.AsType[*engine.Holder](err)
		if !ok || holder.PID == 0 || holder.Program == "" || holder.Since.IsZero() {
			d.Errorf("held by %+v: %v", holder, err)
		}
	}
	d.put(db.Scope, "a=1")
	d.check(db.Close())
	d.holds("the next", d.open(engine.Options{}).Scope, "a=1")
}

// readOnly: everything can be read, and nothing written.
func (d *dbTest) readOnly() {
	d.lasting()
	ctx, db := d.Context(), d.open(engine.Options{})
	d.put(db.Scope, "a=1")
	d.check(db.Close())
	db = d.open(engine.Options{ReadOnly: true})
	beside := d.open(engine.Options{ReadOnly: true}) // takes no lock
	d.holds("beside", beside.Scope, "a=1")
	d.holds("read-only", db.Scope, "a=1")
	d.check(db.View(ctx, func(_ context.Context, tx *engine.Tx) error {
		d.shows("a view", tx, "a=1")
		d.want("put", tx.Put([]byte("a"), nil), engine.ErrReadOnly)
		return nil
	}))
	nothing := func(context.Context, *engine.Tx) error { d.Error("fn ran"); return nil }
	calls := map[string]error{
		"put": db.Put(ctx, nil, nil), "delete": db.Delete(ctx, nil), "delete range": db.DeleteRange(ctx, engine.Range{}), "update": db.Update(ctx, nothing),
		"submit": second(db.Submit(ctx, nothing)), "sync": db.Sync(ctx), "checkpoint": second(db.Checkpoint(ctx)), "err": db.Err(),
	}
	for _, mode := range writing {
		calls["begin "+mode.String()] = second(db.Begin(ctx, mode))
	}
	d.wants(engine.ErrReadOnly, calls)
	i, err := db.Info(ctx)
	if err != nil || !i.ReadOnly || i.Last != 1 || i.Writer != nil || db.Durable() != 1 || db.Stats().Seq != 1 {
		d.Errorf("%+v %v", i, err)
	}
	tx := d.begin(db, engine.Reading)
	d.check(db.Close())
	d.want("a reader after close", second(tx.Get([]byte("a"))), engine.ErrClosed)
	d.want("get after close", second(db.Get(ctx, nil)), engine.ErrClosed)
	d.want("put after close", db.Put(ctx, nil, nil), engine.ErrClosed)
}

// checkpoint: it changes nothing but how the next opening goes.
func (d *dbTest) checkpoint() {
	ctx, db := d.Context(), d.open(engine.Options{CheckpointAfter: -1})
	res, err := db.Checkpoint(ctx)
	if err != nil || res.Written {
		d.Errorf("of nothing: %+v %v", res, err)
	}
	d.put(db.Scope, "a=1", "b=1")
	d.put(db.Scope, "b=2")
	tx := d.begin(db, engine.Immediate) // in nobody's way
	d.check(puts(tx, "a=never"))
	res, err = db.Checkpoint(ctx)
	if err != nil || !res.Written || res.Seq != 2 || res.Keys < 2 || res.Bytes == 0 || res.Base != 0 || res.Took < 0 {
		d.Errorf("of two batches: %+v %v", res, err)
	}
	if s := db.Stats(); s.SinceCheckpoint != 0 {
		d.Errorf("%d bytes since the checkpoint", s.SinceCheckpoint)
	}
	again, err := db.Checkpoint(ctx)
	if err != nil || again.Written || again.Seq != 2 {
		d.Errorf("again: %+v %v", again, err)
	}
	d.check(tx.Rollback())
	cancelled, cancel := context.WithCancelCause(ctx)
	cancel(errEnough)
	d.put(db.Scope, "c=3")
	d.want("cancelled", second(db.Checkpoint(cancelled)), errEnough)
	d.holds("after checkpoints", db.Scope, "a=1", "b=2", "c=3")
	if d.place.Volatile {
		return
	}
	d.check(db.Close())
	db = d.open(engine.Options{})
	if r := db.Report(); !r.Clean || r.Checkpoint != 2 || r.Replayed != 1 || r.Last != 3 {
		d.Errorf("reopened: %+v", r)
	}
	d.holds("reopened", db.Scope, "a=1", "b=2", "c=3")
}

// keep: how far back the log reaches is a setting of the store.
func (d *dbTest) keep() {
	d.lasting()
	ctx := d.Context()
	n := 0
	round := func(keep *engine.Keep) (base uint64) {
		db := d.open(engine.Options{CheckpointAfter: -1, Keep: keep})
		before, err := db.Info(ctx)
		d.check(err)
		for range 4 {
			n++
			d.check(db.Put(ctx, fmt.Appendf(nil, "k%03d", n), nil))
			res, err := db.Checkpoint(ctx)
			d.check(err)
			base = res.Base
		}
		i, err := db.Info(ctx)
		d.check(err)
		if keep != nil && i.Keep != *keep {
			d.Errorf("keep %+v, want %+v", i.Keep, *keep)
		}
		if i.First > max(base+1, before.First) {
			d.Errorf("keep %+v: base %d, and the log begins at %d", i.Keep, base, i.First)
		}
		d.check(db.Close())
		return i.Last - base
	}
	for _, tc := range []struct {
		keep *engine.Keep
		back uint64 // batches from the base to the end
	}{
		{nil, 1}, // the second newest checkpoint
		{&engine.Keep{Checkpoints: 1}, 0}, {&engine.Keep{Checkpoints: 3}, 2}, {nil, 2}, {&engine.Keep{Batches: 2}, 2}, {nil, 2},
	} {
		if back := round(tc.keep); back != tc.back {
			d.Errorf("keep %+v: the log reaches %d batches back, want %d", tc.keep, back, tc.back)
		}
	}
	if back := round(&engine.Keep{All: true}); back != uint64(n)+4 {
		d.Errorf("keep all: the log reaches %d batches back", back)
	}
	db := d.open(engine.Options{})
	if c, err := db.Count(ctx, engine.Range{}); err != nil || c != n {
		d.Errorf("%d keys %v, want %d", c, err, n)
	}
}
