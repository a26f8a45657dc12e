package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// TestKeepForAcrossClocks: a promotion that drops by time is cut off, and the clock goes
// back before the store is opened again. What was to go goes: half of it would leave a
// gap in the log.
func TestKeepForAcrossClocks(t *testing.T) { both(t, testKeepForAcrossClocks) }

func testKeepForAcrossClocks(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	opts := quiet
	opts.Codec, opts.SegmentSize, opts.CheckpointAfter = codecOf(t), 1<<10, -1
	opts.Keep, opts.Clock = &engine.Keep{For: time.Hour}, func() time.Time { return now }
	mem := tracked()
	db := open(t, mem.Reopen(), opts)
	some := func() {
		for _, k := range []string{"a", "b", "c", "d"} {
			put(t, db, k, strings.Repeat(k, 600))
		}
		_, err := db.Checkpoint(t.Context())
		check(t, err)
	}
	some()
	some()
	now = now.Add(2 * time.Hour)
	var left []*vfs.Disk
	mem.OnOp(func(op vfs.Op) {
		if op.Kind == vfs.OpRemove && strings.HasPrefix(op.Name, "log/0") {
			left = append(left, mem.Snapshot())
		}
	})
	some()
	mem.OnOp(nil)
	check(t, db.Close())
	if len(left) < 4 {
		t.Fatalf("only %d segments went", len(left))
	}
	now = now.Add(-5 * time.Hour)
	opts.Keep = nil
	for i, disk := range left {
		m := disk.Pick(vfs.Kept, 0).Mem(true)
		check(t, open(t, m.Reopen(), opts).Close())
		_, err := engine.CheckFS(t.Context(), m.Reopen(), engine.CheckOptions{}, func(f engine.Finding) { t.Errorf("cut off behind %d: %+v", i+1, f) })
		check(t, err)
	}
}
