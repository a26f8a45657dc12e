package vlogtest

import (
	"context"
	"errors"

	"github.com/vlogdb/vlog/engine"
)

// race is what a Deferred transaction reads, and what somebody else commits before
// it does. The store holds a, b, c and d.
type race struct {
	read    func(tx *engine.Tx) error
	between func(tx *engine.Tx) error
}

func get(key string) func(tx *engine.Tx) error {
	return func(tx *engine.Tx) error {
		_, err := tx.Get([]byte(key))
		if errors.Is(err, engine.ErrNotFound) {
			return nil
		}
		return err
	}
}

func write(pairs ...string) func(tx *engine.Tx) error {
	return func(tx *engine.Tx) error { return puts(tx, pairs...) }
}

func remove(key string) func(tx *engine.Tx) error {
	return func(tx *engine.Tx) error { return tx.Delete([]byte(key)) }
}

// scan goes through n entries of a range, all where n is 0.
func scan(r engine.Range, n int) func(tx *engine.Tx) error {
	return func(tx *engine.Tx) error {
		for _, err := range tx.Scan(r) {
			if err != nil {
				return err
			}
			if n--; n == 0 {
				break
			}
		}
		return nil
	}
}

func from(key string) engine.Range { return engine.Range{From: []byte(key)} }

// of does something in another tenant.
func of(name string, fn func(tx *engine.Tx) error) func(tx *engine.Tx) error {
	return func(tx *engine.Tx) error {
		other, err := tx.Tenant(name)
		if err != nil {
			return err
		}
		return fn(other)
	}
}

// dropped does something in a view that is dropped.
func dropped(fn func(tx *engine.Tx) error) func(tx *engine.Tx) error {
	return func(tx *engine.Tx) error {
		drop := errors.New("drop")
		err := tx.Sub(func(tx *engine.Tx) error {
			if err := fn(tx); err != nil {
				return err
			}
			return drop
		})
		if err == drop {
			return nil
		}
		return err
	}
}

func both(fns ...func(tx *engine.Tx) error) func(tx *engine.Tx) error {
	return func(tx *engine.Tx) error {
		for _, fn := range fns {
			if err := fn(tx); err != nil {
				return err
			}
		}
		return nil
	}
}

var conflicting = map[string]race{
	"changed":                {get("a"), write("a=2")},
	"put again alike":        {get("a"), write("a=1")},
	"deleted":                {get("a"), remove("a")},
	"made":                   {get("x"), write("x=1")},
	"deleted by range":       {get("b"), func(tx *engine.Tx) error { return tx.DeleteRange(from("b")) }},
	"asked for":              {func(tx *engine.Tx) error { return second(tx.Has([]byte("x"))) }, write("x=1")},
	"counted":                {func(tx *engine.Tx) error { return second(tx.Count(from("b"))) }, write("bb=1")},
	"phantom":                {scan(engine.Range{}, 0), write("bb=1")},
	"phantom at the end":     {scan(engine.Range{}, 0), write("e=1")},
	"phantom before":         {scan(engine.Range{}, 1), write("=1")},
	"phantom from the end":   {scan(engine.Range{Reverse: true}, 2), write("cc=1")},
	"last one gone through":  {scan(engine.Range{}, 2), write("b=2")},
	"nothing in the range":   {scan(from("x"), 0), write("y=1")},
	"read in a dropped view": {dropped(get("a")), write("a=2")},
	"another tenant's":       {of("acme", get("a")), of("acme", write("a=1"))},
	"read, then written":     {both(get("a"), write("a=9")), write("a=2")},
	"under a deleted range":  {both(func(tx *engine.Tx) error { return tx.DeleteRange(from("c")) }, scan(engine.Range{}, 0)), write("cc=1")},
}

// conflicts: where what a Deferred transaction read has changed, its commit is
// ErrConflict and nothing is written.
func (d *dbTest) conflicts() {
	db := d.open(engine.Options{})
	for name, r := range conflicting {
		d.put(db.Scope, "a=1", "b=1", "c=1", "d=1")
		before := db.Stats().Conflicts
		d.want(name, d.race(db, r), engine.ErrConflict)
		d.want(name+": what lost", second(db.Get(d.Context(), []byte("mine"))), engine.ErrNotFound)
		if n := db.Stats().Conflicts - before; n != 1 {
			d.Errorf("%s: counted as %d conflicts", name, n)
		}
		d.clear(db)
	}
}

// commitInLoop: what a loop has read counts also where the transaction is committed
// inside it, as whoever takes the first of a queue does.
func (d *dbTest) commitInLoop() {
	db := d.open(engine.Options{})
	d.put(db.Scope, "job/1=")
	take := func(tx *engine.Tx) error {
		for e, err := range tx.Scan(engine.Range{Prefix: []byte("job/")}) {
			d.check(err)
			d.check(errors.Join(tx.Delete(e.Key), puts(tx, "mine=1")))
			return tx.Commit()
		}
		return engine.ErrNotFound
	}
	first, second := d.begin(db, engine.Deferred), d.begin(db, engine.Deferred)
	d.check(take(first))
	d.want("the job was taken twice", take(second), engine.ErrConflict)
}

// race commits a transaction that reads while somebody else commits.
func (d *dbTest) race(db *engine.DB, r race) error {
	tx := d.begin(db, engine.Deferred)
	d.check(r.read(tx))
	d.check(db.Update(d.Context(), func(_ context.Context, tx *engine.Tx) error { return r.between(tx) }))
	d.check(puts(tx, "mine=1"))
	return tx.Commit()
}

func (d *dbTest) clear(db *engine.DB) {
	d.Helper()
	for name, err := range db.Tenants(d.Context()) {
		d.check(err)
		s, err := db.Tenant(name)
		d.check(err)
		d.check(s.DeleteRange(d.Context(), engine.Range{}))
	}
}

// noConflicts: what was not read may change.
func (d *dbTest) noConflicts() {
	db := d.open(engine.Options{})
	for name, r := range map[string]race{
		"read nothing":            {both(), write("a=2")},
		"written blindly":         {both(write("a=9"), remove("b")), write("a=2", "b=2")},
		"another key":             {get("a"), write("b=2", "aa=1")},
		"another tenant":          {both(get("a"), scan(engine.Range{}, 0)), of("acme", write("a=2", "b=2"))},
		"its own":                 {both(write("a=9"), get("a")), write("a=2")},
		"deleted by itself":       {both(func(tx *engine.Tx) error { return tx.DeleteRange(from("b")) }, get("c")), write("c=2")},
		"behind a broken loop":    {scan(engine.Range{}, 2), write("bb=1", "c=2")},
		"before a backward one":   {scan(engine.Range{Reverse: true}, 2), write("bb=1", "a=2")},
		"outside the range":       {scan(engine.Range{From: []byte("b"), To: []byte("c")}, 0), write("a=2", "c=2", "az=1")},
		"a range turned around":   {scan(engine.Range{From: []byte("c"), To: []byte("b")}, 0), write("b=2", "c=2")},
		"deleting what is absent": {get("x"), remove("x")},
	} {
		d.put(db.Scope, "a=1", "b=1", "c=1", "d=1")
		if err := d.race(db, r); err != nil {
			d.Errorf("%s: %v", name, err)
		}
		d.clear(db)
	}
	reader := d.begin(db, engine.Deferred)
	d.check(scan(engine.Range{}, 0)(reader))
	d.put(db.Scope, "a=2")
	d.check(reader.Commit()) // it changed nothing: it came before
}

// retries: Update runs fn again until it does not conflict, at last where nobody
// can come between.
func (d *dbTest) retries() {
	ctx, db := d.Context(), d.open(engine.Options{})
	d.put(db.Scope, "n=")
	runs, last := 0, engine.Deferred
	d.check(db.Update(ctx, func(_ context.Context, tx *engine.Tx) error {
		runs++
		last = tx.Mode()
		v, err := tx.Get([]byte("n"))
		if err != nil {
			return err
		}
		if last == engine.Deferred {
			d.put(db.Scope, "n="+string(v)+"o")
		}
		return tx.Put([]byte("n"), append([]byte("mine:"), v...))
	}))
	if runs < 2 || runs > 10 || last != engine.Immediate {
		d.Errorf("ran %d times, at last %v", runs, last)
	}
	v, err := db.Get(ctx, []byte("n"))
	if err != nil || len(v) != len("mine:")+runs-1 {
		d.Errorf("%q %v after %d runs", v, err, runs)
	}
}
