package engine

import (
	"context"
	"errors"
	"time"

	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/wal"
)

// CheckpointResult is what a checkpoint did.
type CheckpointResult struct {
	Seq     uint64 // of the newest checkpoint
	Written bool   // false: there was nothing new
	Keys    uint64 // in it
	Bytes   int64  // of its file
	Base    uint64 // the log behind it is no longer kept; 0: all is kept
	Dropped int    // checkpoints removed
	Took    time.Duration
}

// Checkpoint writes the whole map to a file, so that the next opening reads that
// instead of the log before it, and forgets what the store's Keep no longer asks
// for. Everybody goes on meanwhile. It does nothing where nothing was written
// since the last one. ErrNoSpace or a cancelled context leaves the store as it was.
func (db *DB) Checkpoint(ctx context.Context) (CheckpointResult, error) {
	c := db.core
	if err := c.writable("checkpoint"); err != nil {
		return CheckpointResult{}, err
	}
	return c.checkpoint(ctx, nil)
}

func (c *core) checkpoint(ctx context.Context, pace checkpoint.Pace) (CheckpointResult, error) {
	if err := context.Cause(ctx); err != nil {
		return CheckpointResult{}, err
	}
	release, err := c.alone(ctx)
	if err != nil {
		return CheckpointResult{}, err
	}
	defer release()
	began := c.opts.Clock()
	// Every batch of the picture must be durable in the log first, whatever the policy.
	if err := c.syncFor(ctx); err != nil {
		return CheckpointResult{}, err
	}
	res := CheckpointResult{Seq: uint64(c.newest)}
	if pic := c.committer.Published(); pic.Seq() == c.newest || pic.Seq() == 0 {
		return res, nil
	}
	inner, stop := plain(ctx)
	defer stop()
	err = c.promote(inner, pace, &res)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = context.Cause(ctx)
	}
	res.Took = max(c.opts.Clock().Sub(began), 0)
	return res, err
}

// alone waits until nobody else is about a checkpoint.
func (c *core) alone(ctx context.Context) (release func(), err error) {
	select {
	case c.checkpointing <- struct{}{}:
		return func() { <-c.checkpointing }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-c.life.Done():
		return nil, c.ended("checkpoint")
	}
}

// syncFor syncs for a checkpoint, of which nothing is in doubt when its context ends.
func (c *core) syncFor(ctx context.Context) error {
	err := c.committer.Sync(ctx)
	if err != nil && c.committer.Err() == nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// plain returns a context that ends with ctx and has no cause of its own: an error
// of unknown kind would look like a failure of the disk.
func plain(ctx context.Context) (context.Context, func()) {
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cancel)
	return inner, func() { stop(); cancel() }
}

// promote seals the segment that is being written, so that it can go as a whole,
// and puts the checkpoint in place.
func (c *core) promote(ctx context.Context, pace checkpoint.Pace, res *CheckpointResult) error {
	before := c.logged.Load()
	if err := c.store.Writer.Rotate(ctx); err != nil {
		return c.rotateFailed(err)
	}
	pic := c.committer.Published()
	if c.committer.Durable() < pic.Seq() {
		if err := c.syncFor(ctx); err != nil {
			return err
		}
	}
	c.promoter.Pace = pace
	done, err := c.promoter.Run(ctx, pic)
	if u, ok := errors.AsType[*checkpoint.Unsure](err); ok {
		return c.stopped(u.Cause)
	}
	if err != nil {
		return err
	}
	c.newest = pic.Seq()
	c.logged.Add(-before)
	*res = CheckpointResult{Seq: uint64(pic.Seq()), Written: true, Keys: done.Entries, Bytes: done.Size, Base: uint64(done.Base), Dropped: done.Dropped}
	return nil
}

// rotateFailed ends writing unless the failure left the log as it was: a seal that could
// not be written was taken back, one that could not be synced was not, whatever the
// cause. A log that takes no more work has said why.
func (c *core) rotateFailed(err error) error {
	_, whole := errors.AsType[*wal.NotWritten](err)
	whole = whole || errors.Is(err, fault.ErrNoSpace)
	for _, ours := range []error{context.Canceled, context.DeadlineExceeded, fault.ErrPoisoned, fault.ErrClosed} {
		whole = whole || errors.Is(err, ours)
	}
	if whole && !errors.Is(err, fault.ErrAmbiguous) {
		return err
	}
	return c.stopped(err)
}

// stopped ends writing because of what a checkpoint met, and is what that answers.
func (c *core) stopped(cause error) error {
	c.poison(cause)
	return &fault.Error{Op: "checkpoint", Err: fault.ErrPoisoned, Cause: cause}
}

// wrote is told of every group that was published.
func (c *core) wrote(bytes int) {
	logged := c.logged.Add(int64(bytes))
	if c.opts.background() && (logged >= c.opts.CheckpointAfter || c.store.Writer.WantsSpare()) {
		select {
		case c.kick <- struct{}{}:
		default:
		}
	}
}

// keeper makes files ahead and writes checkpoints in the background, paced so
// that those at work hardly notice.
func (c *core) keeper() {
	due, spareDue := c.opts.CheckpointAfter, int64(0) // bytes logged
	for {
		select {
		case <-c.kick:
		case <-c.life.Done():
			return
		}
		if logged := c.logged.Load(); logged >= spareDue && c.store.Writer.WantsSpare() {
			err := c.store.Writer.Prepare(c.life, c.breathe())
			c.tell("prepare a log file", err)
			if err != nil && c.store.Writer.Err() != nil {
				c.committer.Poison(err)
			}
			spareDue = c.again(err, logged, 0)
		}
		if logged := c.logged.Load(); logged >= due {
			_, err := c.checkpoint(c.life, c.pace())
			c.tell("checkpoint", err)
			due = c.again(err, logged, c.opts.CheckpointAfter)
			if err == nil {
				spareDue = 0 // it made room, perhaps
			}
		}
	}
}

// again returns at how many bytes logged background work is due again: where it failed
// not at every write, since it takes, while it tries, the last of a full disk.
func (c *core) again(err error, logged, due int64) int64 {
	if err == nil {
		return due
	}
	return logged + max(c.opts.CheckpointAfter/8, 1)
}

// tell logs what failed where nobody waits for an answer. The next attempt
// comes with the next write.
func (c *core) tell(what string, err error) {
	if err != nil && c.life.Err() == nil {
		c.opts.Logger.Error("background work failed", "what", what, "cause", err)
	}
}

// A file is made ahead in steps, each behind a pause: for each byte that is logged some
// are prepared, so that it is ready long before the segment at work is full, and who
// writes little is disturbed little. Where a checkpoint is due there are no pauses: it waits
// for the file.
const (
	stepSize   = 256 << 10
	stepsAhead = 2                     // bytes prepared for one that is logged
	breath     = 10 * time.Millisecond // between two looks whether a step is due
	mostLooks  = 100                   // looks behind which it is due in any case
)

// breathe returns what is called between the steps of preparing a file.
func (c *core) breathe() func(context.Context) {
	paid := c.committer.Stats().Bytes
	return func(ctx context.Context) {
		for look := 0; look < mostLooks && ctx.Err() == nil && c.logged.Load() < c.opts.CheckpointAfter; look++ {
			if c.committer.Stats().Bytes-paid >= stepSize/stepsAhead {
				break
			}
			sleep(ctx, breath)
		}
		paid += stepSize / stepsAhead
	}
}

// pace returns what keeps a checkpoint below CheckpointRate.
func (c *core) pace() checkpoint.Pace {
	rate := c.opts.CheckpointRate
	if rate < 0 {
		return nil
	}
	return func(n int) error {
		sleep(c.life, time.Duration(n)*time.Second/time.Duration(rate))
		return context.Cause(c.life)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// syncer syncs in the background under SyncEvery.
func (c *core) syncer() {
	every := time.Duration(c.opts.Sync)
	for c.life.Err() == nil && c.committer.Err() == nil {
		sleep(c.life, every)
		if c.committer.Durable() < c.committer.Published().Seq() {
			c.tell("sync", c.committer.Sync(context.WithoutCancel(c.life)))
		}
	}
}
