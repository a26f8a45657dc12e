package vlogtest

import (
	"context"
	"errors"
	"testing/synctest"

	"github.com/vlogdb/vlog/engine"
)

// closed: after Close every method that can fail is ErrClosed.
func (d *dbTest) closed() {
	ctx, db := d.Context(), d.open(engine.Options{})
	acme, err := db.Tenant("acme")
	d.check(err)
	d.put(db.Scope, "a=1")
	d.check(db.Err())
	d.check(db.Close())
	d.want("close", db.Close(), engine.ErrClosed)
	nothing := func(context.Context, *engine.Tx) error { d.Error("fn ran"); return nil }
	key := []byte("a")
	for _, s := range []engine.Scope{db.Scope, acme} {
		calls := map[string]error{
			"get": second(s.Get(ctx, key)), "entry": second(s.Entry(ctx, key)), "has": second(s.Has(ctx, key)), "scan": errOf(s.Scan(ctx, engine.Range{})),
			"count": second(s.Count(ctx, engine.Range{})), "put": s.Put(ctx, key, nil), "delete": s.Delete(ctx, key),
			"delete range": s.DeleteRange(ctx, engine.Range{}), "view": s.View(ctx, nothing), "update": s.Update(ctx, nothing),
			"submit": second(s.Submit(ctx, nothing)),
		}
		for _, mode := range append(writing, engine.Reading) {
			calls["begin "+mode.String()] = second(s.Begin(ctx, mode))
		}
		d.wants(engine.ErrClosed, calls)
	}
	d.wants(engine.ErrClosed, map[string]error{
		"sync": db.Sync(ctx), "checkpoint": second(db.Checkpoint(ctx)), "info": second(db.Info(ctx)), "tenants": errOf(db.Tenants(ctx)), "err": db.Err(),
	})
}

// closeWithTx: closing rolls back what is open, also what holds the writer's place.
func (d *dbTest) closeWithTx() {
	for _, mode := range append(writing, engine.Reading) {
		place := d.maker(d)
		db, err := place.Open(d.Context(), engine.Options{})
		opened(d, db, err)
		d.put(db.Scope, "a=1")
		tx := d.begin(db, mode)
		if mode != engine.Reading {
			d.check(puts(tx, "a=2"))
		}
		d.check(db.Close())
		for what, err := range useTx(tx) {
			d.want(mode.String()+" after close: "+what, err, engine.ErrClosed)
		}
		d.check(tx.Rollback())
		if place.Volatile {
			continue
		}
		db, err = place.Open(d.Context(), engine.Options{})
		opened(d, db, err)
		d.holds("reopened after "+mode.String(), db.Scope, "a=1")
	}
	db := d.open(engine.Options{})
	d.want("closed inside Update", db.Update(d.Context(), func(_ context.Context, tx *engine.Tx) error {
		return errors.Join(puts(tx, "a=1"), db.Close())
	}), engine.ErrClosed)
}

// closeWithWaiters: closing ends whoever waits to write: either it is written and
// was told so, or it is ErrClosed and left no trace.
func (d *dbTest) closeWithWaiters() {
	for _, holder := range []engine.Mode{engine.Immediate, engine.Exclusive} {
		place := d.maker(d)
		db, err := place.Open(d.Context(), engine.Options{})
		opened(d, db, err)
		d.closeWaiting(place, db, holder)
	}
}

func (d *dbTest) closeWaiting(place Place, db *engine.DB, holder engine.Mode) {
	ctx := d.Context()
	put := func(name string) func(context.Context, *engine.Tx) error {
		return func(_ context.Context, tx *engine.Tx) error { return puts(tx, name+"=1") }
	}
	begun := d.begin(db, engine.Deferred)
	if holder == engine.Exclusive {
		d.check(begun.Rollback())
	}
	tx := d.begin(db, holder)
	d.check(puts(tx, "holder=1"))
	waiting := map[string]<-chan error{
		"update": background(func() error { return db.Update(ctx, put("update")) }),
		"submit": background(func() error {
			p, err := db.Submit(ctx, put("submit"))
			if err != nil {
				return err
			}
			return second(p.Wait(ctx))
		}),
		"immediate": background(func() error { return d.inMode(db, engine.Immediate, put("immediate")) }),
		"exclusive": background(func() error { return d.inMode(db, engine.Exclusive, put("exclusive")) }),
	}
	for what, done := range waiting {
		quiet(d, what, done)
	}
	d.check(db.Close())
	synctest.Wait()
	wrote := map[string]bool{}
	for what, done := range waiting {
		err := <-done
		if wrote[what] = err == nil; err != nil {
			d.want(what, err, engine.ErrClosed)
		}
	}
	if place.Volatile {
		return
	}
	db, err := place.Open(ctx, engine.Options{})
	opened(d, db, err)
	for _, name := range []string{"holder", "update", "submit", "immediate", "exclusive"} {
		if has, err := db.Has(ctx, []byte(name)); err != nil || has != wrote[name] {
			d.Errorf("%s: it is there: %v %v, it was told so: %v", name, has, err, wrote[name])
		}
	}
	if r := db.Report(); !r.Clean {
		d.Errorf("closed, and the next opening had to repair: %+v", r)
	}
}

func (d *dbTest) inMode(db *engine.DB, mode engine.Mode, fn func(context.Context, *engine.Tx) error) error {
	tx, err := db.Begin(d.Context(), mode)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := fn(tx.Context(), tx); err != nil {
		return err
	}
	return tx.Commit()
}
