package committer

import (
	"context"
	"errors"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
)

// place is the writer's place: who holds it is the only one to sequence. It is
// given in the order in which it was asked for. Guarded by the committer's mu.
type place struct {
	held  bool
	queue []*claim
}

// claim is one who waits for the place.
type claim struct {
	given   chan struct{} // closed when it is given, or refused
	refused bool
}

// refuse turns away everybody who waits.
func (p *place) refuse() {
	for _, c := range p.queue {
		c.refused = true
		close(c.given)
	}
	p.queue = nil
}

// Take waits for the writer's place and returns the pending picture: nothing is
// sequenced after it until Give, or CommitHeld.
func (c *Committer) Take(ctx context.Context) (Base, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.errLocked(); err != nil {
		return Base{}, err
	}
	if !c.place.held {
		c.drainLocked()
		c.place.held = true
		return c.baseLocked(), nil
	}
	cl := &claim{given: make(chan struct{})}
	c.place.queue = append(c.place.queue, cl)
	c.mu.Unlock()
	var err error
	select {
	case <-cl.given:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	c.mu.Lock()
	if err != nil {
		c.withdrawLocked(cl)
		return Base{}, err
	}
	if cl.refused {
		return Base{}, closed("begin")
	}
	return c.baseLocked(), nil
}

// TakeSettled is Take that also waits until all of the picture is durable: what is
// done on it cannot be taken back with what others could not write.
func (c *Committer) TakeSettled(ctx context.Context) (Base, error) {
	b, err := c.Take(ctx)
	if err != nil {
		return Base{}, err
	}
	err = c.Settle(ctx, b)
	for errors.Is(err, fault.ErrConflict) { // nothing is added meanwhile, so it ends
		b = c.Pending()
		err = c.Settle(ctx, b)
	}
	if err == nil {
		return b, nil
	}
	c.Give()
	if ctx.Err() != nil {
		err = context.Cause(ctx) // nobody is in doubt about what was only to begin
	}
	return Base{}, err
}

// claimLocked asks for the place, which may be given at once.
func (c *Committer) claimLocked() *claim {
	cl := &claim{given: make(chan struct{})}
	if c.place.held {
		c.place.queue = append(c.place.queue, cl)
		return cl
	}
	c.place.held = true
	close(cl.given)
	return cl
}

// drainLocked sequences what was queued before: it came first.
func (c *Committer) drainLocked() {
	c.collectLocked()
	if len(c.open.queue) == 0 {
		return
	}
	c.sequenceLocked(c.open) // somebody leads already, since there was a queue
}

// withdrawLocked takes back a claim; a place given meanwhile goes on to the next.
func (c *Committer) withdrawLocked(cl *claim) {
	for i, q := range c.place.queue {
		if q == cl {
			c.place.queue = append(c.place.queue[:i:i], c.place.queue[i+1:]...)
			return
		}
	}
	if !cl.refused {
		c.giveLocked()
		c.kickLocked()
	}
}

// Give lets the writer's place go without a commit.
func (c *Committer) Give() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.giveLocked()
	c.kickLocked()
}

// giveLocked passes the place on. What queued up meanwhile is sequenced first, so
// that neither those in the queue nor those who wait for the place can starve.
func (c *Committer) giveLocked() {
	c.collectLocked()
	if len(c.open.queue) > 0 {
		c.sequenceLocked(c.open)
	}
	if len(c.place.queue) == 0 {
		c.place.held = false
		return
	}
	next := c.place.queue[0]
	c.place.queue = c.place.queue[1:]
	close(next.given)
}

// Submit gives a request its place in order and returns without waiting for the
// disk. It waits only for the writer's place. ErrConflict where what the request
// read has changed.
func (c *Committer) Submit(ctx context.Context, req *Request) (Pending, error) {
	if _, err := c.Take(ctx); err != nil {
		return Pending{}, err
	}
	return c.SubmitHeld(req)
}

// SubmitHeld is Submit for whoever holds the writer's place, which it lets go.
func (c *Committer) SubmitHeld(req *Request) (Pending, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w, err := c.orderLocked(req)
	w.told = true
	c.kickLocked()
	return Pending{c, w}, err
}

// CommitHeld is Commit for whoever holds the writer's place, which it lets go.
func (c *Committer) CommitHeld(ctx context.Context, req *Request) (batch.Seq, error) {
	c.mu.Lock()
	w, err := c.orderLocked(req)
	w.waits = 1
	first := c.leadLocked()
	c.mu.Unlock()
	if first {
		c.leadFor(ctx)
	}
	if err != nil {
		return 0, err
	}
	return c.wait(ctx, w)
}

// orderLocked sequences a request in the writer's place and lets the place go.
func (c *Committer) orderLocked(req *Request) (*waiter, error) {
	w := newWaiter(req)
	w.round = c.open
	err := c.errLocked()
	if err == nil {
		err = c.takeLocked(w)
	}
	if err == nil {
		c.open.ready = append(c.open.ready, w)
		c.gather.collected++
		c.gather.came()
	}
	c.giveLocked()
	return w, err
}
