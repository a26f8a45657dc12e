package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vlogdb/vlog/engine"
)

// view reads everything at once: it is some batch's state, not older than what was
// answered before.
func (c *client) view(ctx context.Context) {
	told := c.ledger.answered()
	var base uint64
	var got content
	err := c.db.View(ctx, func(_ context.Context, tx *engine.Tx) (err error) {
		base = tx.Base()
		got, err = whole(tx)
		return err
	})
	if c.fine(ctx, err) && !c.door.over() {
		c.seen(seen{"view", base, told, got})
		c.ledger.show(base, c.synced)
	}
}

// seen is everything, as it was behind a batch.
type seen struct {
	how   string
	seq   uint64
	least uint64 // what must be in it
	got   content
}

// seen compares everything with the batch it is said to be of.
func (l *life) seen(s seen) {
	l.tally.add("looks", 1)
	if s.seq < s.least {
		l.ledger.fail("%s shows #%d, and #%d was answered", s.how, s.seq, s.least)
	}
	l.ledger.saw(look{s.seq, s.how, func(want content) error { return s.got.differs(want) }})
}

func (c *client) sync(ctx context.Context) {
	told := c.ledger.answered()
	if c.fine(ctx, c.db.Sync(ctx)) && !c.door.over() {
		if d := c.db.Durable(); d < told {
			c.ledger.fail("synced, and #%d of #%d is durable", d, told)
		}
		c.ledger.promise(told, true)
	}
}

func (c *client) checkpoint(ctx context.Context) {
	if c.one(4) {
		_, err := c.db.PlanCheckpoint(ctx)
		c.fine(ctx, err)
		return
	}
	res, err := c.db.Checkpoint(ctx)
	if c.fine(ctx, err) && !c.door.over() {
		c.story.tellf(c.name, "checkpoint of #%d, from #%d on is kept", res.Seq, res.Base)
		c.tally.add("checkpoints", 1)
		c.ledger.show(res.Seq, true)
	}
}

// past looks back.
func (c *client) past(ctx context.Context) {
	floor, err := c.db.Floor(ctx)
	if !c.fine(ctx, err) {
		return
	}
	last := c.db.Stats().Seq
	if last < floor {
		return // a checkpoint came between
	}
	seq := floor + c.Uint64N(last-floor+1)
	p, err := c.db.At(ctx, seq)
	if !c.fine(ctx, err, engine.ErrCompacted) || c.door.over() {
		return
	}
	if p.Seq() != seq {
		c.ledger.fail("at #%d shows #%d", seq, p.Seq())
	}
	c.pastIs(ctx, p)
}

func (c *client) pastByTime(ctx context.Context) {
	p, err := c.db.AtTime(ctx, time.Now().Add(-time.Duration(c.IntN(int(time.Second)))))
	if c.fine(ctx, err, engine.ErrCompacted) && !c.door.over() {
		c.pastIs(ctx, p)
	}
}

func (c *client) pastIs(ctx context.Context, p engine.Past) {
	var got content
	err := p.View(ctx, func(_ context.Context, tx *engine.Tx) (err error) {
		got, err = whole(tx)
		return err
	})
	if c.fine(ctx, err) && !c.door.over() {
		c.seen(seen{"past", p.Seq(), 0, got})
	}
}

// batches goes through the log.
func (c *client) batches(ctx context.Context) {
	from := uint64(0)
	if c.one(2) {
		from = max(1, c.db.Durable()) - c.Uint64N(min(5, max(1, c.db.Durable())))
	}
	next := from
	for b, err := range c.db.Batches(ctx, from) {
		if !c.fine(ctx, err, engine.ErrCompacted) || c.door.over() {
			return
		}
		c.batch(b, &next)
	}
}

// batch compares one batch of a log with what was asked for.
func (l *life) batch(b engine.Batch, next *uint64) {
	if *next > 0 && b.Seq != *next {
		l.ledger.fail("the log goes on with #%d, not #%d", b.Seq, *next)
	}
	*next = b.Seq + 1
	if b.Seq == 0 {
		return
	}
	list := changesOf(b)
	l.ledger.logged(b.Seq, list)
	before, ok := l.ledger.behind(b.Seq - 1)
	if !ok {
		return
	}
	l.ledger.saw(look{b.Seq, "the log", func(want content) error { return before.with(list).differs(want) }})
}

// history compares the changes of one key with what the store held.
func (c *client) history(ctx context.Context) {
	tenant, key := pick(c.chance, tenants()...), fmt.Sprintf("k%02d", c.IntN(20))
	s, err := c.db.Tenant(tenant)
	if !c.fine(ctx, err) {
		return
	}
	for e, err := range s.History(ctx, []byte(key), c.IntN(4)) {
		if !c.fine(ctx, err, engine.ErrCompacted) || c.door.over() {
			return
		}
		put, value := e.Op == "put", string(e.Value)
		c.ledger.saw(look{e.Seq, "history", func(want content) error {
			if v, there := want[place{tenant, key}]; there != put || put && v != value {
				return fmt.Errorf("%s/%s is %s, not %s", tenant, key, brief(value, put), brief(v, there))
			}
			return nil
		}})
	}
}

// ask calls what only tells.
func (c *client) ask(ctx context.Context) {
	info, err := c.db.Info(ctx)
	if c.fine(ctx, err) && !c.door.over() && info.ID != c.db.ID() {
		c.ledger.fail("info tells of store %s", info.ID)
	}
	if s := c.db.Stats(); s.Durable > s.Seq && !c.door.over() {
		c.ledger.fail("durable is #%d, and shown #%d", s.Durable, s.Seq)
	}
}

// single writes with one call, then looks for the number in the log.
func (c *client) single(ctx context.Context) {
	if !c.synced {
		return // the log shows what is durable alone
	}
	told := c.ledger.answered()
	d := &deed{client: c}
	c.n++
	d.r = &record{who: fmt.Sprintf("%s.%d", c.name, c.n)}
	ch := change{what: 'p', at: place{pick(c.chance, tenants()...), d.key()}, value: d.value()}
	if c.one(3) {
		ch = change{what: 'd', at: ch.at}
	}
	d.r.changes = []change{ch}
	s, err := c.db.Tenant(ch.at.tenant)
	if !c.fine(ctx, err) {
		return
	}
	c.ledger.ask(d.r)
	if ch.what == 'p' {
		err = s.Put(ctx, []byte(ch.at.key), []byte(ch.value))
	} else {
		err = s.Delete(ctx, []byte(ch.at.key))
	}
	c.story.tellf(c.name, "%s: %v", d.r.who, ch)
	if err == nil && !c.door.over() {
		if ch.what == 'p' { // others may delete the same: then it stays in doubt, which asks for less
			c.find(d.r, told+1)
		}
		return
	}
	c.outcome(ctx, d.r, answered{0, orIO(err)})
}

func orIO(err error) error {
	if err == nil {
		return engine.ErrIO // the machine has stopped: nobody asks
	}
	return err
}

// find gives an answered transaction its number. Where the log is no longer kept it
// stays in doubt, which asks for less.
func (c *client) find(r *record, from uint64) {
	ctx := context.Background()
	for b, err := range c.db.Batches(ctx, from) {
		if errors.Is(err, engine.ErrCompacted) || !c.fine(ctx, err) || c.door.over() {
			return
		}
		list := changesOf(b)
		if len(list) == 1 && list[0] == r.changes[0] {
			c.outcome(ctx, r, answered{b.Seq, nil})
			return
		}
	}
	c.ledger.fail("%s was answered and is not in the log from #%d on", r.who, from)
}

// watch follows the log until this life ends.
func (l *life) watch(db *engine.DB, from uint64) {
	next := from
	for b, err := range db.Watch(l.ctx, from) {
		if l.door.over() || l.ctx.Err() != nil {
			return
		}
		if err != nil {
			if !errors.Is(err, engine.ErrCompacted) && !errors.Is(err, engine.ErrClosed) && !(l.door.troubled() && isTrouble(err)) {
				l.ledger.fail("watch: %w", err)
			}
			return
		}
		l.batch(b, &next)
		l.tally.add("watched", 1)
		l.ledger.promise(b.Seq, true)
	}
}

// beside reads the store as another process does.
func (l *life) beside(c chance) {
	told := l.ledger.answered()
	db, err := engine.OpenFS(l.ctx, l.door.calm(), engine.Options{ReadOnly: true, Clock: time.Now, Random: c.Uint64})
	if err != nil {
		if !l.door.over() && l.ctx.Err() == nil {
			l.ledger.fail("reader: %w", err)
		}
		return
	}
	for l.ctx.Err() == nil && !l.door.over() {
		l.besideOnce(db, told)
		l.door.sleep(time.Duration(c.between(1, 3000)) * time.Microsecond)
		told = l.ledger.answered()
	}
	_ = db.Close() // a reader has nothing to lose
}

func (l *life) besideOnce(db *engine.DB, told uint64) {
	s := seen{how: "reader"}
	if l.synced && !l.door.troubled() { // where log/durable cannot be written, it goes by seals
		s.least = told
	}
	err := db.View(l.ctx, func(_ context.Context, tx *engine.Tx) (err error) {
		s.seq = tx.Base()
		s.got, err = whole(tx)
		return err
	})
	switch {
	case l.door.over() || l.ctx.Err() != nil:
	case err != nil:
		l.ledger.fail("reader: %w", err)
	default:
		l.seen(s)
		l.ledger.promise(s.seq, true)
	}
}

// backup copies the store to another disk and looks at the copy.
func (c *client) backup(ctx context.Context) {
	if !c.vault.take() {
		return
	}
	defer c.vault.give()
	told := c.ledger.answered()
	res, err := c.db.BackupFS(ctx, c.vaultDoor.fs(), engine.BackupOptions{Prune: c.one(3), Verify: c.one(4), Clock: time.Now})
	if !c.fine(ctx, err, engine.ErrCompacted) || c.door.over() {
		return
	}
	c.story.tellf(c.name, "backup of #%d", res.Seq)
	c.tally.add("backups", 1)
	c.vault.least = res.Seq
	c.ledger.promise(res.Seq, true)
	f, err := readWhole(ctx, c.vaultDoor.calm())
	if c.fine(ctx, err) && !c.door.over() {
		if f.last != res.Seq {
			c.ledger.fail("the backup of #%d shows #%d", res.Seq, f.last)
		}
		c.seen(seen{"backup", f.last, told, f.got})
	}
}
