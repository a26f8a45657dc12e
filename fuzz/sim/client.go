package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vlogdb/vlog/engine"
)

// client is one user of the store: one goroutine with its own stream of chances.
type client struct {
	chance
	*life
	name    string
	doing   string
	n       int // transactions begun
	waiting []submitted
}

// submitted is a transaction that waits for the disk.
type submitted struct {
	r *record
	p *engine.Pending
}

// run does a number of things, then waits for what is under way.
func (c *client) run(things int) {
	for range things {
		if c.door.over() || c.db.Err() != nil {
			break
		}
		c.pause()
		c.step()
	}
	for len(c.waiting) > 0 {
		c.wait(context.Background())
	}
}

// pause waits a little, now and then for long.
func (c *client) pause() {
	wait := time.Duration(c.between(1, 300)) * time.Microsecond
	if c.one(12) {
		wait += time.Duration(c.between(1, 40)) * time.Millisecond
	}
	c.door.sleep(wait)
}

// step does one thing.
func (c *client) step() {
	steps := []struct {
		name   string
		weight int
		do     func(context.Context)
	}{
		{"transaction", 24, c.transact}, {"update", 16, c.update}, {"one call", 6, c.single}, {"view", 12, c.view}, {"wait", 6, c.wait},
		{"sync", 4, c.sync}, {"checkpoint", 5, c.checkpoint}, {"look back", 4, c.past}, {"look back by time", 2, c.pastByTime}, {"batches", 3, c.batches},
		{"history", 2, c.history}, {"info", 3, c.ask}, {"backup", 3, c.backup},
	}
	sum := 0
	for _, s := range steps {
		sum += s.weight
	}
	dice := c.IntN(sum)
	for _, s := range steps {
		if dice -= s.weight; dice < 0 {
			ctx, cancel := c.context()
			defer cancel()
			c.doing = s.name
			s.do(ctx)
			return
		}
	}
}

// context is one that never ends, one that ends with this life, or a short one.
func (c *client) context() (context.Context, context.CancelFunc) {
	switch c.IntN(10) {
	case 0:
		return context.WithTimeout(c.ctx, time.Duration(c.between(1, 3000))*time.Microsecond)
	case 1, 2, 3, 4:
		return c.ctx, func() {}
	}
	return context.Background(), func() {}
}

// fine says whether an operation succeeded, and writes down an error that it may not
// give: where nothing fails only the ones that are named, and that of the context.
func (c *client) fine(ctx context.Context, err error, may ...error) bool {
	if err == nil {
		return true
	}
	if c.door.over() {
		return false
	}
	c.story.tell(c.name, c.doing+": "+err.Error())
	if c.expected(ctx, err, may) {
		return false
	}
	c.ledger.fail("%s, %s: %w", c.name, c.doing, err)
	return false
}

func (c *client) expected(ctx context.Context, err error, may []error) bool {
	for _, m := range may {
		if errors.Is(err, m) {
			return true
		}
	}
	if ctx.Err() != nil && (errors.Is(err, context.Cause(ctx)) || errors.Is(err, engine.ErrAmbiguous)) {
		return true
	}
	return c.door.troubled() && isTrouble(err) || errors.Is(err, engine.ErrNoSpace) && c.tight
}

// isTrouble says whether an error is one that a failing disk may cause.
func isTrouble(err error) bool {
	for _, t := range []error{engine.ErrIO, engine.ErrNoSpace, engine.ErrAmbiguous, engine.ErrPoisoned} {
		if errors.Is(err, t) {
			return true
		}
	}
	return false
}

// transact does what a transaction can do, step by step.
func (c *client) transact(ctx context.Context) {
	mode := pick(c.chance, engine.Deferred, engine.Deferred, engine.Deferred, engine.Immediate, engine.Immediate, engine.Exclusive, engine.Reading)
	tx, err := c.db.Begin(ctx, mode)
	if !c.fine(ctx, err, engine.ErrConflict) {
		return
	}
	d := c.deed(tx)
	c.story.tellf(c.name, "begin %v as %s on #%d", mode, d.r.who, d.r.base)
	for range c.between(0, 5) {
		if err := d.act(0); err != nil {
			c.fine(ctx, err)
			_ = tx.Rollback() // of a transaction that has failed
			return
		}
		if c.one(3) {
			c.pause()
		}
	}
	d.end(ctx)
}

// update does the same in one call.
func (c *client) update(ctx context.Context) {
	var d *deed
	fn := func(_ context.Context, tx *engine.Tx) error {
		if d != nil {
			c.ledger.refuse(d.r)
		}
		d = c.deed(tx)
		for range c.between(1, 4) {
			if err := d.act(0); err != nil {
				return err
			}
		}
		c.ledger.ask(d.r)
		return nil
	}
	if c.one(4) {
		p, err := c.db.Submit(ctx, fn)
		c.submitted(ctx, d, p, err)
		return
	}
	err := c.db.Update(ctx, fn)
	if d == nil {
		c.fine(ctx, err)
		return
	}
	c.decided(ctx, d, err)
}

// submitted notes what became of a transaction that was submitted.
func (c *client) submitted(ctx context.Context, d *deed, p *engine.Pending, err error) {
	if err != nil {
		if d != nil && !c.door.over() && !errors.Is(err, engine.ErrAmbiguous) {
			c.ledger.refuse(d.r)
		}
		c.fine(ctx, err, engine.ErrConflict)
		return
	}
	d.r.seq = d.tx.Seq()
	c.story.tellf(c.name, "%s is submitted as #%d", d.r.who, d.r.seq)
	if d.r.seq == 0 {
		c.ledger.refuse(d.r)
	}
	c.waiting = append(c.waiting, submitted{d.r, p})
}

// decided notes what became of a commit.
func (c *client) decided(ctx context.Context, d *deed, err error) {
	c.outcome(ctx, d.r, answered{d.tx.Seq(), err})
}

// answered is the answer to a commit.
type answered struct {
	seq uint64
	err error
}

// outcome keeps the ledger.
func (c *client) outcome(ctx context.Context, r *record, a answered) {
	switch {
	case c.door.over():
		return // nobody heard the answer
	case errors.Is(a.err, engine.ErrAmbiguous):
		c.story.tellf(c.name, "%s is in doubt", r.who)
	case a.err != nil:
		c.story.tellf(c.name, "%s is refused", r.who)
		c.ledger.refuse(r)
	case a.seq == 0:
		c.ledger.refuse(r)
		c.unchanged(r)
	default:
		c.story.tellf(c.name, "%s is committed as #%d", r.who, a.seq)
		c.tally.add("committed", 1)
		c.ledger.answer(r, a.seq, c.synced)
	}
	if errors.Is(a.err, engine.ErrConflict) {
		c.tally.add("conflicts", 1)
	}
	c.fine(ctx, a.err, engine.ErrConflict)
}

// unchanged takes over what a transaction saw that changed nothing and ended well.
func (c *client) unchanged(r *record) {
	for _, saw := range r.saw {
		c.ledger.saw(look{r.base, r.who, saw})
	}
	c.ledger.show(r.base, c.synced)
}

// wait waits for one of those that were submitted.
func (c *client) wait(ctx context.Context) {
	if len(c.waiting) == 0 {
		return
	}
	i := c.IntN(len(c.waiting))
	s := c.waiting[i]
	seq, err := s.p.Wait(ctx)
	if ctx.Err() != nil && errors.Is(err, engine.ErrAmbiguous) && c.db.Err() == nil {
		return // it may be waited for again
	}
	c.waiting = append(c.waiting[:i:i], c.waiting[i+1:]...)
	if err == nil && seq != s.r.seq && !c.door.over() {
		c.ledger.fail("%s was submitted as #%d and is #%d", s.r.who, s.r.seq, seq)
	}
	c.outcome(ctx, s.r, answered{seq, err})
}

// deed begins the model of a transaction.
func (c *client) deed(tx *engine.Tx) *deed {
	c.n++
	return &deed{client: c, tx: tx, r: &record{who: fmt.Sprintf("%s.%d", c.name, c.n), base: tx.Base()}}
}
