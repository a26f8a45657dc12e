package vlogtest

import (
	"context"
	"errors"
	"runtime"
	"testing/synctest"

	"github.com/vlogdb/vlog/engine"
)

var writing = []engine.Mode{engine.Deferred, engine.Immediate, engine.Exclusive}

// modes: whatever the mode, a transaction sees its own changes, others see them
// after the commit and never before, and a rollback leaves nothing.
func (d *dbTest) modes() {
	ctx, db := d.Context(), d.open(engine.Options{})
	d.put(db.Scope, "a=1")
	for i, mode := range writing {
		tx := d.begin(db, mode)
		if tx.Mode() != mode || !tx.Open() || tx.Seq() != 0 || tx.Base() != uint64(i+1) {
			d.Errorf("begun in %v: mode %v open %v seq %d base %d", mode, tx.Mode(), tx.Open(), tx.Seq(), tx.Base())
		}
		d.check(puts(tx, "a="+mode.String()))
		d.check(tx.Delete([]byte("never there")))
		e, err := tx.Entry([]byte("a"))
		if err != nil || string(e.Value) != mode.String() || e.Seq != 0 {
			d.Errorf("%v: its own change is %+v %v", mode, e, err)
		}
		before, err := db.Entry(ctx, []byte("a"))
		if err != nil || before.Seq != uint64(i+1) {
			d.Errorf("%v: before the commit others see %+v %v", mode, before, err)
		}
		if s := db.Stats(); s.OpenTx != 1 {
			d.Errorf("%v: %d transactions are open", mode, s.OpenTx)
		}
		d.check(tx.Commit())
		after, err := db.Entry(ctx, []byte("a"))
		if err != nil || after.Seq != tx.Seq() || tx.Seq() != uint64(i+2) || tx.Open() {
			d.Errorf("%v: committed as %d, others see %+v %v", mode, tx.Seq(), after, err)
		}
		if db.Durable() != tx.Seq() {
			d.Errorf("%v: committed as %d, durable %d", mode, tx.Seq(), db.Durable())
		}
		tx = d.begin(db, mode)
		d.check(puts(tx, "a=rolled back", "b=rolled back"))
		d.check(tx.Rollback())
		d.holds(mode.String(), db.Scope, "a="+mode.String())
		tx = d.begin(db, mode)
		d.check(tx.Commit())
		if tx.Seq() != 0 || db.Stats().OpenTx != 0 {
			d.Errorf("%v: nothing was committed as %d, %d open", mode, tx.Seq(), db.Stats().OpenTx)
		}
	}
	_, err := db.Begin(ctx, engine.Reading+1)
	d.want("a mode that there is not", err, engine.ErrBadName)
}

// useTx calls every method of a transaction that can fail.
func useTx(tx *engine.Tx) map[string]error {
	key := []byte("k")
	calls := map[string]error{
		"get": second(tx.Get(key)), "entry": second(tx.Entry(key)), "has": second(tx.Has(key)), "scan": errOf(tx.Scan(engine.Range{})),
		"count": second(tx.Count(engine.Range{})), "put": tx.Put(key, nil), "delete": tx.Delete(key), "delete range": tx.DeleteRange(engine.Range{}),
		"sub": tx.Sub(func(*engine.Tx) error { return nil }),
	}
	calls["commit"] = tx.Commit()
	calls["submit"] = second(tx.Submit())
	return calls
}

// ended: nothing is left to do in a transaction that is over, but Rollback, which
// does nothing.
func (d *dbTest) ended() {
	ctx, db := d.Context(), d.open(engine.Options{})
	ends := map[string]func(tx *engine.Tx) error{
		"commit": (*engine.Tx).Commit, "rollback": (*engine.Tx).Rollback,
		"submit": func(tx *engine.Tx) error { return second(tx.Submit()) },
	}
	for name, end := range ends {
		for _, mode := range append(writing, engine.Reading) {
			tx := d.begin(db, mode)
			if mode != engine.Reading {
				d.check(puts(tx, "k="+name))
			}
			d.check(end(tx))
			for what, err := range useTx(tx) {
				d.want(mode.String()+" after "+name+": "+what, err, engine.ErrNotInTx)
			}
			d.check(tx.Rollback())
			if tx.Open() {
				d.Errorf("%v is open after %s", mode, name)
			}
		}
	}
	d.check(db.Sync(ctx))
	d.put(db.Scope, "k=still works")
}

// reading: a picture that stays as it is and that nobody can change.
func (d *dbTest) reading() {
	ctx, db := d.Context(), d.open(engine.Options{})
	d.put(db.Scope, "a=1")
	tx := d.begin(db, engine.Reading)
	d.put(db.Scope, "a=2", "b=2")
	d.shows("an old picture", tx, "a=1")
	e, err := tx.Entry([]byte("a"))
	d.check(err)
	if tx.Base() != 1 || e.Seq != 1 || tx.Mode() != engine.Reading {
		d.Errorf("base %d, put by %d, %v", tx.Base(), e.Seq, tx.Mode())
	}
	d.wants(engine.ErrReadOnly, map[string]error{
		"put": tx.Put([]byte("a"), nil), "delete": tx.Delete([]byte("a")), "delete range": tx.DeleteRange(engine.Range{}),
		"sub": tx.Sub(func(*engine.Tx) error { return nil }),
	})
	if db.Stats().OpenTx != 0 {
		d.Error("a reader counts as an open writing transaction")
	}
	d.check(tx.Commit())
	d.want("put in a view", db.View(ctx, func(_ context.Context, tx *engine.Tx) error { return tx.Put([]byte("a"), nil) }), engine.ErrReadOnly)
	d.holds("the store", db.Scope, "a=2", "b=2")
}

// closures: nil commits, an error or a panic rolls back and comes out as it is.
func (d *dbTest) closures() {
	ctx, db := d.Context(), d.open(engine.Options{})
	failed := errors.New("failed")
	var kept *engine.Tx
	fail := func(_ context.Context, tx *engine.Tx) error {
		kept = tx
		if tx.Mode() != engine.Reading {
			d.check(puts(tx, "k=failed"))
		}
		return failed
	}
	d.put(db.Scope, "k=good")
	if err := db.Update(ctx, fail); err != failed {
		d.Errorf("the error of fn came out as %v", err)
	}
	d.want("what fn kept", kept.Put(nil, nil), engine.ErrNotInTx)
	if err := db.View(ctx, fail); err != failed {
		d.Errorf("the error of fn came out as %v", err)
	}
	d.want("what fn kept", second(kept.Get(nil)), engine.ErrNotInTx)
	p, err := db.Submit(ctx, fail)
	if err != failed || p != nil {
		d.Errorf("the error of fn came out as %v", err)
	}
	for name, call := range map[string]func(fn func(context.Context, *engine.Tx) error) error{
		"update": func(fn func(context.Context, *engine.Tx) error) error { return db.Update(ctx, fn) },
		"view":   func(fn func(context.Context, *engine.Tx) error) error { return db.View(ctx, fn) },
		"submit": func(fn func(context.Context, *engine.Tx) error) error { return second(db.Submit(ctx, fn)) },
	} {
		got := recovered(func() {
			_ = call(func(ctx context.Context, tx *engine.Tx) error {
				_ = fail(ctx, tx)
				panic(name)
			})
		})
		if got != name || kept.Open() {
			d.Errorf("the panic in %s came out as %v, the transaction is open: %v", name, got, kept.Open())
		}
	}
	d.holds("after the failures", db.Scope, "k=good")
	if n := db.Stats().OpenTx; n != 0 {
		d.Errorf("%d transactions are left open", n)
	}
	d.check(d.begin(db, engine.Exclusive).Rollback()) // nothing is held either
}

func recovered(fn func()) (v any) {
	defer func() { v = recover() }()
	fn()
	return nil
}

// closuresThatEnd: fn tries to end its transaction by itself, which does nothing, or
// ends its goroutine.
func (d *dbTest) closuresThatEnd() {
	ctx, db := d.Context(), d.open(engine.Options{})
	for name, end := range map[string]func(tx *engine.Tx) error{
		"commit":   (*engine.Tx).Commit,
		"submit":   func(tx *engine.Tx) error { return second(tx.Submit()) },
		"rollback": (*engine.Tx).Rollback,
	} {
		d.want(name, db.Update(ctx, func(_ context.Context, tx *engine.Tx) error {
			return errors.Join(puts(tx, "a=1"), end(tx))
		}), engine.ErrInTx)
		d.holds(name+" in fn", db.Scope)
		d.check(db.Update(ctx, func(_ context.Context, tx *engine.Tx) error {
			d.want(name, end(tx), engine.ErrInTx)
			return puts(tx, "b=1")
		}))
		d.holds(name+" in fn, and no error", db.Scope, "b=1")
		d.want(name+" in a view", db.View(ctx, func(_ context.Context, tx *engine.Tx) error { return end(tx) }), engine.ErrInTx)
		d.check(db.Delete(ctx, []byte("b")))
	}
	d.keptBeyond(db)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = db.Update(ctx, func(_ context.Context, tx *engine.Tx) error {
			_ = puts(tx, "a=1")
			runtime.Goexit()
			return nil
		})
	}()
	<-gone
	d.holds("the goroutine ended in fn", db.Scope)
	d.check(d.begin(db, engine.Exclusive).Rollback())
}

// keptBeyond: a transaction that outlives its function has ended like any other.
func (d *dbTest) keptBeyond(db *engine.DB) {
	ctx, txs := d.Context(), []*engine.Tx{}
	keep := func(_ context.Context, tx *engine.Tx) error { txs = append(txs, tx); return nil }
	failed := errors.New("failed")
	d.check(db.View(ctx, keep))
	d.check(db.Update(ctx, keep))
	d.want("update", db.Update(ctx, func(ctx context.Context, tx *engine.Tx) error { return errors.Join(keep(ctx, tx), failed) }), failed)
	recovered(func() {
		_ = db.Update(ctx, func(ctx context.Context, tx *engine.Tx) error { panic(keep(ctx, tx)) })
	})
	for _, tx := range txs {
		d.wants(engine.ErrNotInTx, map[string]error{"commit": tx.Commit(), "submit": second(tx.Submit()), "get": second(tx.Get(nil))})
		d.check(tx.Rollback())
	}
}

// inTx: beginning to write inside a transaction is an error and never a deadlock;
// reading is allowed, and so is another store.
func (d *dbTest) inTx() {
	db, nothing := d.open(engine.Options{}), func(context.Context, *engine.Tx) error { return nil }
	acme, err := db.Tenant("acme")
	d.check(err)
	other, err := d.maker(d).Open(d.Context(), engine.Options{})
	opened(d, other, err)
	d.put(db.Scope, "a=1")
	inside := func(ctx context.Context, tx *engine.Tx) error {
		calls := map[string]error{
			"update": db.Update(ctx, nothing), "submit": second(db.Submit(ctx, nothing)), "tenant": acme.Update(ctx, nothing),
			"put": db.Put(ctx, nil, nil), "delete": db.Delete(ctx, nil), "delete range": db.DeleteRange(ctx, engine.Range{}),
			"tx.Context": db.Update(tx.Context(), nothing), "from a view": db.View(ctx, func(ctx context.Context, _ *engine.Tx) error { return db.Update(ctx, nothing) }),
		}
		for _, mode := range writing {
			calls["begin "+mode.String()] = second(db.Begin(ctx, mode))
		}
		d.wants(engine.ErrInTx, calls)
		d.check(db.View(ctx, func(_ context.Context, view *engine.Tx) error {
			d.shows("a view inside", view, "a=1")
			return nil
		}))
		d.check(other.Put(ctx, []byte("a"), []byte("other")))
		return puts(tx, "a=1")
	}
	d.check(db.Update(d.Context(), inside))
	for _, mode := range writing {
		tx := d.begin(db, mode)
		d.check(inside(tx.Context(), tx))
		d.check(tx.Commit())
	}
	d.check(db.View(d.Context(), func(ctx context.Context, _ *engine.Tx) error { return db.Put(ctx, []byte("a"), []byte("from a view")) }))
	d.holds("written from a view", db.Scope, "a=from a view")
	d.holds("the other store", other.Scope, "a=other")
}

// sub: a view that is folded in, or dropped.
func (d *dbTest) sub() {
	ctx, db := d.Context(), d.open(engine.Options{})
	d.put(db.Scope, "a=1", "b=1", "c=1")
	drop := errors.New("drop")
	d.check(db.Update(ctx, func(_ context.Context, tx *engine.Tx) error {
		d.check(puts(tx, "a=2"))
		d.check(tx.Sub(func(sub *engine.Tx) error {
			d.shows("a view", sub, "a=2", "b=1", "c=1")
			d.check(sub.DeleteRange(engine.Range{To: []byte("c")}))
			d.check(puts(sub, "aa=3"))
			if err := sub.Sub(func(sub *engine.Tx) error {
				d.check(puts(sub, "a=4", "aa=4"))
				d.check(sub.Delete([]byte("c")))
				d.shows("a view on a view", sub, "a=4", "aa=4")
				return drop
			}); err != drop {
				d.Errorf("the error came out as %v", err)
			}
			d.shows("after a dropped view", sub, "aa=3", "c=1")
			return sub.Sub(func(sub *engine.Tx) error { return puts(sub, "d=5") })
		}))
		d.shows("after folding", tx, "aa=3", "c=1", "d=5")
		d.want("a dropped view", tx.Sub(func(sub *engine.Tx) error {
			d.check(sub.DeleteRange(engine.Range{}))
			d.check(sub.Sub(func(sub *engine.Tx) error { return puts(sub, "e=6") }))
			return drop
		}), drop)
		return nil
	}))
	d.holds("committed", db.Scope, "aa=3", "c=1", "d=5")
	tx := d.begin(db, engine.Deferred)
	d.want("committed in a view", tx.Sub(func(sub *engine.Tx) error { return errors.Join(puts(sub, "f=7"), tx.Commit()) }), engine.ErrNotInTx)
	d.holds("committed in a view", db.Scope, "aa=3", "c=1", "d=5", "f=7")
}

// subPanics: a panic drops the views that it goes through, and the transaction
// goes on where it is caught.
func (d *dbTest) subPanics() {
	db := d.open(engine.Options{})
	tx := d.begin(db, engine.Deferred)
	d.check(puts(tx, "a=1"))
	got := recovered(func() {
		_ = tx.Sub(func(sub *engine.Tx) error {
			_ = puts(sub, "b=2")
			return sub.Sub(func(sub *engine.Tx) error {
				_ = puts(sub, "c=3")
				panic("out")
			})
		})
	})
	if got != "out" {
		d.Errorf("the panic came out as %v", got)
	}
	d.shows("after the panic", tx, "a=1")
	d.check(tx.Commit())
	d.holds("committed", db.Scope, "a=1")
}

// submit: the order is given at once, the answer comes when it is on disk.
func (d *dbTest) submit() {
	ctx, db := d.Context(), d.open(engine.Options{})
	var pending []*engine.Pending
	for _, mode := range writing {
		tx := d.begin(db, mode)
		d.check(puts(tx, "a="+mode.String()))
		p, err := tx.Submit()
		d.check(err)
		pending = append(pending, p)
		if tx.Seq() != uint64(len(pending)) {
			d.Errorf("submitted as %d", tx.Seq())
		}
	}
	p, err := db.Submit(ctx, func(_ context.Context, tx *engine.Tx) error { return puts(tx, "b=last") })
	d.check(err)
	empty, err := db.Submit(ctx, func(context.Context, *engine.Tx) error { return nil })
	d.check(err)
	if seq, err := empty.Wait(ctx); seq != 0 || err != nil {
		d.Errorf("nothing was submitted as %d %v", seq, err)
	}
	synctest.Wait()
	d.check(db.Sync(ctx))
	d.holds("synced", db.Scope, "a=exclusive", "b=last")
	for i, p := range append(pending, p, p) {
		if seq, err := p.Wait(ctx); err != nil || seq != uint64(min(i+1, 4)) {
			d.Errorf("wait %d: %d %v", i, seq, err)
		}
	}
	if db.Durable() != 4 {
		d.Errorf("durable %d", db.Durable())
	}
}
