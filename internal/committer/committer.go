// Package committer brings requests into one order and makes them durable in
// groups: sequence, validate, gather, append, sync, publish, answer.
//
// There is no goroutine of its own. Whoever commits while nobody writes becomes
// the leader: it sequences what has gathered, appends it as one group, syncs once,
// publishes one picture, wakes everybody with one signal and hands the lead to
// one of those who came meanwhile. So a lone writer pays no hand-over, and many
// writers share each sync.
//
// Two pictures are kept. The published one holds what is durable (or, where the
// policy does not sync every group, what was appended): readers see it. The
// pending one also holds what is sequenced and not yet written: writers validate
// against it and retry on it, and whoever read it is answered only once what it
// read is durable.
//
// The writer's place is the right to sequence. It is free unless a transaction
// holds it (Take): then nothing else is sequenced until it commits or gives up.
// The lock mu is never held across the log's work.
//
// Embedders do not need this package.
package committer

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/internal/txn"
	"github.com/vlogdb/vlog/wal"
)

// Options of a committer. Log and Now are required.
type Options struct {
	Log      wal.Log
	Now      func() time.Time
	SyncEach bool // sync every group before it is published
	// Wrote is called after each group that was published, with the bytes of its
	// payloads, by whoever led it; nil is not called.
	Wrote func(bytes int)
}

// Base is a picture that a transaction may begin with.
type Base struct {
	Picture *state.Picture
	line    *line // of the pending picture that it was; nil: it is durable
}

// line is one course of the pending picture, from where batches were taken back to
// where they are taken back again. Guarded by the committer's mu.
type line struct {
	over bool
	kept batch.Seq // where it is over: how far it was published then
}

// Request is a transaction on its way into the log. The payload and what is
// computed over it were made by the caller, outside every lock.
type Request struct {
	Base   Base
	Reads  *txn.Reads   // nil: nothing to validate
	Batch  *batch.Batch // nil: nothing to write, see addEmpty
	Record batch.Record // of Batch
}

// Committer is the writer of one store. All methods may be called at once.
type Committer struct {
	opts      Options
	limit     int // bytes of payloads in a group, soft; 0 is none
	published atomic.Pointer[state.Picture]
	durable   atomic.Uint64 // last durable seq
	inbox     inbox         // requests that came and were not looked at
	leading   atomic.Bool   // somebody leads, or is about to
	ended     atomic.Bool   // closed, or there is a cause
	gather    gather

	mu      sync.Mutex // guards what follows
	edit    *state.Edit
	later   []sequenced    // behind what edit holds, in order
	toApply int            // changes in later
	pending *state.Picture // what edit and later hold, frozen; nil where it has to be frozen again
	last    batch.Seq      // last sequenced
	chain   batch.Chain    // behind last
	line    *line          // that pending belongs to
	open    *round         // gathers now
	writing *round         // is written now, or nil
	place   place
	cause   error // first failure; ends writing
	closed  bool

	stats counters
}

// New returns a committer that goes on behind a durable picture.
func New(p *state.Picture, opts Options) *Committer {
	c := &Committer{opts: opts, limit: opts.Log.Limits().Group, edit: state.NewEdit(p), pending: p, last: p.Seq(), chain: p.Chain(), line: &line{}, open: &round{}}
	c.gather.enough = make(chan struct{}, 1)
	c.published.Store(p)
	c.durable.Store(uint64(p.Seq()))
	return c
}

// Published returns the picture that readers see.
func (c *Committer) Published() *state.Picture { return c.published.Load() }

// Durable returns the last durable seq.
func (c *Committer) Durable() batch.Seq { return batch.Seq(c.durable.Load()) }

// Latest returns the published picture as a base.
func (c *Committer) Latest() Base { return Base{Picture: c.published.Load()} }

// Pending returns the pending picture as a base.
func (c *Committer) Pending() Base {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.baseLocked()
}

func (c *Committer) baseLocked() Base {
	return Base{Picture: c.freezeLocked(), line: c.line}
}

// Settle waits until everything in a base is durable; ErrConflict where it was
// taken back instead, since what was read then never happened.
func (c *Committer) Settle(ctx context.Context, b Base) error {
	if b.line == nil || c.settled(b) {
		return nil
	}
	_, err := c.join(ctx, func() *waiter {
		w := c.open.addEmpty(b.Picture.Seq())
		w.req.Base = b
		return w
	})
	return err
}

// Shown waits until readers see a batch, as long as a group is being written: the log
// tells its followers of one a moment before it is published. It takes part in no
// group, so a failure elsewhere and Close leave it its answer. The error is the
// context's.
func (c *Committer) Shown(ctx context.Context, seq batch.Seq) error {
	for {
		c.mu.Lock()
		if c.writing == nil || c.published.Load().Seq() >= seq {
			c.mu.Unlock()
			return nil
		}
		if c.writing.shown == nil {
			c.writing.shown = make(chan struct{})
		}
		shown := c.writing.shown
		c.mu.Unlock()
		select {
		case <-shown:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (c *Committer) settled(b Base) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.lostLocked(b) && c.published.Load().Seq() >= b.Picture.Seq()
}

// lostLocked says whether something in a base was taken back.
func (c *Committer) lostLocked(b Base) bool {
	return b.line != nil && b.line.over && b.Picture.Seq() > b.line.kept
}

// Err returns nil while the committer accepts writes, else why not.
func (c *Committer) Err() error {
	if !c.ended.Load() {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.errLocked()
}

func (c *Committer) errLocked() error {
	if c.closed {
		return closed("write")
	}
	if c.cause != nil {
		return poisoned(c.cause)
	}
	return nil
}

func closed(op string) error { return &fault.Error{Op: op, Err: fault.ErrClosed} }

func poisoned(cause error) error {
	return &fault.Error{Op: "write", Err: fault.ErrPoisoned, Cause: cause}
}

// Poison ends writing: a failure elsewhere left unknown what is durable.
func (c *Committer) Poison(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failLocked(cause)
}

// failLocked ends writing; the first failure is the cause.
func (c *Committer) failLocked(cause error) {
	if c.cause == nil {
		c.cause = cause
		c.ended.Store(true)
	}
}

// Close refuses what comes from now on and waits until everything accepted before
// is answered. Whoever holds the writer's place must give it up first, or
// meanwhile. It does not close the log. An error is what ended writing meanwhile:
// a group that found no space is its writers' business.
func (c *Committer) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return closed("close")
	}
	before := c.cause
	c.collectLocked() // those came before
	c.closed = true
	c.ended.Store(true)
	c.place.refuse()
	place := c.claimLocked()
	c.mu.Unlock()
	<-place.given
	c.Give() // nobody else asks for it, and nothing is queued any more
	for c.flush() {
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if before == nil && c.cause != nil {
		return poisoned(c.cause)
	}
	return nil
}

// flush waits for one round, if there is anything to do. What is queued may take
// several, since a group has a limit.
func (c *Committer) flush() bool {
	c.mu.Lock()
	if !c.leading.Load() && !c.workLocked() {
		c.mu.Unlock()
		return false
	}
	w := c.open.addEmpty(c.last)
	w.waits = 1
	first := c.leadLocked()
	c.mu.Unlock()
	if first {
		c.lead()
	}
	// What ended writing is kept as the cause.
	_, _ = c.wait(context.Background(), w)
	return true
}

// counters are plain counts since New.
type counters struct {
	commits, groups, conflicts, syncs atomic.Uint64
	bytes                             atomic.Uint64
}

// Stats counts what the committer did since New.
type Stats struct {
	Commits   uint64 // batches appended
	Groups    uint64 // appends
	Syncs     uint64
	Conflicts uint64 // requests refused because what they read had changed
	Bytes     uint64 // of payloads appended
}

// Stats returns the counts so far.
func (c *Committer) Stats() Stats {
	s := &c.stats
	return Stats{Commits: s.commits.Load(), Groups: s.groups.Load(), Syncs: s.syncs.Load(), Conflicts: s.conflicts.Load(), Bytes: s.bytes.Load()}
}
