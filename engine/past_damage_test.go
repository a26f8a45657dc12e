package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

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
