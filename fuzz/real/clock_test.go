package real

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vlogdb/vlog/engine"
)

// TestClockMoves opens a store under clocks that stand at zero, before 1970, far behind
// what nanoseconds can tell, that go back, and that jump at each look, and writes,
// compacts, backs up and is killed there: numbers alone decide the order, nothing takes
// negative time, no name is taken twice, nothing is forgotten too soon.
func TestClockMoves(t *testing.T) { both(t, testClockMoves) }

func testClockMoves(t *testing.T, codec engine.Codec) {
	tmp := t.TempDir()
	dir := filepath.Join(tmp, "store")
	acked := written{}
	now := time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC)
	clocks := []time.Time{now, {}, time.Unix(0, 0), time.Unix(-1e6, 0), now.AddDate(-30, 0, 0), time.Date(2262, 4, 11, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), time.Unix(1<<40, 0), now.Add(-time.Hour), now}
	last := uint64(0)
	for i, at := range clocks {
		opts := plain(codec)
		opts.Keep = []*engine.Keep{nil, {For: time.Hour}, {Checkpoints: 2}}[i%3]
		opts.Clock = stands(at)
		last = worksAt(t, fmt.Sprintf("clock %d at %v", i, at), dir, opts, acked, last)
		opts.Clock = jumps(clocks)
		last = worksAt(t, fmt.Sprintf("clock %d jumping", i), dir, opts, acked, last)
	}
	sound(t, dir)
}

func stands(at time.Time) func() time.Time { return func() time.Time { return at } }

// jumps is another time at each look.
func jumps(times []time.Time) func() time.Time {
	var n atomic.Int64
	return func() time.Time { return times[int(n.Add(7))%len(times)] }
}

// worksAt opens a store under a clock, works, and returns the last batch.
func worksAt(t *testing.T, what, dir string, opts engine.Options, acked written, last uint64) uint64 {
	t.Helper()
	db, err := engine.Open(t.Context(), dir, opts)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	acked.same(t, db)
	if r := db.Report(); r.Took < 0 || uint64(r.Last) < last {
		t.Fatalf("%s: opening took %v and found #%d behind #%d", what, r.Took, r.Last, last)
	}
	acked.some(t, db, 5)
	res, err := db.Checkpoint(t.Context())
	if err != nil || res.Took < 0 {
		t.Fatalf("%s: checkpoint: %v, %v", what, res.Took, err)
	}
	acked.some(t, db, 5)
	if _, err := db.Backup(t.Context(), dir+"-place", engine.BackupOptions{Clock: opts.Clock}); err != nil {
		t.Fatalf("%s: backup: %v", what, err)
	}
	if _, err := db.AtTime(t.Context(), opts.Clock()); err != nil && !errors.Is(err, engine.ErrCompacted) {
		t.Fatalf("%s: look back: %v", what, err)
	}
	seq := uint64(0)
	for b, err := range db.Batches(t.Context(), 0) {
		if check(t, err); seq != 0 && b.Seq != seq+1 {
			t.Fatalf("%s: #%d behind #%d", what, b.Seq, seq)
		}
		seq = b.Seq
	}
	check(t, db.Close())
	return seq
}
