package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// meddler is a disk on which something happens between two operations of one call, in
// its own goroutine: whatever the call holds then is held for ever.
type meddler struct {
	*vfs.Fail
	when func(n int) bool // before operation n of the call; nil: never
	do   func()
	n    int
}

func newMeddler(fsys vfs.FS) *meddler {
	m := &meddler{}
	m.Fail = vfs.NewFail(fsys, vfs.InjectorFunc(func(vfs.Op) error {
		if m.when == nil {
			return nil
		}
		if m.n++; m.when(m.n) {
			when := m.when
			m.when = nil
			m.do()
			m.when = when
		}
		return nil
	}))
	return m
}

// during makes a call with things happening before those of its operations that match.
func (m *meddler) during(when func(n int) bool, call func()) {
	m.n, m.when = 0, when
	call()
	m.when = nil
}

// besidePast is a chronicle whose store is compacted while a call looks back.
type besidePast struct {
	*chronicle
	disk   *meddler
	writer *engine.DB // who compacts
}

// newBeside makes a store with some checkpoints; with other, another opener looks.
func newBeside(t *testing.T, codec engine.Codec, other bool) *besidePast {
	b := &besidePast{chronicle: newChronicle(t, codec)}
	b.set(t, engine.Keep{Checkpoints: 2})
	for n := range 12 {
		b.grow(t, n)
		if n%5 == 4 {
			b.point(t)
		}
	}
	check(t, b.db.Close())
	b.disk = newMeddler(b.mem.Reopen())
	opts := b.opts
	opts.ReadOnly = other
	b.db = open(t, b.disk, opts)
	b.writer = b.db
	if other { // one whose files are used again, as far as that goes
		opts.ReadOnly, opts.CheckpointAfter, opts.CheckpointRate = false, 1<<40, -1
		b.writer = open(t, b.mem.Reopen(), opts)
	}
	n := b.last()
	b.disk.do = func() {
		n++
		check(t, b.writer.Put(context.Background(), fmt.Append(nil, "later", n), bytes.Repeat([]byte("x"), 900)))
		_, err := b.writer.Checkpoint(context.Background())
		check(t, err)
	}
	return b
}

// TestPastBesideCompaction compacts before each operation of a look at the past, and
// before all of them. What is answered is right; what has gone is ErrCompacted and
// never damage; what one compaction leaves is answered; and the writer, who is at work
// inside the look, is never held up.
func TestPastBesideCompaction(t *testing.T) {
	goes := map[string]bool{"at the floor": true, "at a later one": true, "at the last but one": false, "at a time": false, "history": false}
	for _, codec := range []engine.Codec{engine.Binary, engine.NDJSON} {
		for _, other := range []bool{false, true} {
			for name, gone := range goes {
				t.Run(fmt.Sprintf("%v, other opener %v, %s", codec, other, name), func(t *testing.T) {
					for n := 1; ; n++ {
						met, err := newBeside(t, codec, other).look(t, name, func(i int) bool { return i == n })
						if err != nil && (!met || !gone && !other || !errors.Is(err, engine.ErrCompacted)) {
							t.Errorf("compacted before operation %d (%v): %v", n, met, err)
						}
						if !met {
							break
						}
					}
					met, err := newBeside(t, codec, other).look(t, name, func(int) bool { return true })
					if !met || err != nil && !errors.Is(err, engine.ErrCompacted) {
						t.Errorf("compacted before each operation (%v): %v", met, err)
					}
				})
			}
		}
	}
}

// look makes a call with a compaction before those of its operations that match; met
// says whether there were any.
func (b *besidePast) look(t *testing.T, name string, when func(n int) bool) (met bool, err error) {
	compact := b.disk.do
	b.disk.do = func() { met = true; compact() }
	b.disk.during(when, func() { err = b.calls(t)[name]() })
	return met, err
}

// calls are looks at the past that check what they are answered.
func (b *besidePast) calls(t *testing.T) map[string]func() error {
	ctx := context.Background()
	past := func(seq uint64) func(p engine.Past, err error) error {
		return func(p engine.Past, err error) error {
			if err == nil {
				b.same(t, p, seq)
			}
			return err
		}
	}
	floor := b.points[0]
	return map[string]func() error{
		"at the floor":        func() error { return past(floor)(b.db.At(ctx, floor)) },
		"at a later one":      func() error { return past(floor + 2)(b.db.At(ctx, floor+2)) },
		"at the last but one": func() error { return past(b.last() - 1)(b.db.At(ctx, b.last()-1)) },
		"at a time":           func() error { return past(b.last() - 1)(b.db.AtTime(ctx, b.times[b.last()-1])) },
		"history": func() error {
			for e, err := range b.db.History(ctx, []byte("14"), 0) {
				if err != nil {
					return err
				}
				if cell := b.versions[min(e.Seq, b.last())][place{"main", "14"}]; cell.value != string(e.Value) {
					t.Errorf("an event %+v where the key had %q", e, cell.value)
				}
			}
			return nil
		},
	}
}

// TestPastUnsynced: what a policy leaves off the disk is synced by who asks for it.
func TestPastUnsynced(t *testing.T) {
	opts := quiet
	opts.Sync = engine.SyncNever
	db, ctx := open(t, tracked(), opts), t.Context()
	for n := range 3 {
		put(t, db, "a", fmt.Sprint(n))
	}
	if p, err := db.At(ctx, 3); err != nil || p.Seq() != 3 || db.Durable() != 0 {
		t.Errorf("the present: %v, durable %d", err, db.Durable())
	}
	p, err := db.At(ctx, 2)
	check(t, err)
	if v, err := p.Get(ctx, []byte("a")); string(v) != "1" || err != nil || db.Durable() < 2 {
		t.Errorf("at 2: %q %v, durable %d", v, err, db.Durable())
	}
	put(t, db, "a", "3")
	if events, err := eventsOf(db.Scope, "a"); len(events) != 4 || err != nil {
		t.Errorf("%d events, %v", len(events), err)
	}
	put(t, db, "a", "4")
	if p, err := db.AtTime(ctx, time.Now().Add(time.Hour)); err != nil || p.Seq() != 5 || db.Durable() != 5 {
		t.Errorf("in an hour: %d %v, durable %d", p.Seq(), err, db.Durable())
	}
}

// TestPastEnds: a past reads and nothing else, for as long as the DB is open.
func TestPastEnds(t *testing.T) {
	db, ctx := open(t, tracked(), quiet), context.Background()
	put(t, db, "a", "1")
	put(t, db, "a", "2")
	p, err := db.At(ctx, 1)
	check(t, err)
	view := func(ctx context.Context, tx *engine.Tx) error {
		other, err := tx.Tenant("acme")
		check(t, err)
		if v, err := tx.Get([]byte("a")); string(v) != "1" || err != nil || tx.Base() != 1 {
			t.Errorf("in a view of %d: %q %v", tx.Base(), v, err)
		}
		if has, err := other.Has([]byte("a")); has || err != nil {
			t.Errorf("in a view of another tenant: %v %v", has, err)
		}
		return tx.Put([]byte("a"), nil)
	}
	want(t, "a put in the past", p.View(ctx, view), engine.ErrReadOnly)
	_, err = p.Tenant("No")
	want(t, "a bad tenant", err, engine.ErrBadName)
	enough := errors.New("enough")
	given, cancel := context.WithCancelCause(ctx)
	cancel(enough)
	_, err = db.At(given, 1)
	want(t, "given up", err, enough)
	_, err = db.AtTime(given, time.Time{})
	want(t, "given up", err, enough)
	check(t, db.Close())
	_, err = p.Get(ctx, []byte("a"))
	want(t, "get after close", err, engine.ErrClosed)
	want(t, "view after close", p.View(ctx, view), engine.ErrClosed)
	_, err = db.At(ctx, 1)
	want(t, "at after close", err, engine.ErrClosed)
	_, err = db.AtTime(ctx, time.Time{})
	want(t, "at a time after close", err, engine.ErrClosed)
	_, err = db.Floor(ctx)
	want(t, "floor after close", err, engine.ErrClosed)
	_, err = eventsOf(db.Scope, "a")
	want(t, "history after close", err, engine.ErrClosed)
}

// TestPastBesideClose: a close between two operations of a look ends it as closed.
func TestPastBesideClose(t *testing.T) {
	for n := 1; ; n++ {
		b := newBeside(t, engine.Binary, false)
		closed := false
		b.disk.do = func() { closed = true; check(t, b.db.Close()) }
		var err error
		b.disk.during(func(i int) bool { return i == n }, func() { _, err = b.db.At(t.Context(), b.last()-1) })
		if !closed {
			check(t, err)
			return
		}
		if err != nil { // at its very end it may have the answer already
			want(t, fmt.Sprint("closed before operation ", n), err, engine.ErrClosed)
		}
	}
}

// TestHistoryIsOwned: events outlive what they were read from.
func TestHistoryIsOwned(t *testing.T) {
	db := open(t, tracked(), quiet)
	for n := range 100 {
		put(t, db, "a", strings.Repeat(string(rune('a'+n%26)), 60<<10)) // more than a reader holds at once
	}
	events, err := eventsOf(db.Scope, "a")
	check(t, err)
	for i, e := range events {
		if n := 99 - i; e.Seq != uint64(n+1) || string(e.Value) != strings.Repeat(string(rune('a'+n%26)), 60<<10) {
			t.Fatalf("event %d is of %d: %.20q", i, e.Seq, e.Value)
		}
	}
}

// TestPastAfterCrash stops after every operation of a checkpoint, in each way that a
// machine may stop: opened again the store reaches back at least as far as it would
// have, and everything from there on is right.
func TestPastAfterCrash(t *testing.T) {
	c := newChronicle(t, engine.Binary)
	defer func() { _ = c.db.Close() }()
	c.set(t, engine.Keep{Checkpoints: 2})
	for n := range 17 {
		c.grow(t, n)
		if n%5 == 4 {
			c.point(t)
		}
	}
	before, images := c.floor(t), []*vfs.Mem{}
	c.mem.OnOp(func(op vfs.Op) {
		for _, model := range []vfs.Model{vfs.Kill, vfs.Lost, vfs.Kept, vfs.Torn, vfs.Reordered, vfs.Garbage} {
			images = append(images, c.mem.Crash(model, uint64(op.N)))
		}
	})
	c.point(t)
	c.mem.OnOp(nil)
	after, met := c.floor(t), map[uint64]bool{}
	for _, mem := range images {
		left := *c
		left.mem = mem
		left.open(t)
		floor := left.floor(t)
		if met[floor] = true; floor < before || floor > after {
			t.Fatalf("reaches back to %d, before %d, after %d", floor, before, after)
		}
		left.everything(t)
		check(t, left.db.Close())
	}
	if !met[before] || !met[after] || before == after {
		t.Errorf("%d images reach back to %v, before %d, after %d", len(images), met, before, after)
	}
}

// TestPastAtOnce: many look back while others write and compact, and each sees what was.
func TestPastAtOnce(t *testing.T) {
	db, ctx := open(t, tracked(), quiet), context.Background()
	var all sync.WaitGroup
	done := make(chan struct{})
	all.Go(func() {
		defer close(done)
		for n := 1; n <= 300; n++ {
			if err := db.Put(ctx, []byte("n"), fmt.Append(nil, n)); err != nil {
				t.Error(err)
			}
			if n%40 == 0 {
				if _, err := db.Checkpoint(ctx); err != nil {
					t.Error(err)
				}
			}
		}
	})
	for who := range 3 {
		all.Go(func() {
			for last := false; !last; {
				select {
				case <-done:
					last = true
				default:
				}
				lookBack(t, db, who)
			}
		})
	}
	all.Wait()
}

// lookBack asks for a batch at or shortly before the present: it put its own number.
func lookBack(t *testing.T, db *engine.DB, back int) {
	ctx := context.Background()
	seq := db.Durable()
	seq -= min(seq, uint64(back*20))
	p, err := db.At(ctx, seq)
	if errors.Is(err, engine.ErrCompacted) || seq == 0 {
		return
	}
	if err != nil {
		t.Error(err)
		return
	}
	if v, err := p.Get(ctx, []byte("n")); err != nil || string(v) != fmt.Sprint(seq) {
		t.Errorf("at %d: %q %v", seq, v, err)
	}
	if e, err := eventsOf(db.Scope, "n"); err != nil || len(e) == 0 || e[0].Seq < seq {
		t.Errorf("the history at %d: %d events, %v", seq, len(e), err)
	}
}
