package committer

import (
	"context"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
)

// round is what gathers between two starts of a leader and is written together.
// Its fields are guarded by the committer's mu.
type round struct {
	queue   []*waiter      // in order of arrival, not yet sequenced
	ready   []*waiter      // sequenced, in order of seq
	picture *state.Picture // behind the last of ready, once the round was begun
	sync    bool           // somebody asks for a sync, whatever the policy
	shown   chan struct{}  // closed when the round was answered; nil where nobody asks
}

// nextRound returns a round that has room for as many as the last one had.
func nextRound(last *round) *round {
	return &round{queue: make([]*waiter, 0, len(last.ready))}
}

// waiter is one request and its answer. What is not said to be otherwise is guarded
// by the committer's mu.
type waiter struct {
	req      *Request
	round    *round
	seq      batch.Seq // given when sequenced
	told     bool      // somebody was told seq
	waits    int       // goroutines that wait for the answer, and could lead
	answered bool
	err      error // set before wake is closed, and read behind that

	wake chan struct{} // takes one token, the lead; closed with the answer
	next *waiter       // the one that came before, in the inbox
}

func newWaiter(req *Request) *waiter {
	return &waiter{req: req, wake: make(chan struct{}, 1)}
}

// tell answers a waiter.
func (w *waiter) tell(err error) {
	w.answered, w.err = true, err
	close(w.wake)
}

// outcome returns the answer; what was not written has no number.
func (w *waiter) outcome() (batch.Seq, error) {
	if w.err != nil {
		return 0, w.err
	}
	return w.seq, nil
}

// addEmpty adds one who only waits until the round is written, and with it all
// that was sequenced before. It needs no place in the order.
func (r *round) addEmpty(last batch.Seq) *waiter {
	w := newWaiter(&Request{})
	w.round, w.seq = r, last
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
	p.c.mu.Lock()
	p.w.waits++
	p.c.mu.Unlock()
	return p.c.wait(ctx, p.w)
}

// Commit accepts a request and waits for its answer; the goroutine that finds
// nobody writing writes itself. It takes no lock: a leader who is busy with the
// group before does not keep the next one from gathering.
func (c *Committer) Commit(ctx context.Context, req *Request) (batch.Seq, error) {
	if err := c.Err(); err != nil {
		return 0, err
	}
	w := newWaiter(req)
	w.waits = 1
	c.inbox.put(w)
	c.gather.came()
	if c.leading.CompareAndSwap(false, true) {
		c.leadFor(ctx)
	}
	return c.wait(ctx, w)
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
	w.waits = 1
	first := c.leadLocked()
	c.mu.Unlock()
	if first {
		c.leadFor(ctx)
	}
	return c.wait(ctx, w)
}

// wait returns w's answer, for one of those that it counts as waiting. Meanwhile it
// may be handed the lead.
func (c *Committer) wait(ctx context.Context, w *waiter) (batch.Seq, error) {
	for ctx.Done() == nil { // the same as below, for half the price
		if _, lead := <-w.wake; !lead {
			return w.outcome()
		}
		c.leadFor(ctx)
	}
	for {
		select {
		case _, lead := <-w.wake:
			if !lead {
				return w.outcome()
			}
			c.leadFor(ctx)
		case <-ctx.Done():
			if err, gone := c.depart(ctx, w); gone {
				return 0, err
			}
			return w.outcome()
		}
	}
}

// depart ends a wait whose context has ended. A request that was not sequenced
// yet is withdrawn; otherwise its outcome stays unknown to the caller. gone is
// false where the answer has come meanwhile. Where the lead has come, and nobody
// else waits who could take it, a goroutine does.
func (c *Committer) depart(ctx context.Context, w *waiter) (err error, gone bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w.waits--
	if w.waits == 0 {
		c.passOnLocked(w)
	}
	if w.answered {
		return nil, false
	}
	c.collectLocked()
	if w.answered {
		return nil, false
	}
	why := context.Cause(ctx)
	for i, q := range w.round.queue {
		if q == w {
			w.round.queue = append(w.round.queue[:i:i], w.round.queue[i+1:]...)
			w.tell(why)
			return why, true
		}
	}
	return &fault.Error{Op: "commit", At: fault.Place{Seq: uint64(w.seq)}, Err: fault.ErrAmbiguous, Cause: why,
		Hint: "it is being written; wait again, or look whether it is there"}, true
}

// passOnLocked gives the lead that w may have been handed to a goroutine.
func (c *Committer) passOnLocked(w *waiter) {
	select {
	case _, lead := <-w.wake:
		if lead {
			go c.lead()
		}
	default:
	}
}

// collectLocked takes those who came since the last time into the open round, in the
// order in which they came. Who comes behind Close is refused.
func (c *Committer) collectLocked() {
	w, n := c.inbox.take()
	c.gather.collected += uint64(n)
	for w != nil {
		next := w.next
		w.next, w.round = nil, c.open
		if c.closed {
			w.tell(closed("write"))
		} else {
			c.open.queue = append(c.open.queue, w)
		}
		w = next
	}
}

// leadLocked takes the lead where nobody has it and there is something to do; the
// caller must then call lead.
func (c *Committer) leadLocked() bool {
	return c.workLocked() && c.leading.CompareAndSwap(false, true)
}

// workLocked says whether a leader would find something to do: while the writer's
// place is taken the queue has to wait.
func (c *Committer) workLocked() bool {
	c.collectLocked()
	return len(c.open.ready) > 0 || (len(c.open.queue) > 0 && !c.place.held)
}

// passLocked hands the lead to one of those who wait for the open round, or gives it
// up where there is nothing to do.
func (c *Committer) passLocked() {
	for !c.workLocked() {
		c.leading.Store(false)
		// Who came between the two found somebody leading.
		if c.inbox.empty() || !c.leading.CompareAndSwap(false, true) {
			return
		}
	}
	for _, all := range [][]*waiter{c.open.ready, c.open.queue} {
		for _, w := range all {
			if w.waits > 0 {
				w.wake <- struct{}{}
				return
			}
		}
	}
	go c.lead()
}

// kickLocked makes sure that somebody leads where there is something to do.
func (c *Committer) kickLocked() {
	if c.leadLocked() {
		go c.lead()
	}
}
