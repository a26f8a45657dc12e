package committer

import (
	"context"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
)

// round is what gathers between two starts of a leader and is written together.
// Its fields are guarded by the committer's mu, the channels' contents aside.
type round struct {
	queue   []*waiter      // in order of arrival, not yet sequenced
	ready   []*waiter      // sequenced, in order of seq
	picture *state.Picture // behind the last of ready
	sync    bool           // somebody asks for a sync, whatever the policy
	done    chan struct{}  // closed when something in the round was answered
	lead    chan struct{}  // one token: whoever takes it leads
	here    int            // who waits on the round and could lead
}

func newRound() *round {
	return &round{done: make(chan struct{}), lead: make(chan struct{}, 1)}
}

// waiter is one request and its answer. Fields are guarded by the committer's mu.
type waiter struct {
	req      *Request
	round    *round
	seq      batch.Seq // given when sequenced
	told     bool      // somebody was told seq
	answered bool
	err      error
}

// outcome returns the answer; what was not written has no number.
func (w *waiter) outcome() (batch.Seq, error) {
	if w.err != nil {
		return 0, w.err
	}
	return w.seq, nil
}

// add puts a request at the end of the round's queue.
func (r *round) add(req *Request) *waiter {
	w := &waiter{req: req, round: r}
	r.queue = append(r.queue, w)
	return w
}

// addEmpty adds one who only waits until the round is written, and with it all
// that was sequenced before. It needs no place in the order.
func (r *round) addEmpty(last batch.Seq) *waiter {
	w := &waiter{req: &Request{}, round: r, seq: last}
	r.ready = append(r.ready, w)
	return w
}

// Pending is a request that was accepted and is not answered yet.
type Pending struct {
	c *Committer
	w *waiter
}

// Seq returns the number that the request has in order.
func (p Pending) Seq() batch.Seq { return p.w.seq }

// Wait returns the request's seq once it is durable (or appended, where the policy
// does not sync), or why it is not. The context ends only the waiting: the error
// is then ErrAmbiguous, and Wait may be called again.
func (p Pending) Wait(ctx context.Context) (batch.Seq, error) {
	return p.c.wait(ctx, p.w)
}

// Commit accepts a request and waits for its answer; the goroutine that finds
// nobody writing writes itself.
func (c *Committer) Commit(ctx context.Context, req *Request) (batch.Seq, error) {
	return c.join(ctx, func() *waiter {
		w := c.open.add(req)
		c.arrivedLocked()
		return w
	})
}

// Sync waits until everything sequenced so far is durable.
func (c *Committer) Sync(ctx context.Context) error {
	_, err := c.join(ctx, func() *waiter {
		c.open.sync = true
		return c.open.addEmpty(c.last)
	})
	return err
}

// join enters a request by enter, which is called with the lock held, and waits
// for its answer.
func (c *Committer) join(ctx context.Context, enter func() *waiter) (batch.Seq, error) {
	c.mu.Lock()
	if err := c.errLocked(); err != nil {
		c.mu.Unlock()
		return 0, err
	}
	w := enter()
	first := c.leadLocked()
	c.mu.Unlock()
	if first {
		c.leadFor(ctx)
	}
	return c.wait(ctx, w)
}

// leadLocked takes the lead where nobody has it and there is something to do; the
// caller must then call lead.
func (c *Committer) leadLocked() bool {
	if c.leading || !c.workLocked() {
		return false
	}
	c.leading = true
	return true
}

// workLocked says whether a leader would find something to do: while the writer's
// place is taken the queue has to wait.
func (c *Committer) workLocked() bool {
	return len(c.open.ready) > 0 || (len(c.open.queue) > 0 && !c.place.held)
}

// arrivedLocked tells a leader who waits for company that somebody came.
func (c *Committer) arrivedLocked() {
	c.gather.came(c.hereLocked())
}

// wait returns w's answer. While it waits it may be handed the lead.
func (c *Committer) wait(ctx context.Context, w *waiter) (batch.Seq, error) {
	for {
		c.mu.Lock()
		if w.answered {
			c.mu.Unlock()
			return w.outcome()
		}
		r := w.round
		done := r.done
		r.here++
		c.mu.Unlock()
		select {
		case <-done:
			c.leave(r)
		case <-r.lead:
			c.leave(r)
			c.leadFor(ctx)
		case <-ctx.Done():
			if err, gone := c.depart(ctx, r, w); gone {
				return 0, err
			}
		}
	}
}

// leave ends a wait on a round. The lead may have come to it at the same moment.
func (c *Committer) leave(r *round) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.here--
	c.ensureLeaderLocked(r)
}

// depart ends a wait whose context has ended. A request that was not sequenced
// yet is withdrawn; otherwise its outcome stays unknown to the caller. gone is
// false where the answer has come meanwhile.
func (c *Committer) depart(ctx context.Context, r *round, w *waiter) (err error, gone bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.here--
	c.ensureLeaderLocked(r)
	if w.answered {
		return nil, false
	}
	why := context.Cause(ctx)
	for i, q := range w.round.queue {
		if q == w {
			w.round.queue = append(w.round.queue[:i:i], w.round.queue[i+1:]...)
			w.answered, w.err = true, why
			return why, true
		}
	}
	return &fault.Error{Op: "commit", At: fault.Place{Seq: uint64(w.seq)}, Err: fault.ErrAmbiguous, Cause: why,
		Hint: "it is being written; wait again, or look whether it is there"}, true
}

// ensureLeaderLocked starts a leader where the lead was handed to a round that
// nobody waits on any more.
func (c *Committer) ensureLeaderLocked(r *round) {
	if r.here > 0 {
		return
	}
	select {
	case <-r.lead:
		go c.lead()
	default:
	}
}

// passLocked hands the lead to the open round, or gives it up where there is
// nothing to do.
func (c *Committer) passLocked() {
	work := c.workLocked()
	c.leading, c.gather.behind = work, c.hereLocked()
	if !work {
		return
	}
	c.open.lead <- struct{}{}
	c.ensureLeaderLocked(c.open)
}

// kickLocked makes sure that somebody leads where there is something to do.
func (c *Committer) kickLocked() {
	if c.leadLocked() {
		go c.lead()
	}
}
