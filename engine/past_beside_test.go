package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
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

// beside is a chronicle whose store is compacted while a call looks back.
type beside struct {
	*chronicle
	disk   *meddler
	writer *engine.DB // who compacts
}

// newBeside makes a store with some checkpoints; with other, another opener looks.
func newBeside(t *testing.T, codec engine.Codec, other bool) *beside {
	b := &beside{chronicle: newChronicle(t, codec)}
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
func (b *beside) look(t *testing.T, name string, when func(n int) bool) (met bool, err error) {
	compact := b.disk.do
	b.disk.do = func() { met = true; compact() }
	b.disk.during(when, func() { err = b.calls(t)[name]() })
	return met, err
}

// calls are looks at the past that check what they are answered.
func (b *beside) calls(t *testing.T) map[string]func() error {
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

// flip turns a bit over in a file of an open store: of the first entry of a checkpoint,
// or in the first batch of a segment.
func flip(t testing.TB, mem *vfs.Mem, name string) {
	t.Helper()
	f, err := mem.Open(name, vfs.ReadWrite)
	check(t, err)
	b := make([]byte, 1)
	_, err = f.ReadAt(b, 600)
	check(t, err)
	b[0] ^= 1
	_, err = f.WriteAt(b, 600)
	check(t, errors.Join(err, f.Close()))
}

// newDamaged makes a store of 44 batches that reaches back to checkpoint 25, with others
// at 33 and 41, and damages files of it.
func newDamaged(t *testing.T, said *strings.Builder, names ...string) *chronicle {
	c := newChronicle(t, engine.Binary)
	c.opts.Logger = slog.New(slog.NewTextHandler(said, nil))
	c.set(t, engine.Keep{Checkpoints: 3})
	for n := range 43 {
		c.grow(t, n)
		if n%8 == 7 {
			c.point(t)
		}
	}
	if !slices.Equal(c.points, []uint64{25, 33, 41}) || c.last() != 44 {
		t.Fatalf("checkpoints %d of %d", c.points, c.last())
	}
	t.Cleanup(func() { _ = c.db.Close() })
	for _, name := range names {
		flip(t, c.mem, name)
	}
	return c
}

// damagedAt fails where an error is not damage of a file.
func damagedAt(t *testing.T, what string, err error, name string) {
	t.Helper()
	e, ok := errors.AsType[*engine.Error](err)
	if !errors.Is(err, engine.ErrCorrupt) || !ok || e.At.Path != name {
		t.Errorf("%s: %v, want damage of %s", what, err, name)
	}
}

// TestPastDamage: a checkpoint that does not verify is passed over where an older one
// and the log serve, which the logger is told; it is named where none does.
func TestPastDamage(t *testing.T) {
	var said strings.Builder
	c, ctx := newDamaged(t, &said, checkpoint.Name(33), checkpoint.Name(41)), context.Background()
	c.everything(t)
	if got := said.String(); !strings.Contains(got, "checkpoint passed over") || !strings.Contains(got, "seq=41") {
		t.Errorf("the logger was told %q", got)
	}
	floor := checkpoint.Name(25)
	c = newDamaged(t, &said, floor)
	for seq := uint64(33); seq <= 44; seq++ {
		c.at(t, seq)
	}
	_, err := c.db.At(ctx, 30)
	damagedAt(t, "at 30", err, floor)
	_, err = c.db.AtTime(ctx, c.times[30])
	damagedAt(t, "at the time of 30", err, floor)
	c.atTime(t, c.times[40])
	events, err := eventsOf(c.db.Scope, "07")
	damagedAt(t, "history", err, floor)
	if len(events) == 0 || events[len(events)-1].Seq <= 25 {
		t.Errorf("the history before the damage: %+v", events)
	}
}

// eventsOf returns the history of a key, and how it ends.
func eventsOf(s engine.Scope, key string) (events []engine.Event, err error) {
	for e, err := range s.History(context.Background(), []byte(key), 0) {
		if err != nil {
			return events, err
		}
		events = append(events, e)
	}
	return events, nil
}

// TestPastDamagedLog: a damaged batch is damage for whoever needs it, and nobody else.
func TestPastDamagedLog(t *testing.T) {
	var said strings.Builder
	segment := wal.Binary.SegmentName(34)
	c, ctx := newDamaged(t, &said, segment), context.Background()
	for _, seq := range []uint64{25, 30, 33, 41, 43, 44} {
		c.at(t, seq)
	}
	_, err := c.db.At(ctx, 40)
	damagedAt(t, "at 40", err, segment)
	_, err = c.db.AtTime(ctx, c.times[40])
	damagedAt(t, "at the time of 40", err, segment)
	events, err := eventsOf(c.db.Scope, "07")
	if damagedAt(t, "history", err, segment); len(events) > 0 {
		t.Errorf("of a damaged log, %+v", events)
	}
}

// TestPastGivesUp: where the store changes faster than it can be read nobody can tell
// damage from what was dropped.
func TestPastGivesUp(t *testing.T) {
	b := newBeside(t, engine.Binary, false)
	b.set(t, engine.Keep{All: true})
	check(t, b.db.Close())
	b.disk = newMeddler(b.mem.Reopen())
	b.db = open(t, b.disk, b.opts)
	flip(t, b.mem, wal.Binary.SegmentName(wal.Seq(b.points[1]+1)))
	_, err := b.db.At(t.Context(), b.last()-2)
	want(t, "damaged", err, engine.ErrCorrupt)
	n := 0
	b.disk.do = func() {
		n++
		put(t, b.db, "later", fmt.Sprint(n))
		_, err := b.db.Checkpoint(context.Background())
		check(t, err)
	}
	b.disk.during(func(int) bool { return true }, func() { _, err = b.db.At(t.Context(), b.last()-2) })
	if want(t, "damaged, and compacted all the time", err, engine.ErrCompacted); n < 8 {
		t.Errorf("given up after %d compactions", n)
	}
}

// TestPastForeign: a checkpoint of another course of the same store does not go with
// this log, one under another name is passed over, and without one there is no past.
func TestPastForeign(t *testing.T) {
	var said strings.Builder
	c, ctx := newDamaged(t, &said), context.Background()
	fork := newChronicle(t, engine.Binary)
	fork.mem = c.mem.Crash(vfs.Kept, 1)
	fork.open(t)
	defer func() { _ = fork.db.Close() }()
	put(t, fork.db, "another", "course") // batch 45, as below
	_, err := fork.db.Checkpoint(ctx)
	check(t, err)
	for range 2 {
		c.grow(t, 1)
	}
	copyFile(t, fork.mem, checkpoint.Name(45), c.mem, checkpoint.Name(45))
	c.grow(t, 2)
	_, err = c.db.At(ctx, 46)
	want(t, "a checkpoint of another course", err, engine.ErrCorrupt)
	copyFile(t, c.mem, checkpoint.Name(41), c.mem, checkpoint.Name(45))
	copyFile(t, c.mem, checkpoint.Name(41), c.mem, checkpoint.Name(33))
	c.at(t, 46)
	c.at(t, 35)
	for _, seq := range []uint64{25, 33, 41, 45} {
		check(t, c.mem.Remove(checkpoint.Name(batch.Seq(seq))))
	}
	_, err = c.db.At(ctx, 46)
	want(t, "without a checkpoint", err, engine.ErrCompacted)
	_, err = c.db.Floor(ctx)
	want(t, "without a checkpoint", err, engine.ErrCompacted)
	info, err := c.db.Info(ctx)
	if check(t, err); info.Floor != c.last() {
		t.Errorf("without a checkpoint the store reaches back to %d of %d", info.Floor, c.last())
	}
	p, err := c.db.At(ctx, c.last())
	check(t, err)
	c.same(t, p, c.last())
}

// copyFile puts the bytes of a file into another, whatever that was.
func copyFile(t testing.TB, from *vfs.Mem, name string, to *vfs.Mem, as string) {
	t.Helper()
	f, err := from.Open(name, vfs.ReadOnly)
	check(t, err)
	st, err := f.Stat()
	check(t, err)
	b := make([]byte, st.Size)
	_, err = f.ReadAt(b, 0)
	check(t, errors.Join(err, f.Close()))
	g, err := to.Open(as, vfs.Create)
	check(t, err)
	_, err = g.WriteAt(b, 0)
	check(t, errors.Join(err, g.Truncate(st.Size), g.Close()))
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
