package backup_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// stage is a backup to be crashed: a place as it was, and what is done to it.
type stage struct {
	name  string
	a     *author
	place *vfs.Mem // as before
	old   uint64   // it leads there; 0: it is new
	first bool
	opts  engine.BackupOptions
	met   map[uint64]int // where places led to after a crash
}

// stages are the kinds of backup: the first, one that finds more, some across a gap, one
// that prunes, and one that must go on where another store's history is dropped.
func stages(t *testing.T) (all []stage) {
	t.Helper()
	for _, codec := range []engine.Codec{engine.Binary, engine.NDJSON} {
		all = append(all, stagesOf(t, engine.Options{Codec: codec})...)
	}
	return all
}

func stagesOf(t *testing.T, store engine.Options) (all []stage) {
	t.Helper()
	add := func(name string, opts engine.BackupOptions, before, after func(a *author)) {
		a := newAuthor(t, store)
		s := stage{name: name, a: a, place: place(), first: before == nil, opts: opts, met: map[uint64]int{}}
		s.opts.Clock = clock()
		if before != nil {
			before(a)
			s.old = a.backup(s.place, engine.BackupOptions{}).Seq
		}
		after(a)
		all = append(all, s)
	}
	some := func(a *author) { a.put(3); a.checkpoint(); a.put(2) }
	add("first", engine.BackupOptions{}, nil, func(a *author) { some(a); a.put(1) })
	add("incremental", engine.BackupOptions{}, some, func(a *author) { a.put(2); a.checkpoint(); a.put(1) })
	add("gap", engine.BackupOptions{}, some, func(a *author) {
		for range 3 {
			a.put(3)
			a.checkpoint()
		}
		a.put(1)
	})
	add("narrow gap", engine.BackupOptions{}, some, func(a *author) { // of one batch
		for range 2 {
			a.put(1)
			a.checkpoint()
		}
		a.put(1)
	})
	add("prune", engine.BackupOptions{Prune: true}, func(a *author) { some(a); a.checkpoint() }, func(a *author) { a.put(1); a.checkpoint(); a.put(1) })
	return all
}

// TestCrashBackup stops a backup after every operation, in every way that a disk may be
// left: the place leads to the old seq or to a newer one, or says that it is not
// finished, and running the backup again ends it. Each is crashed once more while it
// goes on after a kill.
func TestCrashBackup(t *testing.T) {
	for _, s := range stages(t) {
		t.Run(s.name+" "+s.a.opts.Codec.String(), func(t *testing.T) {
			x := &crasher{seen: map[[32]byte]bool{}, limit: 12}
			x.models = vfs.Models()
			disk := s.place.Crash(vfs.Kept, 1)
			x.run(t, disk, func() error { return s.run(disk) }, func(img *vfs.Image, how string) {
				s.usable(t, img, how)
				again := img.Mem(true)
				x.deeper(t, again, how, func() error { return s.run(again) }, func(img *vfs.Image, how string) { s.usable(t, img, how) })
				s.done(t, again, how)
			})
			s.done(t, disk, "undisturbed")
			t.Logf("%d operations, %d disks, leading to %v", x.ops, len(x.seen), s.met)
			if x.ops < 20 || len(x.seen) < 300 || s.met[s.a.last()] == 0 || !s.first && s.met[s.old] == 0 {
				t.Error("too little was met")
			}
		})
	}
}

func (s *stage) run(disk vfs.FS) error {
	_, err := s.a.db.BackupFS(s.a.t.Context(), disk, s.opts)
	return err
}

// usable fails unless a place that a crash left leads to what it led to, or further.
func (s *stage) usable(t *testing.T, img *vfs.Image, how string) {
	t.Helper()
	seq, c, err := look(t, img.Mem(false))
	if s.first && err != nil && (errors.Is(err, engine.ErrNotStore) || strings.Contains(err.Error(), "the first backup into this directory was cut off")) {
		return
	}
	if err != nil || seq < s.old || seq > s.a.last() || !maps.Equal(c, s.a.hist[seq]) {
		t.Fatalf("%s: leads to #%d with %d keys, before to #%d: %v", how, seq, len(c), s.old, err)
	}
	s.met[seq]++
}

// done fails unless a place leads to all that the source has, whatever a power cut takes.
func (s *stage) done(t *testing.T, disk *vfs.Mem, how string) {
	t.Helper()
	s.a.leads(disk.Crash(vfs.Lost, 1), s.a.last())
	for name := range files(t, disk) {
		if strings.Contains(name, "tmp") {
			t.Fatalf("%s: %s is left", how, name)
		}
	}
	if s.name == "prune" || strings.HasSuffix(s.name, "gap") {
		if got, want := mapOf(segments(t, disk)), mapOf(segments(t, s.a.mem)); !maps.Equal(got, want) {
			t.Fatalf("%s: the place has %v, the source %v", how, got, want)
		}
	}
}

// crasher takes the disks that a crash after each operation may leave.
type crasher struct {
	seen   map[[32]byte]bool
	models []vfs.Model
	limit  int
	ops    int
}

// run calls do, which works on disk, and visit with every disk that it may have left.
func (x *crasher) run(t *testing.T, disk *vfs.Mem, do func() error, visit func(img *vfs.Image, how string)) {
	t.Helper()
	type found struct {
		img *vfs.Image
		how string
	}
	var all []found
	take := func(op vfs.Op) {
		x.ops++
		for _, model := range x.models {
			disk.Snapshot().Images(model, x.limit, func(img *vfs.Image) bool {
				if h := img.Hash(); !x.seen[h] {
					x.seen[h] = true
					all = append(all, found{img, fmt.Sprintf("%v, %v", op, model)})
				}
				return true
			})
		}
	}
	disk.OnOp(take)
	check(t, do())
	disk.OnOp(nil)
	for _, f := range all {
		visit(f.img, f.how)
	}
}

// deeper crashes what goes on after a kill once more: names and bytes that the killed
// process saw, and had not made durable, may go.
func (x *crasher) deeper(t *testing.T, disk *vfs.Mem, how string, do func() error, visit func(img *vfs.Image, how string)) {
	t.Helper()
	if !strings.HasSuffix(how, vfs.Kill.String()) {
		check(t, do())
		return
	}
	y := &crasher{seen: x.seen, models: []vfs.Model{vfs.Lost, vfs.Reordered}, limit: 2}
	y.run(t, disk, do, func(img *vfs.Image, then string) { visit(img, how+"; then "+then) })
}

// TestCrashRestore stops a restore after every operation: the target says that it is
// not finished, and running it again ends it, or it is finished and opens clean.
func TestCrashRestore(t *testing.T) { under(t, testCrashRestore) }

func testCrashRestore(t *testing.T, store engine.Options) {
	a := newAuthor(t, store)
	p := place()
	a.put(3)
	a.checkpoint()
	a.put(3)
	a.backup(p, engine.BackupOptions{})
	const to = 5
	opts := engine.RestoreOptions{Seq: to, Clock: clock()}
	run := func(disk vfs.FS) error {
		_, err := engine.RestoreFS(t.Context(), untouched(t, p), disk, opts)
		return err
	}
	x := &crasher{seen: map[[32]byte]bool{}, models: vfs.Models(), limit: 12}
	disk := place()
	unfinished, finished := 0, 0
	usable := func(img *vfs.Image, how string) bool {
		_, c, err := look(t, img.Mem(false))
		if err != nil && (errors.Is(err, engine.ErrNotStore) || strings.Contains(err.Error(), "the restore or conversion into this directory was cut off")) {
			unfinished++
			return false
		}
		if err != nil || !maps.Equal(c, a.hist[to]) {
			t.Fatalf("%s: %d keys, %v", how, len(c), err)
		}
		finished++
		return true
	}
	x.run(t, disk, func() error { return run(disk) }, func(img *vfs.Image, how string) {
		again := img.Mem(true)
		if usable(img, how) {
			wantKind(t, how, run(again), engine.ErrExists)
			opensClean(t, again, a.hist[to], to)
			return
		}
		x.deeper(t, again, how, func() error { return run(again) }, func(img *vfs.Image, how string) { usable(img, how) })
		opensClean(t, again.Crash(vfs.Lost, 1), a.hist[to], to)
	})
	t.Logf("%d operations, %d disks, %d unfinished, %d finished", x.ops, len(x.seen), unfinished, finished)
	if unfinished < 20 || finished == 0 {
		t.Error("too little was met")
	}
}

// TestFailBackup makes each operation on the place fail once, in several ways: the
// error has a name, the place stays usable, and the next backup ends it.
func TestFailBackup(t *testing.T) {
	for _, s := range stages(t) {
		for what, cause := range failures {
			t.Run(s.name+" "+s.a.opts.Codec.String()+", "+what, func(t *testing.T) {
				failed := 0
				n := 1
				for ; ; n++ {
					disk := s.place.Crash(vfs.Kept, 1)
					fail := vfs.NewFail(disk.Reopen(), vfs.Nth(n, cause)).DropOnSync(vfs.OnChange())
					err := s.run(fail)
					if fail.Injected() == 0 {
						check(t, err)
						break
					}
					if err != nil {
						failed++
						named(t, err, n)
					}
					for _, model := range []vfs.Model{vfs.Kill, vfs.Lost, vfs.Clean} {
						disk.Snapshot().Images(model, 4, func(img *vfs.Image) bool {
							s.usable(t, img, fmt.Sprintf("operation %d, %v", n, model))
							return true
						})
					}
					check(t, s.run(disk))
					s.done(t, disk, fmt.Sprint("operation ", n))
				}
				if failed < 20 {
					t.Errorf("%d of %d operations failed it", failed, n)
				}
			})
		}
	}
}

// failures are the ways in which an operation may fail.
var failures = map[string]error{"no space": vfs.Short(engine.ErrNoSpace), "i/o": engine.ErrIO}

func named(t *testing.T, err error, n int) {
	t.Helper()
	if !errors.Is(err, engine.ErrNoSpace) && !errors.Is(err, engine.ErrIO) {
		t.Errorf("operation %d: %v", n, err)
	}
}

// TestFailRestore does the same to a restore.
func TestFailRestore(t *testing.T) {
	a := newAuthor(t, engine.Options{})
	p := place()
	a.put(3)
	a.checkpoint()
	a.put(3)
	a.backup(p, engine.BackupOptions{})
	opts := engine.RestoreOptions{Seq: 5, Clock: clock()}
	for what, cause := range failures {
		for n := 1; ; n++ {
			disk := place()
			fail := vfs.NewFail(disk.Reopen(), vfs.Nth(n, cause))
			_, err := engine.RestoreFS(t.Context(), p, fail, opts)
			if fail.Injected() == 0 {
				check(t, err)
				break
			}
			if err != nil {
				named(t, err, n)
			}
			if _, _, err := look(t, disk); err != nil {
				_, err := engine.RestoreFS(t.Context(), p, disk, opts)
				if err != nil {
					t.Fatalf("%s, operation %d: %v", what, n, err)
				}
			}
			opensClean(t, disk, a.hist[5], 5)
		}
	}
}

// TestFailSource makes each read of the source fail: the place stays as it is, or goes
// on, and the error is told; then all is well again.
func TestFailSource(t *testing.T) {
	for _, s := range stages(t) {
		check(t, s.a.db.Close())
		for n := 1; ; n++ {
			disk := s.place.Crash(vfs.Kept, 1)
			fail := vfs.NewFail(s.a.mem.Reopen(), vfs.Nth(n, engine.ErrIO))
			_, err := engine.BackupFS(t.Context(), untouched(t, fail), disk, s.opts)
			if fail.Injected() == 0 {
				check(t, err)
				break
			}
			if err != nil {
				named(t, err, n)
			}
			s.usable(t, image(disk), fmt.Sprint(s.name, ", operation ", n))
			_, err = engine.BackupFS(t.Context(), s.a.mem.Reopen(), disk, s.opts)
			check(t, err)
			s.done(t, disk, fmt.Sprint("operation ", n))
		}
	}
}

// image is the disk as it is.
func image(disk *vfs.Mem) (is *vfs.Image) {
	disk.Snapshot().Images(vfs.Kill, 1, func(img *vfs.Image) bool {
		is = img
		return false
	})
	return is
}
