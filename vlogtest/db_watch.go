package vlogtest

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/vlogdb/vlog/engine"
)

// watch: the batches that are there, then those that come, each once; the loop ends
// with its context, and when the database is closed.
func (d *dbTest) watch() {
	ctx, db := d.Context(), d.open(engine.Options{})
	d.put(db.Scope, "a=1")
	d.put(db.Scope, "a=2", "b=2")
	d.watches(db, db)
	next, stop := iter.Pull2(db.Watch(ctx, db.Durable()+1))
	defer stop()
	d.check(db.Delete(ctx, []byte("a")))
	if b, err, ok := next(); err != nil || !ok || b.Seq != db.Durable() {
		d.Errorf("behind the newest comes %d %v %v", b.Seq, err, ok)
	}
	d.check(db.Close())
	_, err, ok := next()
	if d.want("the end", err, engine.ErrClosed); !ok {
		d.Error("it ends without an error")
	}
	if _, _, ok := next(); ok {
		d.Error("it goes on behind an error")
	}
}

// watches follows on one database, from its first batch on, what is put by another.
func (d *dbTest) watches(writer, db *engine.DB) {
	d.Helper()
	ctx, cancel := context.WithCancelCause(d.Context())
	defer cancel(nil)
	seq, last := uint64(0), writer.Durable()+3
	var ended error
	for b, err := range db.Watch(ctx, 0) {
		if ended = err; err != nil {
			continue
		}
		if seq++; b.Seq != seq || b.Time.IsZero() || len(b.Chain) != 64 || b.Bytes == 0 {
			d.Fatalf("got %+v, want batch %d", b, seq)
		}
		if seq == last {
			cancel(errEnough)
		} else if seq+3 >= last {
			d.put(writer.Scope, fmt.Sprint("n=", seq))
		}
	}
	if d.want("the end", ended, errEnough); seq != last {
		d.Errorf("it ended behind %d", seq)
	}
}

// readBeside: what one database was answered, another that is open read-only shows.
func (d *dbTest) readBeside() {
	d.lasting()
	ctx, db := d.Context(), d.open(engine.Options{CheckpointAfter: -1})
	d.put(db.Scope, "a=1")
	r := d.open(engine.Options{ReadOnly: true})
	d.holds("opened beside", r.Scope, "a=1")
	tx := d.begin(r, engine.Reading)
	d.put(db.Scope, "b=2")
	d.holds("after a put", r.Scope, "a=1", "b=2")
	d.shows("begun before it", tx, "a=1")
	_, err := db.Checkpoint(ctx)
	d.check(errors.Join(err, db.Delete(ctx, []byte("a"))))
	d.holds("after a checkpoint", r.Scope, "b=2")
	d.watches(db, r)
	i, err := r.Info(ctx)
	if err != nil || !i.ReadOnly || i.Writer == nil || i.Last != db.Durable() {
		d.Errorf("%+v %v", i, err)
	}
	d.check(db.Close())
	d.holds("closed", r.Scope, "b=2", "n=5")
	db = d.open(engine.Options{})
	d.put(db.Scope, "c=3")
	d.holds("and opened again", r.Scope, "b=2", "c=3", "n=5")
	d.check(errors.Join(db.Close(), r.Close()))
}
