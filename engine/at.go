package engine

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/wal"
)

// At returns the store as it was behind a batch; 0 is before the first one. It loads
// the newest checkpoint at or below it and applies the log from there, beside
// everybody at work and without holding anything up; of the newest batch that is
// seen it is the present picture and costs nothing. Where a SyncPolicy leaves the
// batch off the disk it is synced first.
//
// Errors: ErrNotFound for what has not happened yet; ErrCompacted, which names the
// first batch that can be asked for, for what is no longer kept (DB.Floor);
// ErrCorrupt, ErrIO, ErrClosed or the context's. A checkpoint that does not verify
// is passed over for an older one.
func (db *DB) At(ctx context.Context, seq uint64) (Past, error) {
	now, err := db.present(ctx)
	if err != nil || seq == uint64(now.Seq()) {
		return newPast(db, now), err
	}
	if seq > uint64(now.Seq()) {
		return Past{}, db.core.unseen(ctx, batch.Seq(seq), now.Seq())
	}
	if err := db.core.onDisk(ctx, batch.Seq(seq)); err != nil {
		return Past{}, err
	}
	p := now
	err = db.core.lookBack(ctx, func(k kept) (err error) {
		p, err = db.core.pictureAt(ctx, k, batch.Seq(seq))
		return err
	})
	return newPast(db, p), err
}

// AtTime returns the store as it was at a moment: before the first batch, in the order
// of numbers, whose time is later. Past.Seq tells which batch that is. The times of
// batches order nothing: where the clock went back, later batches may have earlier
// times, and a batch that is no longer kept cannot be counted. Before the first batch it
// is the empty store, where the log is kept from there; after the last one, the present.
//
// It goes through the log once to find the batch. Errors: ErrCompacted where that
// batch is no longer kept, and otherwise as for At.
func (db *DB) AtTime(ctx context.Context, t time.Time) (Past, error) {
	now, err := db.present(ctx)
	if err == nil {
		err = db.core.onDisk(ctx, now.Seq())
	}
	if err != nil {
		return Past{}, err
	}
	p := now
	err = db.core.lookBack(ctx, func(k kept) error {
		seq, err := db.core.before(ctx, k, moment{t, now})
		if err == nil && seq != now.Seq() {
			p, err = db.core.pictureAt(ctx, k, seq)
		}
		return err
	})
	return newPast(db, p), err
}

// present returns what is seen now, for those who look back from there.
func (db *DB) present(ctx context.Context) (*state.Picture, error) {
	if err := db.core.ended("look back"); err != nil {
		return nil, err
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	if err := db.core.shown(ctx); err != nil {
		return nil, err
	}
	return db.see(ctx)
}

// shown waits until readers see what the log gives out: it tells those who follow it a
// moment before the committer shows the batch, and they may ask for it at once.
func (c *core) shown(ctx context.Context) error {
	if c.committer == nil {
		return nil
	}
	_, last, _, err := c.store.Log.Bounds(ctx)
	if err != nil {
		return err
	}
	return c.committer.Shown(ctx, last)
}

// unseen says why readers do not see a batch: it has not happened, or writing ended
// between the sync that made it durable and its being shown.
func (c *core) unseen(ctx context.Context, seq, newest batch.Seq) error {
	if c.committer == nil || c.committer.Err() == nil {
		return notYet(seq, newest)
	}
	if _, last, _, err := c.store.Log.Bounds(ctx); err != nil || last < seq {
		return errors.Join(notYet(seq, newest), err)
	}
	return &fault.Error{Op: "look back", At: fault.Place{Seq: uint64(seq)}, Err: fault.ErrPoisoned, Cause: c.committer.Err(), Detail: "it is on disk, and writing ended before it was shown"}
}

func notYet(seq, last batch.Seq) error {
	detail := "it has not happened yet: the newest batch is " + last.String()
	if last == 0 {
		detail = "it has not happened yet: there is no batch"
	}
	return &fault.Error{Op: "look back", At: fault.Place{Seq: uint64(seq)}, Err: fault.ErrNotFound, Detail: detail, Hint: "ask for the newest one, or one before it"}
}

// keptLog is the log as a look at the past needs it.
type keptLog interface {
	Read(ctx context.Context, from wal.Seq) iter.Seq2[wal.Entry, error]
	Bounds(ctx context.Context) (first, last wal.Seq, chain wal.Chain, err error)
}

func (c *core) keptLog() keptLog { return c.store.Log }

// onDisk waits until a batch that is seen can be read from the log. It is already
// where answers mean that a batch is on disk.
func (c *core) onDisk(ctx context.Context, seq batch.Seq) error {
	if c.committer == nil || c.committer.Durable() >= seq {
		return nil
	}
	return c.syncFor(ctx)
}

// moment is what AtTime looks for: a time, in what is seen now.
type moment struct {
	time time.Time
	now  *state.Picture
}

// isBefore says whether the moment lies before the time of a batch.
func (m moment) isBefore(nanos int64) bool { return time.Unix(0, nanos).After(m.time) }

// before returns the last batch before the first one that is later than a moment. What
// the log holds below the floor counts too: the answer must not be another one, only
// because less is kept.
func (c *core) before(ctx context.Context, k kept, m moment) (batch.Seq, error) {
	floor, err := k.floor()
	if err != nil {
		return 0, err
	}
	seq := m.now.Seq()
	for e, err := range c.keptLog().Read(ctx, k.first) {
		if err != nil {
			return 0, err
		}
		if e.Seq > m.now.Seq() {
			break
		}
		if m.isBefore(e.Time) {
			seq = e.Seq - 1
			break
		}
	}
	late, err := c.floorIsLater(k, floor, m)
	if err == nil && (late || seq < floor) {
		err = tooOld(0, floor)
	}
	return seq, err
}

// floorIsLater says whether the batch of the floor, which the log no longer holds, is
// later than a moment.
func (c *core) floorIsLater(k kept, floor batch.Seq, m moment) (bool, error) {
	switch {
	case floor == 0 || floor >= k.first: // the log says it
		return false, nil
	case floor == m.now.Seq():
		return m.isBefore(m.now.Time()), nil
	}
	sum, err := checkpoint.Verify(c.store.FS, checkpoint.Name(floor), c.store.ID)
	if unusable(err) { // what can be told without it is; At says so where it is needed
		return false, nil
	}
	return err == nil && m.isBefore(sum.At.Time), err
}

// pictureAt makes the picture behind a batch from what is kept.
func (c *core) pictureAt(ctx context.Context, k kept, seq batch.Seq) (*state.Picture, error) {
	floor, err := k.floor()
	if err != nil {
		return nil, err
	}
	if seq < floor {
		return nil, tooOld(seq, floor)
	}
	base, err := c.baseOf(ctx, k, seq)
	if err != nil || base.Seq() == seq {
		return base, err
	}
	return c.replay(ctx, base, seq)
}

// baseOf loads the newest checkpoint at or below a seq that verifies. Where there is
// none it is the empty picture, if the log begins there.
func (c *core) baseOf(ctx context.Context, k kept, seq batch.Seq) (*state.Picture, error) {
	var passed error // the newest that did not verify
	for _, at := range k.checkpoints {
		if at > seq || at+1 < k.first {
			continue
		}
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		p, err := c.load(at)
		if err == nil {
			return p, nil
		}
		if !unusable(err) {
			return nil, err
		}
		c.opts.Logger.Warn("checkpoint passed over", "seq", uint64(at), "cause", err)
		if passed == nil {
			passed = err
		}
	}
	if k.first > 1 {
		return nil, passed
	}
	return state.Empty(), nil
}

// load loads a checkpoint that is what its name says.
func (c *core) load(seq batch.Seq) (*state.Picture, error) {
	name := checkpoint.Name(seq)
	p, sum, err := checkpoint.Load(c.store.FS, name, c.store.ID)
	if err == nil && sum.At.Seq != seq {
		err = &fault.Error{Op: "look back", At: fault.Place{Path: name}, Err: fault.ErrCorrupt, Detail: "the checkpoint of " + sum.At.Seq.String() + " under another name"}
	}
	return p, err
}

// unusable says whether an error means that a checkpoint cannot serve, and not that it
// could not be read.
func unusable(err error) bool {
	damaged := errors.Is(err, fault.ErrCorrupt) || errors.Is(err, fault.ErrForeign) || errors.Is(err, fault.ErrIncompatible)
	return damaged && !errors.Is(err, fault.ErrIO)
}

// replay applies the log to a picture that nobody else has, up to a seq: the same fold
// as that of opening and of writing.
func (c *core) replay(ctx context.Context, base *state.Picture, to batch.Seq) (*state.Picture, error) {
	edit, at := state.NewEdit(base), base.Position()
	var b batch.Batch
	for e, err := range c.keptLog().Read(ctx, at.Seq+1) {
		if err == nil {
			err = decoded(&b, &e)
		}
		if err == nil && at.Seq == base.Seq() { // from there on the log follows itself
			err = follows(&e, base)
		}
		if err != nil {
			return nil, err
		}
		at = state.Position{Seq: e.Seq, Time: e.Time, Chain: e.Chain}
		if edit.Apply(&b, at); at.Seq == to {
			return edit.Picture(), nil
		}
	}
	return nil, &fault.Error{Op: "look back", At: fault.Place{Seq: uint64(at.Seq + 1)}, Err: fault.ErrCorrupt, Detail: "the log ends at " + at.Seq.String()}
}

// follows returns ErrCorrupt where a batch does not follow a picture.
func follows(e *wal.Entry, base *state.Picture) error {
	if e.Seq == base.Seq()+1 && e.Chain == base.Chain().Next(batch.Hash(e.Payload)) {
		return nil
	}
	return &fault.Error{Op: "look back", At: fault.Place{Seq: uint64(e.Seq)}, Err: fault.ErrCorrupt, Detail: "its chain value does not follow that of the checkpoint of " + base.Seq().String(),
		Hint: "log and checkpoint do not belong together; restore a backup"}
}
