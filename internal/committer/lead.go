package committer

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/wal"
)

// lead takes one round from the gathering to the answers, then hands the lead on.
// The caller has the lead: leading is true, and no other goroutine is in here.
func (c *Committer) lead() {
	c.waitForMore()
	for r := c.begin(); r != nil; {
		wrote, err := c.write(r)
		r = c.answer(r, err)
		if err == nil && wrote > 0 && c.opts.Wrote != nil {
			c.opts.Wrote(wrote)
		}
	}
}

// leadFor leads on behalf of one who waits no longer than ctx. Where syncs are slow
// it hands over to a goroutine, which costs little beside a sync: a caller who
// writes himself could not give up while the disk hangs.
func (c *Committer) leadFor(ctx context.Context) {
	if ctx.Done() == nil || time.Duration(c.gather.mean.Load()) < gatherMin {
		c.lead()
		return
	}
	go c.lead()
}

// applyApart is how many changes of a group are worth a goroutine of their own, which
// makes the picture while the leader writes.
const applyApart = 16

// begin closes the open round and returns it, sequenced: from now on requests
// gather in the next one. Where there is much to apply, that goes on behind the
// return, and with it the lock is held: whoever has it next sees all applied.
func (c *Committer) begin() *round {
	c.mu.Lock()
	c.collectLocked()
	r := c.open
	if !c.place.held {
		c.sequenceLocked(r)
	}
	c.open, c.writing = nextRound(r), r
	c.gather.began(len(r.ready))
	c.moveQueueLocked(r)
	if c.toApply < applyApart {
		c.freezeRoundLocked(r)
		return r
	}
	go c.freezeRoundLocked(r)
	return r
}

// freezeRoundLocked makes the picture of a round and lets the lock go.
func (c *Committer) freezeRoundLocked(r *round) {
	defer c.mu.Unlock()
	if len(r.ready) > 0 {
		r.picture = c.freezeLocked()
	}
}

// moveQueueLocked takes what was not sequenced along into the open round. A
// sync that was asked for stays: it is for what stands before.
func (c *Committer) moveQueueLocked(r *round) {
	if len(r.queue) == 0 {
		return
	}
	for _, w := range r.queue {
		w.round = c.open
	}
	c.open.queue, r.queue = slices.Concat(r.queue, c.open.queue), nil
}

// sequenceLocked validates and numbers as much of the round's queue as a group holds,
// one request at least. What conflicts is answered at once, so that it can be tried
// again while the others are written.
func (c *Committer) sequenceLocked(r *round) {
	due := c.dueLocked(r)
	if r.ready == nil {
		r.ready = make([]*waiter, 0, due)
	}
	for _, w := range r.queue[:due] {
		if err := c.takeLocked(w); err != nil {
			w.tell(err)
			continue
		}
		r.ready = append(r.ready, w)
	}
	r.queue = r.queue[due:]
}

// takeLocked makes one request the next in order. It is applied later, but before
// anybody looks at the pending picture.
func (c *Committer) takeLocked(w *waiter) error {
	req := w.req
	if c.cause != nil {
		return poisoned(c.cause)
	}
	if c.lostLocked(req.Base) {
		c.stats.conflicts.Add(1)
		return takenBack()
	}
	if !req.Reads.Empty() && req.Base.Picture.Seq() != c.last {
		if err := req.Reads.Check(req.Base.Picture, c.viewLocked()); err != nil {
			c.stats.conflicts.Add(1)
			return err
		}
	}
	c.last++
	w.seq = c.last
	req.Record.Time = c.opts.Now().UnixNano()
	c.chain = c.chain.Next(req.Record.Hash)
	c.later = append(c.later, sequenced{req.Batch, state.Position{Seq: w.seq, Time: req.Record.Time, Chain: c.chain}})
	c.toApply += len(req.Batch.Ops)
	c.pending = nil
	return nil
}

// sequenced is a batch that has its place in order and is not applied yet.
type sequenced struct {
	batch *batch.Batch
	at    state.Position
}

// applyLocked applies what was sequenced.
func (c *Committer) applyLocked() {
	for _, s := range c.later {
		c.edit.Apply(s.batch, s.at)
	}
	c.forgetLocked()
}

// forgetLocked forgets what was sequenced and not applied.
func (c *Committer) forgetLocked() {
	clear(c.later)
	c.later, c.toApply = c.later[:0], 0
}

// viewLocked returns the pending picture for a look at it; it must not be kept.
func (c *Committer) viewLocked() *state.Picture {
	c.applyLocked()
	return c.edit.View()
}

// freezeLocked returns the pending picture.
func (c *Committer) freezeLocked() *state.Picture {
	if c.pending == nil {
		c.applyLocked()
		c.pending = c.edit.Picture()
	}
	return c.pending
}

func takenBack() error {
	return &fault.Error{Op: "commit", Err: fault.ErrConflict, Detail: "what it read was taken back after a failed write"}
}

// write appends a group and syncs it. Requests without a batch only wait.
func (c *Committer) write(r *round) (wrote int, err error) {
	records := make([]batch.Record, 0, len(r.ready))
	for _, w := range r.ready {
		if w.req.Batch != nil {
			records = append(records, w.req.Record)
			wrote += len(w.req.Record.Payload)
		}
	}
	ctx := context.Background() // an accepted write completes, whoever waits for it
	if len(records) > 0 {
		if err := c.append(ctx, firstSeq(r.ready), records); err != nil {
			return 0, err
		}
		c.stats.bytes.Add(uint64(wrote))
	}
	if !r.sync && (!c.opts.SyncEach || len(records) == 0) {
		return wrote, nil
	}
	return wrote, c.sync(ctx)
}

func firstSeq(group []*waiter) batch.Seq {
	for _, w := range group {
		if w.req.Batch != nil {
			return w.seq
		}
	}
	return 0
}

func (c *Committer) append(ctx context.Context, first batch.Seq, records []batch.Record) error {
	if _, err := c.opts.Log.Append(ctx, first-1, records); err != nil {
		return err
	}
	c.stats.groups.Add(1)
	c.stats.commits.Add(uint64(len(records)))
	return nil
}

func (c *Committer) sync(ctx context.Context) error {
	began := time.Now() // not the clock of the options, which may jump
	if err := c.opts.Log.Sync(ctx); err != nil {
		return &syncError{err}
	}
	c.stats.syncs.Add(1)
	c.gather.synced(time.Since(began))
	return nil
}

// syncError marks a failure after the group was appended: it may be on disk.
type syncError struct{ cause error }

func (e *syncError) Error() string { return e.cause.Error() }
func (e *syncError) Unwrap() error { return e.cause }

// answer publishes a group that was written, or takes back one that was not, wakes
// everybody who waits for it and passes the lead; but where it returns a round,
// that is to be written first.
func (c *Committer) answer(r *round, err error) (spared *round) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.publishLocked(r)
	} else {
		spared, err = c.failedLocked(r, err)
	}
	c.collectLocked()
	c.gather.behind = c.hereLocked() // before those who are told now come back
	c.tellLocked(r, err)
	if r.shown != nil {
		close(r.shown)
	}
	c.writing = spared
	if spared == nil {
		c.passLocked()
	}
	return spared
}

// tellLocked answers everybody in a round who was not moved to another.
func (c *Committer) tellLocked(r *round, err error) {
	for _, w := range r.ready {
		if w.round == r {
			w.tell(c.fateLocked(w, err))
		}
	}
}

// fateLocked returns what one of a group is told. Whoever wrote nothing and only
// waits for what it read is told of that, whatever became of the others.
func (c *Committer) fateLocked(w *waiter, err error) error {
	base := w.req.Base
	switch {
	case w.req.Batch != nil || base.line == nil:
		return err
	case c.lostLocked(base) && (err == nil || c.cause == nil):
		return takenBack()
	case c.lostLocked(base):
		return err // it may be there after reopening
	}
	return nil
}

func (c *Committer) publishLocked(r *round) {
	if r.picture != nil {
		c.published.Store(r.picture)
	}
	if c.opts.SyncEach || r.sync {
		c.durable.Store(uint64(c.published.Load().Seq()))
		return
	}
	// A log that finishes a segment syncs it, whatever the policy.
	if _, last, _, err := c.opts.Log.Bounds(context.Background()); err == nil {
		c.durable.Store(max(c.durable.Load(), uint64(last)))
	}
}

// failedLocked decides what a failed group means. Where nothing was written, the
// pending picture goes back to the published one and writing goes on. Everything
// else ends writing: nobody knows what is on disk.
func (c *Committer) failedLocked(r *round, err error) (spared *round, answer error) {
	clean := cleanly(err)
	if !clean {
		c.failLocked(err)
	}
	if clean && errors.Is(err, fault.ErrNoSpace) {
		spared = c.spareLocked(r)
	}
	behind := err
	if !clean {
		behind = poisoned(err)
	}
	c.takeBackLocked(behind)
	if spared != nil {
		spared = c.againLocked(spared)
	}
	if !clean && !errors.Is(err, fault.ErrAmbiguous) && (appended(r, err) || !errors.Is(err, fault.ErrPoisoned)) {
		err = &fault.Error{Op: "commit", Err: fault.ErrAmbiguous, Cause: err}
	}
	return spared, err
}

// appended says whether a failed group was handed to the log before: a log that a
// failure elsewhere ended between the two takes no sync, but it has the group.
func appended(r *round, err error) bool { return isSync(err) && firstSeq(r.ready) > 0 }

// cleanly says whether nothing of a failed group is in the log.
func cleanly(err error) bool {
	_, not := errors.AsType[*wal.NotWritten](err)
	not = not || errors.Is(err, fault.ErrNoSpace) || errors.Is(err, fault.ErrTooLarge)
	return not && !isSync(err) && !errors.Is(err, fault.ErrAmbiguous)
}

func isSync(err error) bool {
	_, ok := errors.AsType[*syncError](err)
	return ok
}

// takeBackLocked drops everything sequenced and not published. What was sequenced
// behind the failed group was never handed to the log.
func (c *Committer) takeBackLocked(err error) {
	p := c.published.Load()
	c.forgetLocked()
	c.edit, c.pending, c.last, c.chain = state.NewEdit(p), p, p.Seq(), p.Chain()
	c.line.over, c.line.kept = true, p.Seq()
	c.line = &line{}
	r := c.open
	c.tellLocked(r, err)
	r.ready = nil
}
