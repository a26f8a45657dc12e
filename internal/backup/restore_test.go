package backup_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// TestEveryMoment: a place restored to each seq that it keeps is what the model was
// then; before that is ErrCompacted, behind it ErrNotFound.
func TestEveryMoment(t *testing.T) { under(t, testEveryMoment) }

func testEveryMoment(t *testing.T, opts engine.Options) {
	a := newAuthor(t, opts)
	p := place()
	a.put(4)
	a.checkpoint()
	a.put(3)
	a.checkpoint()
	a.put(2)
	a.checkpoint() // drops up to #4
	a.put(3)
	a.backup(p, engine.BackupOptions{})
	kept := 0
	for seq := uint64(1); seq <= a.last()+2; seq++ {
		_, err := engine.RestoreFS(t.Context(), p, place(), engine.RestoreOptions{Seq: seq})
		switch {
		case seq < 7: // the second newest checkpoint is kept
			wantKind(t, "not kept", err, engine.ErrCompacted)
		case seq > a.last():
			wantKind(t, "in the future", err, engine.ErrNotFound)
		default:
			check(t, err)
			restores(t, a, p, seq)
			kept++
		}
	}
	if kept != 6 {
		t.Errorf("%d moments", kept)
	}
	res, err := engine.RestoreFS(t.Context(), p, place(), engine.RestoreOptions{DryRun: true})
	check(t, err)
	if res.Seq != a.last() || res.Checkpoints != 2 || res.Bytes == 0 || res.Segments == 0 || res.Checked {
		t.Errorf("%+v", res)
	}
}

// TestBackInTime: a moment given as a time ends before the first batch that is later, in
// order, also where the clock went back.
func TestBackInTime(t *testing.T) {
	at := func(sec int) time.Time { return start.Add(time.Duration(sec) * time.Second) }
	times := []int{10, 20, 15, 30, 25, 40} // of #1, #2, …
	for _, base := range []int{0, 3, 4} {  // a checkpoint behind this batch, and the log before it gone
		now := start
		mem := vfs.NewMem(vfs.MemOptions{})
		db, err := engine.OpenFS(t.Context(), mem.Reopen(), engine.Options{SegmentSize: 2 << 10, CheckpointAfter: -1, NoPrepare: true, Clock: func() time.Time { return now }})
		check(t, err)
		if base > 0 {
			check(t, db.Close())
			db, err = engine.OpenFS(t.Context(), mem.Reopen(), engine.Options{SegmentSize: 2 << 10, CheckpointAfter: -1, NoPrepare: true, Clock: func() time.Time { return now }, Keep: &engine.Keep{Checkpoints: 1}})
			check(t, err)
		}
		shift := db.Durable() // the setting is a batch
		for i, sec := range times {
			now = at(sec)
			check(t, db.Put(t.Context(), []byte("n"), []byte{byte(i + 1)}))
			if i+1 == base {
				_, err := db.Checkpoint(t.Context())
				check(t, err)
			}
		}
		p := place()
		_, err = db.BackupFS(t.Context(), p, engine.BackupOptions{})
		check(t, err)
		check(t, db.Close())
		for sec := 5; sec <= 45; sec += 5 {
			want := 0 // the last before the first that is later, of those that are kept
			for want < len(times) && (times[want] <= sec || want+1 < base) {
				want++
			}
			res, err := engine.RestoreFS(t.Context(), p, place(), engine.RestoreOptions{Time: at(sec)})
			if base > 0 && times[base-1] > sec {
				wantKind(t, "before what is kept", err, engine.ErrCompacted)
				continue
			}
			if want == 0 {
				wantKind(t, "before the first batch", err, engine.ErrNotFound)
				continue
			}
			check(t, err)
			if res.Seq != uint64(want)+shift {
				t.Errorf("base %d, second %d: restored to #%d, want #%d", base, sec, res.Seq, uint64(want)+shift)
			}
		}
		for _, far := range []time.Time{time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), at(1000)} {
			res, err := engine.RestoreFS(t.Context(), p, place(), engine.RestoreOptions{Time: far})
			if err != nil || res.Seq != uint64(len(times))+shift {
				t.Errorf("%v: %+v, %v", far, res, err)
			}
		}
	}
}

// TestTarget: a store, or anything else, is never restored onto; what an unfinished
// restore left is, and only by the same store's.
func TestTarget(t *testing.T) {
	a := newAuthor(t, engine.Options{})
	p := place()
	a.put(9)
	a.backup(p, engine.BackupOptions{})
	full := vfs.NewMem(vfs.MemOptions{})
	put(t, full, "letters.txt", "dear")
	for what, m := range map[string]*vfs.Mem{"a store": a.mem, "a place": p, "other things": full} {
		before := files(t, m)
		for _, dry := range []bool{true, false} {
			_, err := engine.RestoreFS(t.Context(), p.Reopen(), m, engine.RestoreOptions{DryRun: dry})
			wantKind(t, what, err, engine.ErrExists)
		}
		if !maps.Equal(files(t, m), before) {
			t.Errorf("%s has changed", what)
		}
	}
	unfinished := func() *vfs.Mem {
		m := place()
		n := 0
		_, err := engine.RestoreFS(t.Context(), p, vfs.NewFail(m.Reopen(), vfs.InjectorFunc(func(op vfs.Op) error {
			if op.Kind == vfs.OpSetLock {
				n++
			}
			if n == 2 { // all is copied, and LOCK is about to say so
				return engine.ErrIO
			}
			return nil
		})), engine.RestoreOptions{})
		wantKind(t, "cut off", err, engine.ErrIO)
		return m
	}
	m := unfinished()
	_, err := engine.RestoreFS(t.Context(), p, m, engine.RestoreOptions{Seq: 3})
	check(t, err)
	opensClean(t, m, a.hist[3], 3)

	m = unfinished()
	put(t, m, "log/letters.txt", "dear")
	_, err = engine.RestoreFS(t.Context(), p, m, engine.RestoreOptions{Seq: 3})
	wantKind(t, "with other things", err, engine.ErrExists)

	m = unfinished()
	b := newAuthor(t, engine.Options{})
	check(t, b.db.Close())
	b.mem, b.opts.Random = vfs.NewMem(vfs.MemOptions{}), counting(99)
	b.open()
	b.put(1)
	q := place()
	b.backup(q, engine.BackupOptions{})
	_, err = engine.RestoreFS(t.Context(), q, m, engine.RestoreOptions{})
	wantKind(t, "of another store", err, engine.ErrExists)
}

// TestDamageBehind: what is damaged behind the moment does not matter.
func TestDamageBehind(t *testing.T) {
	a := newAuthor(t, engine.Options{})
	p := place()
	a.put(9)
	a.backup(p, engine.BackupOptions{})
	spoil(t, p, "log/00000000000000000007.vlog", 700)
	_, err := engine.RestoreFS(t.Context(), p, place(), engine.RestoreOptions{})
	wantKind(t, "the newest", err, engine.ErrCorrupt)
	m := vfs.NewMem(vfs.MemOptions{})
	_, err = engine.RestoreFS(t.Context(), p, m, engine.RestoreOptions{Seq: 6})
	check(t, err)
	opensClean(t, m, a.hist[6], 6)
	check(t, p.Remove("log/00000000000000000009.vlog"))
	_, err = engine.RestoreFS(t.Context(), p, place(), engine.RestoreOptions{})
	wantKind(t, "the end is missing", err, engine.ErrCorrupt)
}

// TestBrokenBefore: what is missing before the moment, and should be there, is damage, and
// not a moment that is no longer kept.
func TestBrokenBefore(t *testing.T) { under(t, testBrokenBefore) }

func testBrokenBefore(t *testing.T, opts engine.Options) {
	a := newAuthor(t, opts)
	p := place()
	a.put(30)
	a.backup(p, engine.BackupOptions{})
	names := slices.Sorted(slices.Values(segments(t, p)))
	var firsts []uint64
	for _, name := range names {
		var first uint64
		_, err := fmt.Sscanf(name, "log/%d", &first)
		check(t, err)
		firsts = append(firsts, first)
	}
	if len(names) < 4 {
		t.Fatal(names)
	}
	check(t, p.Remove(names[1]))
	try := func(seq uint64) error {
		_, err := engine.RestoreFS(t.Context(), p, place(), engine.RestoreOptions{Seq: seq})
		return err
	}
	check(t, try(firsts[1]-1))
	for _, seq := range []uint64{firsts[1], firsts[2] - 1, firsts[2], a.last()} {
		wantKind(t, fmt.Sprint("restored to ", seq), try(seq), engine.ErrCorrupt)
	}
}
