package vlogtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/vlogdb/vlog/engine"
)

// keyMax is the longest key, in bytes.
const keyMax = 32 << 10

// limits: exactly the limit is good; one byte more is ErrTooLarge, with nothing written.
func (d *dbTest) limits() {
	const batchMax = 4000
	ctx := d.Context()
	var bytesMax int
	db := d.open(engine.Options{MaxBatch: batchMax, Admit: func(_ context.Context, r engine.Request) error {
		bytesMax = max(bytesMax, r.Bytes)
		return nil
	}})
	value := make([]byte, batchMax)
	tx := d.begin(db, engine.Deferred)
	most := sort.Search(batchMax, func(n int) bool {
		return dropped(func(tx *engine.Tx) error { return tx.Put([]byte("k"), value[:n]) })(tx) != nil
	}) - 1
	d.check(tx.Put([]byte("k"), value[:most]))
	d.check(tx.Commit())
	if bytesMax != batchMax {
		d.Errorf("the largest batch that was taken has %d bytes, the limit is %d", bytesMax, batchMax)
	}
	seq := db.Stats().Seq
	d.want("one byte more", db.Put(ctx, []byte("k"), value[:most+1]), engine.ErrTooLarge)
	d.want("many small ones", db.Update(ctx, func(_ context.Context, tx *engine.Tx) error {
		for i := range batchMax {
			if err := tx.Put(fmt.Append(nil, i), nil); err != nil {
				return err
			}
		}
		return nil
	}), engine.ErrTooLarge)
	tx = d.begin(db, engine.Deferred)
	d.check(puts(tx, "a=1"))
	d.want("in a view", tx.Sub(func(sub *engine.Tx) error { return sub.Put([]byte("k"), value[:most]) }), engine.ErrTooLarge)
	d.check(puts(tx, "b=1"))
	if db.Stats().Seq != seq {
		d.Error("something was written")
	}
	d.check(tx.Commit())
	if v, err := db.Get(ctx, []byte("k")); err != nil || len(v) != most {
		d.Errorf("the value has %d bytes %v, want %d", len(v), err, most)
	}
	d.keyLimits()
}

func (d *dbTest) keyLimits() {
	db, err := d.maker(d).Open(d.Context(), engine.Options{})
	opened(d, db, err)
	ctx := d.Context()
	long := bytes.Repeat([]byte("\xff"), keyMax+1)
	other, err := db.Tenant(strings.Repeat("t", 64))
	d.check(err)
	for _, s := range []engine.Scope{db.Scope, other} {
		d.check(s.Put(ctx, long[:keyMax], []byte("v")))
		d.wants(engine.ErrTooLarge, map[string]error{
			"put": s.Put(ctx, long, nil), "delete": s.Delete(ctx, long), "to": s.DeleteRange(ctx, engine.Range{To: long}),
			"far to": s.DeleteRange(ctx, engine.Range{To: append(long, long...)}),
		})
		d.want("get", second(s.Get(ctx, long)), engine.ErrNotFound)
		if n, err := s.Count(ctx, engine.Range{Prefix: long[:keyMax]}); n != 1 || err != nil {
			d.Errorf("count %d %v", n, err)
		}
		d.check(s.DeleteRange(ctx, engine.Range{Prefix: long[:keyMax]}))
		if n, err := s.Count(ctx, engine.Range{}); n != 0 || err != nil {
			d.Errorf("count %d %v", n, err)
		}
	}
}

// admit: Options.Admit sees every request and may refuse it.
func (d *dbTest) admit() {
	ctx := d.Context()
	var seen []string
	refuse := error(nil)
	db := d.open(engine.Options{Admit: func(of context.Context, r engine.Request) error {
		seen = nil
		for c := range r.Changes() {
			seen = append(seen, fmt.Sprintf("%s %s %s %q=%q", c.Op, c.Space, c.Tenant, c.Key, c.Value))
			if (c.Op == "del-range") != (c.End != nil) || len(c.End) > 0 {
				d.Errorf("%s ends at %q", c.Op, c.End)
			}
		}
		if r.Bytes <= 0 || of.Value(admitKey{}) != "passed on" {
			d.Errorf("%d bytes, context %v", r.Bytes, of)
		}
		return refuse
	}})
	ctx = context.WithValue(ctx, admitKey{}, "passed on")
	d.check(db.Update(ctx, func(_ context.Context, tx *engine.Tx) error {
		acme, err := tx.Tenant("acme")
		return errors.Join(err, puts(tx, "a=1", "b=2"), tx.Delete([]byte("c")), acme.DeleteRange(engine.Range{}), puts(acme, "z=3"))
	}))
	want := []string{`del-range kv acme ""=""`, `put kv main "a"="1"`, `put kv main "b"="2"`, `del kv main "c"=""`, `put kv acme "z"="3"`}
	if !slices.Equal(seen, want) {
		d.Errorf("it saw %q, want %q", seen, want)
	}
	before := db.Stats()
	for _, refuse = range []error{errors.New("quota"), engine.ErrDenied, engine.ErrConflict} {
		runs := 0
		err := db.Update(ctx, func(_ context.Context, tx *engine.Tx) error { runs++; return puts(tx, "a=refused") })
		if !errors.Is(err, refuse) || runs != 1 {
			d.Errorf("refused by %v: %v, %d runs", refuse, err, runs)
		}
		d.want("submit", second(db.Submit(ctx, func(_ context.Context, tx *engine.Tx) error { return puts(tx, "a=refused") })), refuse)
		for _, mode := range writing {
			tx, err := db.Begin(ctx, mode)
			d.check(err)
			d.check(puts(tx, "a=refused"))
			d.want(mode.String(), tx.Commit(), refuse)
		}
	}
	refuse = nil
	if after := db.Stats(); after.Seq != before.Seq || after.OpenTx != 0 {
		d.Errorf("refused, and the store went from #%d to #%d, %d open", before.Seq, after.Seq, after.OpenTx)
	}
	d.holds("what was refused", db.Scope, "a=1", "b=2")
	d.check(db.Put(ctx, []byte("a"), []byte("admitted")))
}

type admitKey struct{}
