package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/fault"
)

// Floor returns the first batch that At can go back to: everything from there on can
// be asked for, as long as nothing more is dropped. It is 0, the empty store, where
// the whole log is kept; else it is that of a checkpoint, which is believed by its
// name here: At reads it, and says so where it is damaged. Floor is cheap: it lists
// a directory. Errors: ErrCompacted where there is nothing to begin with, as after a
// checkpoint was taken away by hand; ErrIO, ErrClosed or the context's.
func (db *DB) Floor(ctx context.Context) (uint64, error) {
	c := db.core
	if err := c.ended("floor"); err != nil {
		return 0, err
	}
	var floor batch.Seq
	err := c.lookBack(ctx, func(k kept) (err error) {
		floor, err = k.floor()
		return err
	})
	return uint64(floor), err
}

// kept is how far back a store reaches, as one look finds it.
type kept struct {
	checkpoints []batch.Seq // newest first
	first       batch.Seq   // of the log
}

func (c *core) nowKept(ctx context.Context) (k kept, err error) {
	if k.checkpoints, err = checkpoint.List(c.store.FS); err != nil {
		return k, err
	}
	k.first, _, _, err = c.keptLog().Bounds(ctx)
	return k, err
}

// floor returns the first seq from which on every picture can be made: where the log
// begins, or the oldest checkpoint that it goes on from without a gap.
func (k kept) floor() (batch.Seq, error) {
	if k.first <= 1 {
		return 0, nil
	}
	for _, seq := range slices.Backward(k.checkpoints) {
		if seq+1 >= k.first {
			return seq, nil
		}
	}
	return 0, &fault.Error{Op: "look back", Err: fault.ErrCompacted, Detail: "the log begins at " + k.first.String() + ", and there is no checkpoint to go on from"}
}

// tooOld is the error for what lies below the floor.
func tooOld(seq, floor batch.Seq) error {
	return &fault.Error{Op: "look back", At: fault.Place{Seq: uint64(seq)}, Err: fault.ErrCompacted, Detail: "the first that can be asked for is " + floor.String(),
		Hint: "ask for a later one; Options.Keep says how far back a store reaches"}
}

// lookBackTries bounds how often a look at the past begins again because what it was
// reading was dropped. Every time a whole checkpoint was written meanwhile.
const lookBackTries = 8

// lookBack runs fn on what is kept now. Compaction goes on beside it: where fn fails
// because of what is no longer there, and other things are kept by then, it runs
// again. So damage is told only of what is there, and what has gone is ErrCompacted.
func (c *core) lookBack(ctx context.Context, fn func(kept) error) error {
	for n := 1; ; n++ {
		k, err := c.nowKept(ctx)
		if err == nil {
			err = fn(k)
		}
		if err == nil {
			return nil
		}
		if closed := c.ended("look back"); closed != nil {
			return closed
		}
		if !mayBeGone(err) {
			return err
		}
		now, lost := c.nowKept(ctx)
		if lost != nil {
			return lost
		}
		if same := k.first == now.first && slices.Equal(k.checkpoints, now.checkpoints); same || n == lookBackTries {
			return asCompacted(err, same)
		}
	}
}

// mayBeGone says whether an error may come from a file that was removed, or used
// again, while it was read.
func mayBeGone(err error) bool {
	return errors.Is(err, fault.ErrCompacted) || errors.Is(err, fault.ErrNotFound) || errors.Is(err, fault.ErrCorrupt)
}

// asCompacted names what has gone. Damage stays damage where nothing was dropped.
func asCompacted(err error, same bool) error {
	if errors.Is(err, fault.ErrCompacted) || same && errors.Is(err, fault.ErrCorrupt) {
		return err
	}
	return &fault.Error{Op: "look back", Err: fault.ErrCompacted, Detail: "it was dropped while it was read", Cause: err}
}
