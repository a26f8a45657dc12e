package fuzz

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"strings"
	"testing/synctest"
	"time"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/recovery"
)

// act is one public operation of the engine, as a sweep does it again and again.
type act struct {
	name   string
	on     string // disk of the store that it begins with
	place  string // the other disk
	closed bool   // the store is not open before; the act may open it
	opts   func(o *engine.Options)

	before  [][]change                                // batches that are written first
	prepare func(ctx context.Context, s *stage) error // is done behind those
	do      func(ctx context.Context, s *stage) error
	after   func(ctx context.Context, s *stage) error // what must be so as well, without faults
	loses   bool                                      // its store does not sync what it answers
	only    bool                                      // its disk is no store that can be written
	looks   bool                                      // it never changes or ends anything
	beside  bool                                      // it is done in the background: what is logged counts as told
	quiet   bool                                      // it asks the disk nothing at all
}

func clock() time.Time { return fixed }

var (
	begun  = [][]change{{{tenant: "main", key: "x", value: "1"}}}
	filled = [][]change{{{tenant: "main", key: "x", value: "1"}}, {{tenant: "main", key: "y", value: strings.Repeat("y", 900)}}}
	xy     = []change{{tenant: "main", key: "x", value: "2"}, {tenant: "acme", key: "y", value: "2"}, {tenant: "main", key: "d", del: true}}
)

// acts are all public operations, by what they have in common.
func acts() []*act {
	var all []*act
	for _, some := range [][]*act{openings(), writings(), keepings(), upkeep(), lookings(), copyings()} {
		all = append(all, some...)
	}
	return all
}

func openings() []*act {
	open := func(ctx context.Context, s *stage) error { return s.open(ctx, s.fs()) }
	var all []*act
	for _, on := range []string{"empty", "half made", "clean", "not synced", "torn", "in a checkpoint", "flag raised", "renamed"} {
		all = append(all, &act{name: "open, " + on, on: on, closed: true, do: open})
	}
	for _, on := range []string{"clean", "torn", "renamed", "place: clean"} {
		all = append(all, &act{name: "open read-only, " + on, on: on, closed: true, only: on == "place: clean", looks: true, do: lookOnce})
	}
	return append(all,
		&act{name: "open, change Keep", on: "clean", closed: true, opts: func(o *engine.Options) { o.Keep = &engine.Keep{Checkpoints: 5} }, do: func(ctx context.Context, s *stage) error {
			return s.writes(func() error { return s.open(ctx, s.fs()) })
		}},
		&act{name: "check, clean", on: "clean", closed: true, looks: true, do: checkStore},
		&act{name: "check, torn", on: "torn", closed: true, looks: true, do: checkStore},
		&act{name: "salvage, damaged", on: "damaged", closed: true, do: salvage, after: salvaged},
		&act{name: "salvage, clean", on: "clean", closed: true, do: salvage},
	)
}

// lookOnce opens read-only, reads everything and closes.
func lookOnce(ctx context.Context, s *stage) error {
	db, err := engine.OpenFS(ctx, s.fs(), engine.Options{ReadOnly: true, Clock: clock})
	if err != nil {
		return err
	}
	got, err := contentOf(ctx, db)
	if seq := int(db.Stats().Seq); err == nil && (seq < s.w.acked || seq > s.w.asked || !maps.Equal(got, s.w.hist[seq])) {
		err = fmt.Errorf("it shows %d keys behind #%d, acknowledged #%d, asked #%d", len(got), seq, s.w.acked, s.w.asked)
	}
	return errors.Join(err, db.Close())
}

func checkStore(ctx context.Context, s *stage) error {
	fsys := s.fs()
	var bad error
	_, err := engine.CheckFS(ctx, fsys, engine.CheckOptions{Clock: clock}, func(f engine.Finding) {
		if f.Kind == "io" {
			bad = errors.Join(bad, &engine.Error{Op: "check", At: fault.Place{Path: f.File}, Err: engine.ErrIO, Cause: s.marks[0]})
		} else if s.act.on != "torn" {
			bad = errors.Join(bad, fmt.Errorf("check: %+v", f))
		}
	})
	return closing(fsys, errors.Join(err, bad))
}

func salvage(ctx context.Context, s *stage) error {
	fsys := s.fs()
	o := recovery.Options{Rand: numbers(s.seed), Now: clock}
	_, err := recovery.Salvage(ctx, fsys, o, recovery.SalvageOptions{})
	return closing(fsys, err)
}

// salvaged does it again, whatever came of it, and takes what it keeps for the promise.
func salvaged(ctx context.Context, s *stage) error {
	sum, err := recovery.Salvage(ctx, s.disk.Reopen(), recovery.Options{Rand: numbers(s.seed), Now: clock}, recovery.SalvageOptions{})
	if err == nil && int(sum.Last) < s.w.acked-3 {
		err = fmt.Errorf("only #%d is kept", sum.Last)
	}
	s.w.acked, s.w.asked = int(sum.Last), int(sum.Last)
	return err
}

func writings() []*act {
	main := func(s *stage) engine.Scope { return s.w.db.Scope }
	put := change{tenant: "main", key: "x", value: "2"}
	doPut := func(ctx context.Context, s *stage) error {
		return s.writes(func() error { return main(s).Put(ctx, []byte("x"), []byte("2")) }, put)
	}
	long := change{tenant: "main", key: "z", value: strings.Repeat("z", 1200)}
	never := func(o *engine.Options) { o.Sync = engine.SyncNever }
	all := []*act{
		{name: "put", before: begun, do: doPut},
		{name: "put, the first", do: doPut},
		{name: "delete", before: begun, do: func(ctx context.Context, s *stage) error {
			return s.writes(func() error { return main(s).Delete(ctx, []byte("x")) }, change{tenant: "main", key: "x", del: true})
		}},
		{name: "delete range", before: begun, do: func(ctx context.Context, s *stage) error {
			return s.writes(func() error { return main(s).DeleteRange(ctx, engine.Range{From: []byte("b"), To: []byte("z")}) }, change{tenant: "main", key: "b", rangeTo: "z"})
		}},
		{name: "update", before: begun, do: func(ctx context.Context, s *stage) error {
			return s.writes(func() error { return main(s).Update(ctx, applies(xy)) }, xy...)
		}},
		{name: "update, rotating", before: filled, do: func(ctx context.Context, s *stage) error {
			return s.writes(func() error { return main(s).Update(ctx, applies([]change{long})) }, long)
		}},
		{name: "update, rotating, nothing ahead", opts: func(o *engine.Options) { o.NoPrepare = true }, before: filled, do: func(ctx context.Context, s *stage) error {
			return s.writes(func() error { return main(s).Update(ctx, applies([]change{long})) }, long)
		}},
		{name: "delete, rotating", before: append(filled, []change{{tenant: "main", key: "z", value: strings.Repeat("z", 500)}}), do: func(ctx context.Context, s *stage) error {
			c := change{tenant: "main", key: "z", del: true}
			return s.writes(func() error { return main(s).Delete(ctx, []byte("z")) }, c)
		}},
		{name: "submit and wait", before: begun, do: func(ctx context.Context, s *stage) error {
			return s.writes(func() error { return waited(ctx)(main(s).Submit(ctx, applies(xy))) }, xy...)
		}},
		{name: "commit, empty", before: begun, quiet: true, do: func(ctx context.Context, s *stage) error {
			tx, err := main(s).Begin(ctx, engine.Exclusive)
			if err != nil {
				return err
			}
			return tx.Commit()
		}},
		{name: "rollback", before: begun, quiet: true, do: func(ctx context.Context, s *stage) error {
			tx, err := main(s).Begin(ctx, engine.Immediate)
			if err != nil {
				return err
			}
			return errors.Join(tx.Put([]byte("x"), nil), tx.Rollback())
		}},
		{name: "sync", before: nil, opts: never, loses: true, prepare: func(ctx context.Context, s *stage) error {
			return s.writes(func() error { return main(s).Put(ctx, []byte("x"), []byte("2")) }, put)
		}, do: func(ctx context.Context, s *stage) error {
			return s.loses(s.w.db, s.w.db.Sync(ctx))
		}},
		{name: "put, not synced", before: begun, opts: never, loses: true, do: doPut},
	}
	for _, mode := range []engine.Mode{engine.Deferred, engine.Immediate, engine.Exclusive} {
		all = append(all, &act{name: fmt.Sprintf("commit, %v", mode), before: begun, do: func(ctx context.Context, s *stage) error {
			return s.writes(func() error { return commits(ctx, s, mode) }, xy...)
		}})
	}
	return all
}

// loses takes what was not synced out of the promise where an error ended the store.
func (s *stage) loses(db *engine.DB, err error) error {
	if err != nil && db.Err() != nil {
		s.w.acked = min(s.w.acked, int(db.Durable()))
	}
	return err
}

// commits writes xy in a transaction of its own.
func commits(ctx context.Context, s *stage, mode engine.Mode) error {
	tx, err := s.w.db.Begin(ctx, mode)
	if err != nil {
		return err
	}
	if err := applies(xy)(ctx, tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// applies makes changes in a transaction.
func applies(changes []change) func(ctx context.Context, tx *engine.Tx) error {
	return func(_ context.Context, tx *engine.Tx) error {
		for _, c := range changes {
			if err := c.apply(tx, content{}); err != nil {
				return err
			}
		}
		return nil
	}
}

// waited waits for what was submitted.
func waited(ctx context.Context) func(p *engine.Pending, err error) error {
	return func(p *engine.Pending, err error) error {
		if err == nil {
			_, err = p.Wait(ctx)
		}
		return err
	}
}

func keepings() []*act {
	checkpoint := func(ctx context.Context, s *stage) error {
		_, err := s.w.db.Checkpoint(ctx)
		return err
	}
	ending := func(_ context.Context, s *stage) error {
		db := s.w.db
		s.w.db = nil
		return db.Close()
	}
	again := func(ctx context.Context, s *stage) error {
		if err := checkpoint(ctx, s); err != nil {
			return err
		}
		return s.w.commit(ctx, change{tenant: "main", key: "w", value: "3"})
	}
	return []*act{
		{name: "checkpoint", before: begun, do: checkpoint},
		{name: "checkpoint, the first", on: "empty", before: filled, do: checkpoint},
		{name: "checkpoint, another", before: filled, prepare: again, do: checkpoint},
		{name: "checkpoint, nothing new", prepare: func(ctx context.Context, s *stage) error { return checkpoint(ctx, s) }, quiet: true, do: checkpoint},
		{name: "close", before: begun, do: ending},
		{name: "close, nothing written", do: ending},
		{name: "checkpoint, the segment is empty", prepare: refused, do: checkpoint},
		{name: "close, the segment is empty", prepare: refused, do: ending},
		{name: "close, not synced", before: begun, opts: func(o *engine.Options) { o.Sync = engine.SyncNever }, loses: true, do: func(ctx context.Context, s *stage) error {
			db := s.w.db
			return s.loses(db, ending(ctx, s))
		}},
	}
}

// refused lets a write find no space once a segment is begun for it.
func refused(ctx context.Context, s *stage) error {
	inj := s.gate.inj
	s.gate.inj = vfs.When(vfs.OnKind(vfs.OpWrite), vfs.From(2, engine.ErrNoSpace))
	s.gate.set(true)
	err := s.writes(func() error { return s.w.db.Put(ctx, []byte("x"), nil) }, filled[0]...)
	s.gate.set(false)
	s.gate.inj, s.gate.failed = inj, nil
	if !errors.Is(err, engine.ErrNoSpace) {
		return fmt.Errorf("a full disk is not told of: %w", err)
	}
	return nil
}

// upkeep is what a store does by itself.
func upkeep() []*act {
	waits := func(ctx context.Context, s *stage) error {
		err := s.w.commit(ctx, filled[1]...)
		time.Sleep(time.Minute)
		synctest.Wait()
		return errors.Join(err, s.w.db.Err(), s.logged)
	}
	kept := func(after int64) func(o *engine.Options) {
		return func(o *engine.Options) { o.CheckpointAfter, o.CheckpointRate = after, -1 }
	}
	return []*act{
		{name: "a checkpoint in the background", beside: true, before: begun, opts: kept(1000), do: waits},
		{name: "a file made ahead", beside: true, before: begun, opts: kept(1 << 20), do: waits},
		{name: "a sync in the background", beside: true, loses: true, before: begun, opts: func(o *engine.Options) { o.Sync = engine.SyncEvery(time.Second) }, do: func(ctx context.Context, s *stage) error {
			return s.loses(s.w.db, waits(ctx, s))
		}},
	}
}

func lookings() []*act {
	db := func(s *stage) *engine.DB { return s.w.db }
	only := func(name string, do func(ctx context.Context, s *stage) error) *act {
		return &act{name: name, before: begun, looks: true, do: do}
	}
	quiet := func(name string, do func(ctx context.Context, s *stage) error) *act {
		return &act{name: name, before: begun, looks: true, quiet: true, do: do}
	}
	return []*act{
		quiet("get, has, count, scan, tenants", func(ctx context.Context, s *stage) error {
			_, err := contentOf(ctx, db(s))
			_, e1 := db(s).Get(ctx, []byte("x"))
			_, e2 := db(s).Has(ctx, []byte("x"))
			_, e3 := db(s).Count(ctx, engine.Range{})
			_, e4 := db(s).Entry(ctx, []byte("x"))
			return errors.Join(err, e1, e2, e3, e4)
		}),
		quiet("view", func(ctx context.Context, s *stage) error {
			return db(s).View(ctx, func(_ context.Context, tx *engine.Tx) error { _, err := tx.Get([]byte("x")); return err })
		}),
		quiet("stats, durable, report, err", func(_ context.Context, s *stage) error {
			_, _, _ = db(s).Stats(), db(s).Durable(), db(s).Report()
			return db(s).Err()
		}),
		quiet("refresh", func(ctx context.Context, s *stage) error { return db(s).Refresh(ctx) }),
		only("info", func(ctx context.Context, s *stage) error { _, err := db(s).Info(ctx); return err }),
		only("floor", func(ctx context.Context, s *stage) error { _, err := db(s).Floor(ctx); return err }),
		only("plan a checkpoint", func(ctx context.Context, s *stage) error { _, err := db(s).PlanCheckpoint(ctx); return err }),
		only("at", func(ctx context.Context, s *stage) error {
			return pasts(ctx, s, func(seq uint64) (engine.Past, error) { return db(s).At(ctx, seq) })
		}),
		only("at a time", func(ctx context.Context, s *stage) error { _, err := db(s).AtTime(ctx, fixed); return err }),
		only("history", func(ctx context.Context, s *stage) error { return drained(db(s).History(ctx, []byte("i"), 0)) }),
		only("batches", func(ctx context.Context, s *stage) error {
			floor := uint64(s.w.acked - 1)
			return drained(db(s).Batches(ctx, floor))
		}),
		only("watch", func(ctx context.Context, s *stage) error {
			for b, err := range db(s).Watch(ctx, uint64(s.w.acked-1)) {
				if err != nil || b.Seq == uint64(s.w.acked) {
					return err
				}
			}
			return errors.New("the watch ended")
		}),
		{name: "read beside a writer", before: begun, looks: true, do: lookOnce},
	}
}

// pasts looks at every moment that is kept.
func pasts(ctx context.Context, s *stage, at func(seq uint64) (engine.Past, error)) error {
	for seq := s.w.acked; seq >= s.w.acked-3; seq-- {
		past, err := at(uint64(seq))
		if err != nil {
			return err
		}
		for e, err := range past.Scan(ctx, engine.Range{}) {
			if err != nil {
				return err
			}
			if want := s.w.hist[seq]["main/"+string(e.Key)]; want != string(e.Value) {
				return fmt.Errorf("at #%d %s is %q, not %q", seq, e.Key, e.Value, want)
			}
		}
	}
	return nil
}

func drained[T any](all iter.Seq2[T, error]) error {
	n := 0
	for _, err := range all {
		if err != nil {
			return err
		}
		n++
	}
	if n == 0 {
		return errors.New("there is nothing")
	}
	return nil
}
