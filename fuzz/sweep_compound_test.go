package fuzz

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// compounded are the acts that a second fault is tried in.
var compounded = []string{
	"put", "put, the first", "update, rotating", "delete, rotating", "sync", "checkpoint, another", "close", "close, not synced", "checkpoint, the segment is empty", "close, the segment is empty",
	"open, empty", "open, torn", "open, not synced", "open, renamed", "open, flag raised", "open, change Keep",
	"backup, the first", "backup, prune", "restore, an older moment", "salvage, damaged",
}

// TestSweepCompound makes a second operation fail while the first failure is handled: the
// k-th behind it, for every k, and all behind it. The first error is told, nothing is
// closed or answered twice, and all else is as behind one fault.
func TestSweepCompound(t *testing.T) { both(t, sweepCompound) }

func sweepCompound(t *testing.T, codec engine.Codec) {
	if testing.Short() {
		t.Skip("one goroutine: nothing for the race detector that TestSweep does not show it")
	}
	ctx := t.Context()
	d, err := newDisks(ctx, codec)
	if err != nil {
		t.Fatal(err)
	}
	most, runs := 2, 0
	if *long {
		most = 1 << 20
	}
	for _, a := range acts() {
		if !slices.Contains(compounded, a.name) {
			continue
		}
		for _, how := range tried() {
			if !*long && (how.name == "half, i/o" || how.name == "no space") {
				continue // much like others
			}
			c := &compound{t: t, act: a, how: how, disks: d, most: most}
			runs += c.sweep(ctx)
		}
	}
	t.Logf("%d pairs of faults", runs)
	if runs < 3000 {
		t.Errorf("only %d pairs", runs)
	}
}

// compound is one act with one way for its first fault.
type compound struct {
	t     *testing.T
	act   *act
	how   breakage
	disks *disks
	most  int
}

// second is the error of the operations that fail later.
var second = &broken{engine.ErrIO, "the second fault"}

// sweep lets each operation fail with each one behind it, and returns how many pairs
// there were.
func (c *compound) sweep(ctx context.Context) (pairs int) {
	for n := 1; ; n++ {
		alone := newStage(c.act, c.how, c.how.nth(n), c.disks)
		fired, err := alone.run(ctx)
		if err != nil {
			return pairs // TestSweep tells
		}
		if !fired {
			return pairs
		}
		for k := 0; k <= c.most && c.pair(ctx, alone, n, k); k++ {
			pairs++
		}
	}
}

// pair lets the k-th operation behind the n-th fail too, or all of them where k is 0. It
// returns false where there are not so many.
func (c *compound) pair(ctx context.Context, alone *stage, n, k int) bool {
	s := newStage(c.act, c.how, behind(c.how.nth(n), k), c.disks)
	s.marks = append(s.marks, second)
	_, err := s.run(ctx)
	if err == nil && alone.told != nil && s.told != nil && !of(s.told, s.marks[0]) {
		err = errors.New("the first error is lost")
	}
	if err == nil && alone.told != nil && s.told == nil {
		err = errors.New("another fault makes the first one unheard")
	}
	if err != nil {
		c.t.Errorf("%s, %s, operation %d and the one %d behind it (%v): told %v:\n%v", c.act.name, c.how.name, n, k, s.gate.failed, s.told, err)
	}
	return k == 0 || len(s.gate.failed) > 1
}

// behind lets what inj says fail, and then the k-th operation behind it, or all.
func behind(inj vfs.Injector, k int) vfs.Injector {
	var first, later atomic.Int64
	return vfs.InjectorFunc(func(op vfs.Op) error {
		if first.Load() == 0 {
			err := inj.Fail(op)
			if err != nil {
				first.Store(1)
			}
			return err
		}
		if i := later.Add(1); k == 0 || i == int64(k) {
			return second
		}
		return nil
	})
}
