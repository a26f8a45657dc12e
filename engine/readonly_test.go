package engine_test

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"testing"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// TestReadOnlyShows: each way to read shows what another DB was answered; a view keeps
// its picture.
func TestReadOnlyShows(t *testing.T) {
	ctx, m := t.Context(), tracked()
	db := open(t, m.Reopen(), quiet)
	put(t, db, "a", "1")
	r := readBeside(t, m)
	acme, err := db.Tenant("acme")
	check(t, err)
	n := uint64(1)
	next := func() []byte {
		n++
		key := fmt.Appendf(nil, "key%d", n)
		check(t, acme.Put(ctx, key, key))
		return key
	}
	other, err := r.Tenant("acme")
	check(t, err)
	for what, look := range map[string]func(key []byte) (bool, error){
		"get":   func(key []byte) (bool, error) { v, err := other.Get(ctx, key); return string(v) == string(key), err },
		"entry": func(key []byte) (bool, error) { e, err := other.Entry(ctx, key); return e.Seq == n, err },
		"has":   func(key []byte) (bool, error) { return other.Has(ctx, key) },
		"count": func(key []byte) (bool, error) {
			c, err := other.Count(ctx, engine.Range{})
			return uint64(c) == n-1, err
		},
		"durable": func([]byte) (bool, error) { return r.Durable() == n, nil },
		"stats":   func([]byte) (bool, error) { s := r.Stats(); return s.Seq == n && s.Durable == n, nil },
		"info":    func([]byte) (bool, error) { i, err := r.Info(ctx); return i.Last == n && i.Writer != nil, err },
		"plan":    func([]byte) (bool, error) { p, err := r.PlanCheckpoint(ctx); return p.Seq == n, err },
		"scan": func(key []byte) (found bool, err error) {
			for e, err := range other.Scan(ctx, engine.Range{}) {
				if err != nil {
					return false, err
				}
				found = found || string(e.Key) == string(key)
			}
			return found, nil
		},
		"tenants": func([]byte) (bool, error) {
			names := 0
			for _, err := range r.Tenants(ctx) {
				if err != nil {
					return false, err
				}
				names++
			}
			return names == 2, nil
		},
		"batches": func([]byte) (bool, error) {
			last := uint64(0)
			for b, err := range r.Batches(ctx, 0) {
				if err != nil {
					return false, err
				}
				last = b.Seq
			}
			return last == n, nil
		},
		"view": func(key []byte) (ok bool, err error) {
			return ok, other.View(ctx, func(_ context.Context, tx *engine.Tx) error {
				later := next()
				if has, err := tx.Has(later); has || err != nil {
					return fmt.Errorf("a view changed: %w", err)
				}
				ok, err = tx.Has(key)
				return err
			})
		},
	} {
		if ok, err := look(next()); !ok || err != nil {
			t.Errorf("%s: %v %v", what, ok, err)
		}
	}
}

// TestReadOnlyFails: what cannot be read is told by every method that can tell, and
// what was read before is still shown by the others.
func TestReadOnlyFails(t *testing.T) {
	ctx, m := t.Context(), tracked()
	db := open(t, m.Reopen(), quiet)
	put(t, db, "a", "1")
	f := newFailing(m.Reopen())
	r := open(t, f, engine.Options{ReadOnly: true})
	tx, err := r.Begin(ctx, engine.Reading)
	check(t, err)
	f.set(on(vfs.OnKind(vfs.OpRead), engine.ErrIO))
	put(t, db, "a", "2")
	for what, err := range map[string]error{
		"get": second(r.Get(ctx, []byte("a"))), "has": second(r.Has(ctx, []byte("a"))), "count": second(r.Count(ctx, engine.Range{})),
		"view": r.View(ctx, func(context.Context, *engine.Tx) error { return nil }), "begin": second(r.Begin(ctx, engine.Reading)),
		"info": second(r.Info(ctx)), "refresh": r.Refresh(ctx), "plan": second(r.PlanCheckpoint(ctx)), "scan": last(r.Scan(ctx, engine.Range{})),
		"tenants": last(r.Tenants(ctx)), "batches": last(r.Batches(ctx, 0)), "watch": last(r.Watch(ctx, 0)),
	} {
		want(t, what, err, engine.ErrIO)
	}
	if v, err := tx.Get([]byte("a")); err != nil || string(v) != "1" || r.Durable() != 1 || r.Stats().Seq != 1 {
		t.Errorf("begun before: %q %v", v, err)
	}
	f.set(nil)
	if v := value(t, r, "a"); v != "2" {
		t.Errorf("it shows %q", v)
	}
	check(t, r.Close())
	want(t, "refresh", r.Refresh(ctx), engine.ErrClosed)
	check(t, db.Refresh(ctx))
}

// second drops a result.
func second[T any](_ T, err error) error { return err }

// last returns what ended a sequence.
func last[T any](seq iter.Seq2[T, error]) (err error) {
	for _, err = range seq {
	}
	return err
}

// TestReadersAtOnce: many read on one read-only DB while another DB writes; everybody
// sees what was answered before they asked.
func TestReadersAtOnce(t *testing.T) {
	m := tracked()
	opts := quiet
	opts.SegmentSize, opts.Keep = 8<<10, &engine.Keep{Checkpoints: 1}
	db := open(t, m.Reopen(), opts)
	put(t, db, "n", "0")
	r := readBeside(t, m)
	var acked sync.Map // of "n" by its only key
	acked.Store("n", 0)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				least, _ := acked.Load("n")
				v, err := r.Get(t.Context(), []byte("n"))
				var n int
				if _, e := fmt.Sscan(string(v), &n); err != nil || e != nil || n < least.(int) {
					t.Errorf("read %q %v, answered was %v", v, err, least)
					return
				}
			}
		})
	}
	for i := 1; i <= 600; i++ {
		put(t, db, "n", fmt.Sprint(i))
		acked.Store("n", i)
		if i%100 == 0 {
			_, err := db.Checkpoint(t.Context())
			check(t, err)
		}
	}
	close(stop)
	readers.Wait()
}

// TestReadOnlyBetweenOpenings: a writer that came and went cleanly between two looks
// left nothing but a line in LOCK to tell of it.
func TestReadOnlyBetweenOpenings(t *testing.T) {
	m := tracked()
	check(t, open(t, m.Reopen(), quiet).Close())
	r := readBeside(t, m)
	for i := range 5 {
		if i > 0 && value(t, r, "key") != fmt.Sprint(i) {
			t.Fatalf("opening %d: shows %q", i, value(t, r, "key"))
		}
		db := open(t, m.Reopen(), quiet)
		put(t, db, "key", fmt.Sprint(i+1))
		check(t, db.Close())
	}
}
