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
	opts := anHour(t, &now)
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

// TestKeepForFlippedFlag: a promotion is cut off behind the new name, and a bit of its
// flag flips, wherever: nothing goes that Keep.For still asks for, whatever the time in
// the flag seems to be.
func TestKeepForFlippedFlag(t *testing.T) { both(t, testKeepForFlippedFlag) }

func testKeepForFlippedFlag(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	opts := anHour(t, &now)
	mem := tracked()
	db := open(t, mem.Reopen(), opts)
	var entered *vfs.Disk
	mem.OnOp(func(op vfs.Op) {
		if op.Kind == vfs.OpRename && op.Name == "log/backup" {
			entered = mem.Snapshot()
		}
	})
	for range 3 {
		put(t, db, "a", strings.Repeat("a", 600))
		_, err := db.Checkpoint(t.Context())
		check(t, err)
		now = now.Add(10 * time.Minute)
	}
	mem.OnOp(nil)
	check(t, db.Close())
	flag := slurp(t, entered.Pick(vfs.Kept, 0).Mem(false), "log/recover")
	for bit := -1; bit < 8*len(flag); bit++ {
		m := entered.Pick(vfs.Kept, 0).Mem(true)
		if bit >= 0 {
			flipBit(t, m, "log/recover", bit)
		}
		db := open(t, m.Reopen(), opts)
		from, err := db.Floor(t.Context())
		check(t, err)
		check(t, db.Close())
		if from != 0 {
			t.Fatalf("bit %d of %s: history begins at #%d", bit, flag, from)
		}
	}
}

// TestDropWithoutItsFlag: a promotion is cut off while it drops, after any number of
// files, in whatever order they went, and its flag no longer counts. What is due nobody
// can say then; but the log has no gap in front of what is kept, and nothing else goes.
func TestDropWithoutItsFlag(t *testing.T) { both(t, testDropWithoutItsFlag) }

func testDropWithoutItsFlag(t *testing.T) {
	opts := quiet
	opts.Codec, opts.SegmentSize, opts.NoPrepare = codecOf(t), 1<<10, true
	mem := tracked()
	db := open(t, mem.Reopen(), opts)
	var left []*vfs.Disk
	some := func() {
		for _, k := range []string{"a", "b", "c", "d"} {
			put(t, db, k, strings.Repeat(k, 600))
		}
		_, err := db.Checkpoint(t.Context())
		check(t, err)
	}
	some()
	some()
	mem.OnOp(func(op vfs.Op) {
		if op.Kind == vfs.OpRemove && op.Name != "log/recover" {
			left = append(left, mem.Snapshot())
		}
	})
	some()
	mem.OnOp(nil)
	check(t, db.Close())
	if len(left) < 4 {
		t.Fatalf("only %d files went", len(left))
	}
	for i, disk := range left {
		for seed := range uint64(20) {
			model := vfs.Reordered
			if seed == 0 {
				model = vfs.Kept
			}
			m := disk.Pick(model, seed).Mem(true)
			flipBit(t, m, "log/recover", 8*len(slurp(t, m, "log/recover"))-40)
			db := open(t, m.Reopen(), opts)
			floor, err := db.Floor(t.Context())
			if check(t, err); floor > 8 || db.Durable() != 12 {
				t.Errorf("cut off behind %d, seed %d: goes back to #%d", i+1, seed, floor)
			}
			for _, err := range db.Batches(t.Context(), 0) {
				if err != nil {
					t.Errorf("cut off behind %d, seed %d: %v", i+1, seed, err)
				}
			}
			check(t, db.Close())
			_, err = engine.CheckFS(t.Context(), m.Reopen(), engine.CheckOptions{}, func(f engine.Finding) {
				t.Errorf("cut off behind %d, seed %d: %+v", i+1, seed, f)
			})
			check(t, err)
		}
	}
}

// anHour are options of a store of small segments that keeps an hour, by a clock that the
// test sets.
func anHour(t *testing.T, now *time.Time) engine.Options {
	opts := quiet
	opts.Codec, opts.SegmentSize = codecOf(t), 1<<10
	opts.Keep, opts.Clock = &engine.Keep{For: time.Hour}, func() time.Time { return *now }
	return opts
}

func flipBit(t *testing.T, fsys *vfs.Mem, name string, bit int) {
	b := slurp(t, fsys, name)[bit/8:][:1]
	b[0] ^= 1 << (bit % 8)
	f, err := fsys.Open(name, vfs.ReadWrite)
	check(t, err)
	_, err = f.WriteAt(b, int64(bit/8))
	check(t, err)
	check(t, f.Close())
}
