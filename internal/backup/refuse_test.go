package backup_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/recovery"
)

// refused fails unless a backup into a place is an error of a kind, with a hint, and
// changes nothing in it.
func refused(t *testing.T, what string, a *author, p vfs.FS, kind *engine.Kind) {
	t.Helper()
	before := files(t, p)
	for _, dry := range []bool{true, false} {
		_, err := a.db.BackupFS(t.Context(), p, engine.BackupOptions{DryRun: dry, Clock: clock()})
		wantKind(t, what, err, kind)
		if e, _ := errors.AsType[*engine.Error](err); e.Advice() == "" || e.At.Path == "" || e.Detail == "" && kind != engine.ErrLocked {
			t.Errorf("%s: %v says too little: %+v", what, err, e)
		}
		if after := files(t, p); !maps.Equal(after, before) {
			t.Errorf("%s: the place has changed: %v, %v", what, slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after)))
		}
	}
}

// TestRefused: what must not be backed up into, each by its own name.
func TestRefused(t *testing.T) {
	a := newAuthor(t, engine.Options{})
	a.put(9)
	good := place()
	a.backup(good, engine.BackupOptions{})

	other := newAuthor(t, engine.Options{Random: counting(99)})
	other.opts.Random = counting(99)
	other.mem = vfs.NewMem(vfs.MemOptions{})
	other.open()
	refused(t, "another store's place", other, good, engine.ErrForeign)

	refused(t, "a store", a, a.mem, engine.ErrExists)
	full := vfs.NewMem(vfs.MemOptions{})
	put(t, full, "letters.txt", "dear")
	refused(t, "a directory with other things", a, full, engine.ErrExists)
	odd := good.Crash(vfs.Kept, 1)
	check(t, odd.Mkdir("log/00000000000000000123.vlog"))
	refused(t, "a directory where a file belongs", a, odd, engine.ErrNotRegular)

	l, err := good.Lock("LOCK")
	check(t, err)
	refused(t, "a place that somebody writes to", a, good, engine.ErrLocked)
	check(t, l.Close())

	// The store goes back to #6, and then another way, in segments that begin alike.
	back := a.another(good, 6)
	refusedFor(t, "a newer place", back, good, "restored to an earlier moment")
	back.other(4)
	refusedFor(t, "another history", back, good, "another history")
	spoil(t, good, "LOCK", 0)
	refusedFor(t, "another history, without LOCK", back, good, "another history")
	fresh := place()
	if res, err := back.db.BackupFS(t.Context(), fresh, engine.BackupOptions{}); err != nil || res.Seq != 10 {
		t.Errorf("into a new place: %+v, %v", res, err)
	}
	// Without its newest segment the place leads to where they part; LOCK knows better.
	a.backup(good, engine.BackupOptions{})
	back = a.another(good, 8)
	back.other(3)
	spoil(t, good, "log/00000000000000000009.vlog", 20)
	refusedFor(t, "a damaged end", back, good, "another history")
	a.backup(good, engine.BackupOptions{})
	a.leads(good, 9)

	check(t, a.db.Close())
	_, err = a.db.BackupFS(t.Context(), fresh, engine.BackupOptions{})
	wantKind(t, "closed", err, engine.ErrClosed)
}

// TestFuture: a feature that this version may only read is not claimed by a copy, and
// nothing is written to a place that has it.
func TestFuture(t *testing.T) {
	a := newAuthor(t, engine.Options{})
	a.put(3)
	p, old := place(), place()
	a.backup(p, engine.BackupOptions{})
	a.backup(old, engine.BackupOptions{})
	check(t, a.db.Close())
	future := func(fsys vfs.FS) {
		f, err := recovery.ReadFormat(fsys)
		check(t, err)
		f.Features.ReadOnlyCompatible = append(f.Features.ReadOnlyCompatible, "turbo")
		check(t, recovery.WriteFormat(fsys, f))
	}
	nothing := func(what string, target *vfs.Mem, do func(fsys vfs.FS) error) {
		t.Helper()
		before := files(t, target)
		err := do(target)
		if wantKind(t, what, err, engine.ErrIncompatible); !strings.Contains(err.Error(), "turbo") || !maps.Equal(files(t, target), before) {
			t.Errorf("%s: %v", what, err)
		}
	}
	backup := func(to vfs.FS) error {
		_, err := engine.BackupFS(t.Context(), a.mem, to, engine.BackupOptions{})
		return err
	}
	future(old)
	nothing("the place", old, backup)
	nothing("the place to restore from", place(), func(to vfs.FS) error {
		_, err := engine.RestoreFS(t.Context(), old, to, engine.RestoreOptions{})
		return err
	})
	future(a.mem)
	nothing("the source", p, backup)
	nothing("the source, a new place", place(), backup)
}

// another restores a place to a moment, and opens that.
func (a *author) another(p vfs.FS, seq uint64) *author {
	a.t.Helper()
	m := vfs.NewMem(vfs.MemOptions{})
	_, err := engine.RestoreFS(a.t.Context(), p, m, engine.RestoreOptions{Seq: seq})
	check(a.t, err)
	b := &author{t: a.t, mem: m, hist: a.hist[: seq+1 : seq+1], opts: a.opts}
	b.opts.Random = counting(1234 + seq)
	b.open()
	return b
}

// other writes what the history does not know.
func (a *author) other(n int) {
	a.t.Helper()
	for range n {
		check(a.t, a.db.Put(a.t.Context(), []byte("another"), []byte("way"+strings.Repeat("v", 300))))
	}
}

// refusedFor is refused for a conflict whose detail says a thing.
func refusedFor(t *testing.T, what string, a *author, p vfs.FS, detail string) {
	t.Helper()
	refused(t, what, a, p, engine.ErrConflict)
	_, err := a.db.BackupFS(t.Context(), p, engine.BackupOptions{})
	if err == nil || !strings.Contains(err.Error(), detail) {
		t.Errorf("%s: %v", what, err)
	}
}

// TestOtherCut: the same history in segments that are cut elsewhere does not go over
// what is there; in segments of the same extent it does.
func TestOtherCut(t *testing.T) {
	a := newAuthor(t, engine.Options{})
	a.put(9)
	p := place()
	a.backup(p, engine.BackupOptions{})
	for _, c := range []struct {
		size   int64
		refuse bool
	}{{4 << 10, true}, {2 << 10, false}} {
		b := &author{t: t, mem: vfs.NewMem(vfs.MemOptions{}), hist: []content{{}}, opts: a.opts}
		n, random := 0, counting(7)
		b.opts.Clock, b.opts.SegmentSize = clock(), c.size
		b.opts.Random = func() uint64 {
			if n++; n > 2 { // the store's id is as before, the epochs are not
				return random() + 1
			}
			return random()
		}
		b.open()
		b.put(9)
		if c.refuse {
			refusedFor(t, "cut elsewhere", b, p, "other segments")
		} else if res := b.backup(p, engine.BackupOptions{}); res.Segments != len(segments(t, p)) {
			t.Errorf("other epochs: %+v", res)
		}
	}
}

// TestRefusedSource: a source that is damaged or none is told, and the place is as it
// was. One that is held can be backed up and not restored from.
func TestRefusedSource(t *testing.T) {
	a := newAuthor(t, engine.Options{})
	p := place()
	a.put(3)
	a.backup(p, engine.BackupOptions{})
	_, err := engine.BackupFS(t.Context(), a.mem, p, engine.BackupOptions{})
	check(t, err)
	_, err = engine.RestoreFS(t.Context(), a.mem, place(), engine.RestoreOptions{})
	wantKind(t, "held", err, engine.ErrLocked)
	a.put(3)
	a.checkpoint()
	a.put(3)
	check(t, a.db.Close())
	whole := files(t, a.mem)
	names := slices.Sorted(slices.Values(segments(t, a.mem)))
	for what, harm := range map[string]func(m *vfs.Mem){
		"old segment":    func(m *vfs.Mem) { spoil(t, m, names[1], 700) },
		"newest segment": func(m *vfs.Mem) { spoil(t, m, names[len(names)-1], 700) },
		"header":         func(m *vfs.Mem) { spoil(t, m, names[1], 20) },
		"checkpoint":     func(m *vfs.Mem) { spoil(t, m, "log/checkpoint-00000000000000000006", 600) },
		"missing":        func(m *vfs.Mem) { check(t, m.Remove(names[1])) },
		"missing first":  func(m *vfs.Mem) { check(t, m.Remove(names[0])) },
		"missing last":   func(m *vfs.Mem) { check(t, m.Remove(names[len(names)-1])) },
	} {
		m := vfs.NewMem(vfs.MemOptions{})
		for _, name := range slices.Sorted(maps.Keys(whole)) {
			put(t, m, name, whole[name])
		}
		harm(m)
		disk := p.Crash(vfs.Kept, 1)
		_, err := engine.BackupFS(t.Context(), untouched(t, m), disk, engine.BackupOptions{})
		if what == "missing first" { // the place has it, and what is left leads from the checkpoint on
			check(t, err)
			a.leads(disk, 9)
			continue
		}
		wantKind(t, what, err, engine.ErrCorrupt)
		if e, _ := errors.AsType[*engine.Error](err); !strings.HasPrefix(e.At.Path, "log") {
			t.Errorf("%s: %v is not about the source", what, err)
		}
		if seq, c, err := look(t, disk); err != nil || seq < 3 || !maps.Equal(c, a.hist[seq]) {
			t.Errorf("%s: the place leads to #%d: %v", what, seq, err)
		}
	}
	_, err = engine.BackupFS(t.Context(), place(), p, engine.BackupOptions{})
	wantKind(t, "no store", err, engine.ErrNotStore)
}

// TestDamagedPlace: what is damaged in a place is copied again where the source has it;
// what it no longer has is told, and forgotten when that is asked for.
func TestDamagedPlace(t *testing.T) {
	a := newAuthor(t, engine.Options{})
	p := place()
	a.put(5)
	a.checkpoint()
	a.backup(p, engine.BackupOptions{})
	first := slices.Min(segments(t, p))
	for _, off := range []int64{20, int64(len(slurp(t, p, first)) - 500)} {
		spoil(t, p, first, off)
		if res := a.backup(p, engine.BackupOptions{}); res.Segments != 1 {
			t.Errorf("header or seal damaged: %+v", res)
		}
	}
	spoil(t, p, "log/checkpoint-00000000000000000005", 20)
	if res := a.backup(p, engine.BackupOptions{}); res.Checkpoints != 1 {
		t.Errorf("checkpoint damaged: %+v", res)
	}
	spoil(t, p, first, 700) // in the middle: only reading all of it tells
	if res, err := a.db.BackupFS(t.Context(), p, engine.BackupOptions{}); err != nil || res.Segments != 0 {
		t.Errorf("not verified: %+v, %v", res, err)
	}
	if res := a.backup(p, engine.BackupOptions{Verify: true}); res.Segments != 1 || !res.Verified {
		t.Errorf("verified: %+v", res)
	}
	spoil(t, p, "log/checkpoint-00000000000000000005", 700)
	if res := a.backup(p, engine.BackupOptions{Verify: true}); res.Checkpoints != 1 {
		t.Errorf("verified: %+v", res)
	}

	spoil(t, p, first, 700)
	a.put(2)
	a.checkpoint()
	_, err := a.db.BackupFS(t.Context(), p, engine.BackupOptions{Verify: true})
	wantKind(t, "the source has it no more, verified", err, engine.ErrCorrupt)
	spoil(t, p, first, 20)
	_, err = a.db.BackupFS(t.Context(), p, engine.BackupOptions{})
	wantKind(t, "the source has it no more", err, engine.ErrCorrupt)
	if res := a.backup(p, engine.BackupOptions{Prune: true}); res.Removed == 0 {
		t.Errorf("pruned: %+v", res)
	}
}

// TestFullDisk: no room for a backup; the place leads to what it led to, or further,
// and goes on once there is room.
func TestFullDisk(t *testing.T) {
	a := newAuthor(t, engine.Options{})
	a.put(5)
	base := place()
	a.backup(base, engine.BackupOptions{})
	a.put(20)
	a.checkpoint()
	for room := int64(4 << 10); ; room += 4 << 10 {
		p := base.Crash(vfs.Kept, 1)
		p.SetCapacity(room)
		_, err := a.db.BackupFS(t.Context(), p, engine.BackupOptions{})
		if err == nil {
			if room < 30<<10 {
				t.Errorf("%d bytes were enough", room)
			}
			return
		}
		wantKind(t, "full", err, engine.ErrNoSpace)
		if seq, c, err := look(t, p); err != nil || seq < 5 || !maps.Equal(c, a.hist[seq]) {
			t.Fatalf("%d bytes: #%d, %v", room, seq, err)
		}
		p.SetCapacity(0)
		a.backup(p, engine.BackupOptions{})
	}
}

// TestDirectories: real directories; one in the other is refused however it is spelled,
// and parents are made.
func TestDirectories(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	src, dest, back := filepath.Join(dir, "store"), filepath.Join(dir, "far", "away", "place"), filepath.Join(dir, "back")
	db, err := engine.Open(ctx, src, engine.Options{})
	check(t, err)
	check(t, db.Put(ctx, []byte("k"), []byte("v")))
	check(t, os.Symlink(src, filepath.Join(dir, "link")))
	for _, bad := range []string{src, filepath.Join(src, "place"), filepath.Join(dir, "link", "deep", "er"), dir, filepath.Join(src, "..", "store", "log")} {
		_, err := db.Backup(ctx, bad, engine.BackupOptions{})
		wantKind(t, bad, err, engine.ErrExists)
	}
	if dry, err := db.Backup(ctx, dest, engine.BackupOptions{DryRun: true}); err != nil || dry.Segments != 1 {
		t.Fatalf("%+v, %v", dry, err)
	}
	if _, err := os.Stat(filepath.Dir(dest)); err == nil {
		t.Fatal("a rehearsal made a directory")
	}
	_, err = db.Backup(ctx, dest, engine.BackupOptions{})
	check(t, err)
	check(t, db.Close())
	_, err = engine.Restore(ctx, dest, src, engine.RestoreOptions{})
	wantKind(t, "onto a store", err, engine.ErrExists)
	_, err = engine.Restore(ctx, dest, dest, engine.RestoreOptions{})
	wantKind(t, "onto itself", err, engine.ErrExists)
	dry, err := engine.Restore(ctx, dest, back, engine.RestoreOptions{DryRun: true})
	check(t, err)
	if _, err := os.Stat(back); err == nil || dry.Seq != 1 || dry.Segments != 1 {
		t.Fatalf("rehearsed: %+v, %v", dry, err)
	}
	_, err = engine.Restore(ctx, dest, back, engine.RestoreOptions{})
	check(t, err)
	db, err = engine.Open(ctx, back, engine.Options{MustExist: true})
	check(t, err)
	v, err := db.Get(ctx, []byte("k"))
	if string(v) != "v" || !db.Report().Clean {
		t.Errorf("%q, %v, %+v", v, err, db.Report())
	}
	check(t, db.Close())
	_, err = engine.Backup(ctx, filepath.Join(dir, "nowhere"), dest, engine.BackupOptions{})
	wantKind(t, "no source", err, engine.ErrNotStore)
	_, err = engine.Restore(ctx, filepath.Join(dir, "nowhere"), filepath.Join(dir, "x"), engine.RestoreOptions{})
	wantKind(t, "no source", err, engine.ErrNotStore)
	_, err = engine.Backup(context.Background(), src, dest, engine.BackupOptions{})
	check(t, err)
}
