package fuzz

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// breakage is one way in which an operation of the disk fails.
type breakage struct {
	name  string
	match func(op vfs.Op) bool
	cause error
	drop  bool // a sync that fails marks the pages clean
	late  bool // a write that fails was carried out in full
}

// broken is an error that can be told from any other of its class.
type broken struct {
	class *engine.Kind
	text  string
}

func (b *broken) Error() string { return b.text }
func (b *broken) Unwrap() error { return b.class }

// changes are operations that change the disk, but for syncs.
func changes(op vfs.Op) bool {
	return vfs.OnChange()(op) && op.Kind != vfs.OpSync && op.Kind != vfs.OpSyncDir
}

// breakages are all that a sweep tries.
func breakages() []breakage {
	io, full := &broken{engine.ErrIO, "the first fault"}, &broken{engine.ErrNoSpace, "the first fault"}
	return []breakage{
		{"i/o", changes, io, false, false},
		{"half, i/o", vfs.OnKind(vfs.OpWrite), vfs.Short(io), false, false},
		{"no space", changes, full, false, false},
		{"half, no space", vfs.OnKind(vfs.OpWrite), vfs.Short(full), false, false},
		{"all, no space", vfs.OnKind(vfs.OpWrite), full, false, true},
		{"sync", vfs.OnKind(vfs.OpSync), io, true, false},
		{"sync, no space", vfs.OnKind(vfs.OpSync), full, true, false},
		{"directory sync", vfs.OnKind(vfs.OpSyncDir), io, false, false},
		{"directory sync, no space", vfs.OnKind(vfs.OpSyncDir), full, false, false},
		{"read", vfs.OnKind(vfs.OpOpen, vfs.OpRead, vfs.OpStat, vfs.OpReadDir, vfs.OpHeld, vfs.OpLock), io, false, false},
		{"close", vfs.OnKind(vfs.OpClose, vfs.OpUnlock), io, false, false},
	}
}

// nth lets the n-th operation fail that the breakage is about.
func (b breakage) nth(n int) vfs.Injector { return vfs.When(b.match, vfs.Nth(n, b.cause)) }

// of is the breakage of one class of operations alone.
func (b breakage) of(name string) breakage {
	b.match = vfs.Both(b.match, func(op vfs.Op) bool { return class(op) == name })
	return b
}

// mark is the error that is injected, whatever stands around it.
func (b breakage) mark() error {
	m, _ := errors.AsType[*broken](b.cause)
	return m
}

// gate lets operations fail while it is open.
type gate struct {
	mu     sync.Mutex // guards what follows
	inj    vfs.Injector
	open   bool
	failed []vfs.Op // in order; Name begins with "place:" where it was on the other disk
}

func (g *gate) set(open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = open
}

func (g *gate) fail(op vfs.Op) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.open {
		return nil
	}
	err := g.inj.Fail(op)
	if err != nil {
		g.failed = append(g.failed, op)
	}
	return err
}

// stage is where one operation runs once: two disks of which an operation fails, and
// what the store on the first has promised.
type stage struct {
	act    *act
	how    breakage
	w      *world
	disk   *vfs.Mem // of the store
	place  *vfs.Mem // a backup place, or what is restored to
	gate   *gate
	h      *handles
	seed   uint64
	told   error   // what the operation answered
	logged error   // what was told to the log alone
	marks  []error // that may be the cause of what is answered
	was    string  // what the store was then
}

func newStage(a *act, how breakage, inj vfs.Injector, d *disks) *stage {
	from, place := d.get(cmp.Or(a.on, "clean")), d.get(cmp.Or(a.place, "empty"))
	w := newWorld(d.codec)
	w.hist, w.acked, w.asked = slices.Clone(from.want.hist), from.want.acked, from.want.asked
	return &stage{act: a, how: how, w: w, disk: from.img.Mem(true), place: place.img.Mem(true), gate: &gate{inj: inj}, h: &handles{open: map[string]int{}}, seed: 200, marks: []error{how.mark()}}
}

// fs is the store's disk, with its faults.
func (s *stage) fs() vfs.FS { return s.door(s.disk, "") }

// placeFS is the other one.
func (s *stage) placeFS() vfs.FS { return s.door(s.place, "place:") }

func (s *stage) door(mem *vfs.Mem, prefix string) vfs.FS {
	fail := vfs.NewFail(mem.Reopen(), vfs.InjectorFunc(func(op vfs.Op) error {
		if s.how.late && op.Kind == vfs.OpWrite {
			return nil // later
		}
		op.Name = prefix + op.Name
		return s.gate.fail(op)
	}))
	if s.how.drop {
		fail.DropOnSync(vfs.OnChange())
	}
	s.h.add(prefix+"root", 1)
	return counted{fail, s, prefix}
}

// closes closes a file system behind whatever was done on it.
func closing(fsys vfs.FS, err error) error { return errors.Join(err, fsys.Close()) }

// options are those of the act.
func (s *stage) options() engine.Options {
	s.seed += 2 // files are filled ahead
	o := small(s.w.codec, s.seed)
	if s.act.opts != nil {
		s.act.opts(&o)
	}
	if s.act.beside {
		o.Logger = slog.New(listening{slog.DiscardHandler, s})
	}
	return o
}

// open opens the store as the act does.
func (s *stage) open(ctx context.Context, fs vfs.FS) error {
	db, err := engine.OpenFS(ctx, fs, s.options())
	if err != nil {
		return err
	}
	s.w.opened(db)
	return nil
}

// writes runs something that writes one batch of changes, and keeps the model in step.
func (s *stage) writes(do func() error, changes ...change) error {
	w := s.w
	next := maps.Clone(w.hist[w.acked])
	for _, c := range changes {
		c.model(next)
	}
	w.hist = append(w.hist[:w.acked+1:w.acked+1], next)
	seq := w.acked + 1
	w.asked = seq
	err := do()
	switch {
	case err == nil:
		w.acked, w.asked = seq, seq
	case errors.Is(err, engine.ErrAmbiguous):
		w.asked = seq
	default:
		w.asked = w.acked
	}
	return err
}

// model makes a change in the model alone.
func (c change) model(next content) {
	switch {
	case c.rangeTo != "":
		for k := range next {
			if k >= c.tenant+"/"+c.key && k < c.tenant+"/"+c.rangeTo {
				delete(next, k)
			}
		}
	case c.del:
		delete(next, c.tenant+"/"+c.key)
	default:
		next[c.tenant+"/"+c.key] = c.value
	}
}

// run opens the store where the act wants that, runs the act with the gate open, and
// judges. fired is false where nothing failed.
func (s *stage) run(ctx context.Context) (fired bool, err error) {
	if !s.act.closed {
		if err := s.open(ctx, s.fs()); err != nil {
			return false, err
		}
		if err := s.prepare(ctx); err != nil {
			return false, err
		}
	}
	s.gate.set(true)
	s.told = s.act.do(ctx, s)
	s.gate.set(false)
	fired = len(s.gate.failed) > 0
	s.was = s.result()
	if !fired && s.told != nil {
		return false, fmt.Errorf("nothing failed, and it says %w", s.told)
	}
	return fired, s.judge(ctx)
}

// prepare does what comes before the act, without faults.
func (s *stage) prepare(ctx context.Context) error {
	for _, c := range s.act.before {
		if err := s.w.commit(ctx, c...); err != nil {
			return err
		}
	}
	if s.act.prepare != nil {
		return s.act.prepare(ctx, s)
	}
	return nil
}

// first is the operation that failed first.
func (s *stage) first() vfs.Op { return s.gate.failed[0] }

// class names an operation without what differs from run to run.
func class(op vfs.Op) string {
	if op.Kind == vfs.OpRename {
		return fmt.Sprintf("rename %s to %s", classOf(op.Name), classOf(op.NewName))
	}
	return op.Kind.String() + " " + classOf(op.Name)
}

// cutPlace takes apart which disk a name is on.
func cutPlace(name string) (prefix, bare string) {
	place, rest, other := strings.Cut(name, ":")
	if other {
		return place + ": ", rest
	}
	return "", name
}

func classOf(name string) string {
	if prefix, bare := cutPlace(name); prefix != "" {
		return prefix + classOf(bare)
	}
	for _, at := range []string{"memory/", "memory"} {
		name = strings.TrimPrefix(name, at)
	}
	dir, base, found := strings.Cut(name, "log/")
	switch {
	case name == "":
		return "the directory"
	case !found:
		return name
	case strings.HasPrefix(base, "error/") && vfs.IsTemp(base):
		return dir + "log/error/tail.tmp"
	case strings.HasPrefix(base, "error/"):
		return dir + "log/error/tail"
	case strings.HasPrefix(base, "checkpoint-"):
		return dir + "log/checkpoint"
	case strings.HasPrefix(base, "spare-"):
		return dir + "log/spare"
	case isSegment(base):
		return dir + "log/segment"
	}
	return name
}

// listening takes the first error that is logged.
type listening struct {
	slog.Handler
	s *stage
}

func (listening) Enabled(context.Context, slog.Level) bool { return true }

func (l listening) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if err, ok := a.Value.Any().(error); ok && l.s.logged == nil {
			l.s.logged = err
		}
		return true
	})
	return nil
}
