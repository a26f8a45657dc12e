package fuzz

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

// of says whether an error has a fault at its root. A finding of a check has it as text.
func of(err, mark error) bool {
	return errors.Is(err, mark) || err != nil && strings.Contains(err.Error(), "io: "+mark.Error())
}

// fromFault says whether an error has a fault of this stage at its root.
func (s *stage) fromFault(err error) bool {
	return slices.ContainsFunc(s.marks, func(mark error) bool { return of(err, mark) })
}

// judge says what is wrong behind an act: with its answer, with what the store is then,
// with what it holds, and with what it is when it was opened again.
func (s *stage) judge(ctx context.Context) error {
	var bad []error
	for _, look := range []func(ctx context.Context) error{s.answer, s.state, s.powerLost, s.goOn, s.close, s.more, s.reopen} {
		bad = append(bad, look(ctx))
	}
	return errors.Join(bad...)
}

// answer looks at what the act was told: the class of the fault, the fault itself and
// where it was.
func (s *stage) answer(context.Context) error {
	if len(s.gate.failed) == 0 {
		return nil
	}
	if s.told == nil {
		return s.unheard()
	}
	kind := fault.KindOf(s.told)
	if !s.fromFault(s.told) {
		return fmt.Errorf("the fault is not in it: %w", s.told)
	}
	class := fault.KindOf(s.marks[0])
	if kind != class && kind != engine.ErrAmbiguous && kind != engine.ErrPoisoned && len(s.gate.failed) == 1 {
		return fmt.Errorf("it is %v, not %v: %w", kind.Code(), class.Code(), s.told)
	}
	if len(s.gate.failed) == 1 && !names(s.told, s.first()) {
		return fmt.Errorf("it does not say where: %w", s.told)
	}
	return nil
}

// unheard looks at a fault of which nobody was told: no sync, and nothing that is left
// undone by it.
func (s *stage) unheard() error {
	switch op := s.first(); op.Kind {
	case vfs.OpSync, vfs.OpSyncDir, vfs.OpRename, vfs.OpRemove, vfs.OpMkdir, vfs.OpCreate, vfs.OpSetLock, vfs.OpLock:
		return fmt.Errorf("nobody was told of a failed %v", op)
	}
	return nil
}

// names says whether an error names the operation's file anywhere.
func names(err error, op vfs.Op) bool {
	if e, ok := err.(*fault.Error); ok {
		at := classOf(e.At.Path)
		for _, name := range []string{op.Name, op.NewName} {
			_, bare := cutPlace(name)
			if at == classOf(bare) || at == "the directory" && bare == "." || renamed(bare, at) {
				return true
			}
		}
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return e.Unwrap() != nil && names(e.Unwrap(), op)
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			if names(one, op) {
				return true
			}
		}
	}
	return false
}

// renamed says whether a file is told of by the name that it has later.
func renamed(name, at string) bool {
	switch classOf(name) {
	case "log/spare":
		return at == "log/segment"
	case "log/copy.tmp":
		return at == "log/segment" || at == "log/checkpoint"
	}
	return false
}

// state looks at what the store is then: whether it writes no more, and what readers see.
func (s *stage) state(ctx context.Context) error {
	db := s.w.db
	if db == nil {
		return nil
	}
	stopped := errors.Is(db.Err(), engine.ErrPoisoned)
	switch {
	case db.Err() != nil && !stopped:
		return fmt.Errorf("the store is %w", db.Err())
	case s.act.looks && stopped:
		return fmt.Errorf("looking stopped the store: %w", db.Err())
	case errors.Is(s.told, engine.ErrAmbiguous) && !stopped:
		return errors.New("the outcome is unknown and the store goes on")
	case stopped && !s.fromFault(db.Err()):
		return fmt.Errorf("the store does not say why it stopped: %w", db.Err())
	case stopped && !errors.Is(s.told, engine.ErrAmbiguous) && !errors.Is(s.told, engine.ErrPoisoned):
		return fmt.Errorf("the store stopped: %w; told was %w", db.Err(), s.told)
	case !stopped && slices.ContainsFunc(s.gate.failed, s.mustStop):
		return errors.New("a sync failed and the store goes on")
	}
	return s.sees(ctx)
}

// mustStop says whether an operation that failed is a sync of something that the store
// rests on: not of a copy elsewhere, and where there was no space neither of a file that
// has no name yet nor of the directory for a promotion that was taken back: what a power
// cut brings back of that, opening removes.
func (s *stage) mustStop(op vfs.Op) bool {
	_, bare := cutPlace(op.Name)
	full := errors.Is(s.told, engine.ErrNoSpace)
	switch {
	case op.Name != bare || s.act.looks:
		return false
	case op.Kind == vfs.OpSyncDir:
		return !full || !strings.Contains(s.act.name, "checkpoint")
	}
	ahead := s.act.beside && toldIn(s.told) == "IO at log/spare"
	return op.Kind == vfs.OpSync && !full && !ahead
}

// sees looks at what readers see: what was acknowledged.
func (s *stage) sees(ctx context.Context) error {
	got, err := contentOf(ctx, s.w.db)
	if err != nil {
		return err
	}
	if want := s.w.hist[s.w.acked]; !maps.Equal(got, want) && s.act.opts == nil {
		return fmt.Errorf("readers see %d keys, not the %d behind #%d", len(got), len(want), s.w.acked)
	}
	return nil
}

// powerLost opens what a power cut, or the end of the process, leaves at this moment: all
// that was acknowledged, and nothing that was refused.
func (s *stage) powerLost(ctx context.Context) error {
	if s.act.loses || s.act.only || s.act.on == "damaged" {
		return nil
	}
	var bad error
	models := []vfs.Model{vfs.Lost}
	switch {
	case s.how.drop:
		models = []vfs.Model{vfs.Lost, vfs.Clean}
	case s.how.late:
		models = []vfs.Model{vfs.Kill} // what was refused must not be there
	}
	for _, model := range models {
		s.disk.Snapshot().Images(model, 1, func(img *vfs.Image) bool {
			bad = errors.Join(bad, s.opens(ctx, img.Mem(true), model.String()))
			return true
		})
	}
	return bad
}

// opens looks at what a disk holds when it is opened.
func (s *stage) opens(ctx context.Context, mem *vfs.Mem, why string) error {
	db, err := engine.OpenFS(ctx, mem, small(s.w.codec, 400))
	if err == nil {
		_, err = s.w.promise().kept(ctx, db)
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", why, err)
	}
	return nil
}

// goOn writes again: a store that goes on does so, one that stopped says why.
func (s *stage) goOn(ctx context.Context) error {
	if s.w.db == nil {
		return nil
	}
	stopped := s.w.db.Err() != nil
	later := change{tenant: "main", key: "later", value: "1"}
	if stopped && s.w.asked > s.w.acked {
		err := s.w.db.Put(ctx, []byte("later"), nil)
		return s.isStopped(err)
	}
	err := s.w.commit(ctx, later)
	if stopped {
		return s.isStopped(err)
	}
	if err != nil {
		return fmt.Errorf("it does not go on: %w", err)
	}
	return s.sees(ctx)
}

func (s *stage) isStopped(err error) error {
	if !errors.Is(err, engine.ErrPoisoned) || !s.fromFault(err) {
		return fmt.Errorf("a write to a store that stopped says %w", err)
	}
	return nil
}

// close ends the store; nothing stays open.
func (s *stage) close(context.Context) error {
	if db := s.w.db; db != nil {
		stopped := db.Err() != nil
		err := db.Close()
		if stopped && s.isStopped(err) != nil || !stopped && err != nil {
			return fmt.Errorf("close: %w", err)
		}
	}
	if err := s.h.left(); err != nil {
		return err
	}
	held, err := s.disk.Reopen().Held("LOCK")
	if held {
		return errors.New("the lock is still held")
	}
	if errors.Is(err, engine.ErrNotFound) {
		return nil
	}
	return err
}

// more is what else must be so.
func (s *stage) more(ctx context.Context) error {
	if s.act.after == nil {
		return nil
	}
	return s.act.after(ctx, s)
}

// reopen opens the store without faults: it holds what it promised, takes writes,
// closes clean, and nothing is wrong with it.
func (s *stage) reopen(ctx context.Context) error {
	if s.act.only {
		return nil
	}
	if err := afterFailure(ctx, s.w, s.disk); err != nil {
		return fmt.Errorf("opened again: %w", err)
	}
	return nil
}

// result is what the store is behind an act, in words.
func (s *stage) result() string {
	switch db := s.w.db; {
	case db == nil:
		return ""
	case db.Err() != nil:
		return "stopped"
	}
	return "goes on"
}

// told says what was answered, in words: the class of each error around the fault.
func toldIn(err error) string {
	if err == nil {
		return "nothing"
	}
	e, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err.Error()
	}
	return fmt.Sprintf("%s at %s", e.Err.Code(), classOf(e.At.Path))
}
