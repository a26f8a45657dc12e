package vlogtest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/vlogdb/vlog/engine"
)

// past: every batch that is kept can be asked for, by its number and by its time, also
// once more was written, and in the words of transactions.
func (d *dbTest) past() {
	ctx, now := d.Context(), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	db := d.open(engine.Options{CheckpointAfter: -1, Keep: &engine.Keep{All: true}, Clock: func() time.Time { return now }})
	base := db.Durable()
	acme, err := db.Tenant("acme")
	d.check(err)
	for n := range 5 {
		now = now.Add(time.Minute)
		d.put(db.Scope, fmt.Sprint("n=", n), fmt.Sprint("k", n, "="))
		if n == 2 {
			_, err := db.Checkpoint(ctx)
			d.check(err)
		}
	}
	now = now.Add(time.Minute)
	d.put(acme, "n=5")
	d.check(db.DeleteRange(ctx, engine.Range{Prefix: []byte("k")}))
	for n := range uint64(5) {
		seq := base + n + 1
		p, err := db.At(ctx, seq)
		d.check(err)
		byTime, err := db.AtTime(ctx, p.Time())
		d.check(err)
		if p.Seq() != seq || byTime.Seq() != seq || byTime.Chain() != p.Chain() {
			d.Errorf("the past of %d is %d, by its time %v %d", seq, p.Seq(), p.Time(), byTime.Seq())
		}
		want := []string{}
		for k := range n + 1 {
			want = append(want, fmt.Sprint("k", k, "="))
		}
		want = append(want, fmt.Sprint("n=", n))
		d.same(fmt.Sprint("at ", seq), p.Scan(ctx, engine.Range{}), want...)
		d.check(p.View(ctx, func(_ context.Context, tx *engine.Tx) error {
			d.shows(fmt.Sprint("in a view at ", seq), tx, want...)
			d.want("a put in the past", tx.Put([]byte("n"), nil), engine.ErrReadOnly)
			return nil
		}))
		other, err := p.Tenant("acme")
		d.check(err)
		d.same("another tenant then", other.Scan(ctx, engine.Range{}))
	}
	d.want("the future", second(db.At(ctx, base+8)), engine.ErrNotFound)
	d.remembered(db, base)
}

// remembered: the changes of a key, newest first, and no more than were asked for.
func (d *dbTest) remembered(db *engine.DB, base uint64) {
	floor, err := db.Floor(d.Context())
	if d.check(err); floor != 0 {
		d.Errorf("all is kept, and the store reaches back to %d", floor)
	}
	for key, want := range map[string]string{"n": "put 5, put 4, put 3, put 2, put 1", "k0": "del-range 7, put 1", "x": ""} {
		newest, _, _ := strings.Cut(want, ", ")
		for limit, want := range map[int]string{0: want, 1: newest} {
			var got []string
			for e, err := range db.History(d.Context(), []byte(key), limit) {
				d.check(err)
				got = append(got, fmt.Sprint(e.Op, " ", e.Seq-base))
			}
			if got := strings.Join(got, ", "); got != want {
				d.Errorf("the history of %s, at most %d: %q, want %q", key, limit, got, want)
			}
		}
	}
}
