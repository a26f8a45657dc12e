package vlogtest

import (
	"context"
	"errors"
	"testing/synctest"

	"github.com/vlogdb/vlog/engine"
)

// immediate: who has the writer's place does not conflict; other writers wait, and
// readers and beginners do not.
func (d *dbTest) immediate() {
	ctx, db := d.Context(), d.open(engine.Options{})
	d.put(db.Scope, "a=1")
	earlier := d.begin(db, engine.Deferred)
	d.check(get("a")(earlier))
	d.check(puts(earlier, "c=1"))
	tx := d.begin(db, engine.Immediate)
	put := background(func() error { return db.Put(ctx, []byte("b"), []byte("put")) })
	next := background(func() error {
		tx, err := db.Begin(ctx, engine.Immediate)
		return errors.Join(err, get("a")(tx), get("b")(tx), puts(tx, "order=next"), tx.Commit())
	})
	quiet(d, "a commit", put)
	quiet(d, "another place", next)
	d.check(db.View(ctx, func(_ context.Context, tx *engine.Tx) error { return get("a")(tx) }))
	d.check(d.begin(db, engine.Deferred).Rollback())
	d.check(get("a")(tx))
	d.check(puts(tx, "a=2", "order=first"))
	d.check(tx.Commit())
	d.check(<-put)
	d.check(<-next)
	d.want("one that began before", earlier.Commit(), engine.ErrConflict)
	d.holds("in order", db.Scope, "a=2", "b=put", "order=next")
	d.check(d.begin(db, engine.Immediate).Rollback())
	d.put(db.Scope, "a=3") // the place was given back
}

// exclusive: waits until nobody else writes, and lets nobody begin; readers go on.
func (d *dbTest) exclusive() {
	ctx, db := d.Context(), d.open(engine.Options{})
	d.put(db.Scope, "a=1")
	open := []*engine.Tx{d.begin(db, engine.Deferred), d.begin(db, engine.Deferred)}
	begun := make(chan *engine.Tx, 1)
	go func() {
		tx, err := db.Begin(ctx, engine.Exclusive)
		if err != nil {
			d.Error(err)
		}
		begun <- tx
	}()
	quiet(d, "exclusive beside two others", begun)
	later := background(func() error { return db.Put(ctx, []byte("b"), []byte("later")) })
	quiet(d, "a writer behind it", later)
	d.check(open[0].Rollback())
	quiet(d, "exclusive beside one other", begun)
	d.check(puts(open[1], "a=2"))
	d.check(open[1].Commit())
	tx := <-begun
	d.shows("begun", tx, "a=2")
	quiet(d, "a writer beside it", later)
	reader := d.begin(db, engine.Reading)
	d.check(puts(tx, "a=3"))
	d.shows("a reader beside it", reader, "a=2")
	d.check(tx.Commit())
	d.check(<-later)
	d.holds("in order", db.Scope, "a=3", "b=later")
	d.check(reader.Rollback())
}

// errEnough is why contexts of these tests end.
var errEnough = errors.New("enough")

// cancelledBefore: a context that has ended begins nothing, and its cause is told.
func (d *dbTest) cancelledBefore() {
	db := d.open(engine.Options{})
	d.put(db.Scope, "a=1", "b=1")
	ctx, cancel := context.WithCancelCause(d.Context())
	tx, err := db.Begin(ctx, engine.Deferred)
	d.check(err)
	d.check(puts(tx, "a=2"))
	reader, err := db.Begin(ctx, engine.Reading)
	d.check(err)
	cancel(errEnough)
	never := func(context.Context, *engine.Tx) error { d.Error("fn ran"); return nil }
	calls := map[string]error{
		"update": db.Update(ctx, never), "view": db.View(ctx, never), "submit": second(db.Submit(ctx, never)), "put": db.Put(ctx, nil, nil),
		"delete": db.Delete(ctx, nil), "tx.put": puts(tx, "c=1"), "tx.delete": tx.Delete([]byte("a")), "sub": tx.Sub(func(*engine.Tx) error { return nil }),
		"commit": tx.Commit(), "scan": errOf(db.Scan(ctx, engine.Range{})),
	}
	for _, mode := range append(writing, engine.Reading) {
		calls["begin "+mode.String()] = second(db.Begin(ctx, mode))
	}
	d.wants(errEnough, calls)
	d.want("after the commit", tx.Commit(), engine.ErrNotInTx)
	d.check(reader.Rollback())
	d.cancelledInside(db)
	d.holds("nothing was written", db.Scope, "a=1", "b=1")
	d.check(d.begin(db, engine.Exclusive).Rollback())
}

// cancelledInside: the context ends while fn runs.
func (d *dbTest) cancelledInside(db *engine.DB) {
	for _, mode := range writing {
		ctx, cancel := context.WithCancelCause(d.Context())
		tx, err := db.Begin(ctx, mode)
		d.check(err)
		d.check(puts(tx, "a=2"))
		cancel(errEnough)
		d.check(get("a")(tx))
		d.want("submit "+mode.String(), second(tx.Submit()), errEnough)
		d.check(tx.Rollback())
	}
	ctx, cancel := context.WithCancelCause(d.Context())
	d.want("update", db.Update(ctx, func(_ context.Context, tx *engine.Tx) error {
		d.check(puts(tx, "a=2"))
		cancel(errEnough)
		return nil
	}), errEnough)
}

// cancelledWaiting: who gives up while waiting for the writer's place leaves no trace.
func (d *dbTest) cancelledWaiting() {
	db := d.open(engine.Options{})
	ctx, cancel := context.WithCancelCause(d.Context())
	tx := d.begin(db, engine.Immediate)
	d.check(puts(tx, "a=1"))
	put := func(key string) func(context.Context, *engine.Tx) error {
		return func(_ context.Context, tx *engine.Tx) error { return puts(tx, key+"=gone") }
	}
	waiting := map[string]<-chan error{
		"commit":    background(func() error { return db.Update(ctx, put("b")) }),
		"submit":    background(func() error { return second(db.Submit(ctx, put("c"))) }),
		"immediate": background(func() error { return second(db.Begin(ctx, engine.Immediate)) }),
		"exclusive": background(func() error { return second(db.Begin(ctx, engine.Exclusive)) }),
		"behind":    background(func() error { return second(db.Begin(ctx, engine.Deferred)) }),
	}
	for what, done := range waiting {
		quiet(d, what, done)
	}
	cancel(errEnough)
	for what, done := range waiting {
		d.want(what, <-done, errEnough)
	}
	d.check(tx.Commit())
	synctest.Wait()
	d.check(db.Sync(d.Context()))
	d.holds("after giving up", db.Scope, "a=1")
	d.check(d.begin(db, engine.Exclusive).Rollback())
}
