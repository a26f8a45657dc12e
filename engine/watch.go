package engine

import (
	"context"
	"iter"

	"github.com/vlogdb/vlog/internal/fault"
)

// Watch yields the batches that the store keeps, from a number on, and then those that
// come: whole, in order, each once, and never one that a crash takes away. 0 means from
// the first one kept; to begin behind the newest, give DB.Durable()+1. On a read-only DB
// it follows the log of the process that writes, through its crash and comeback, and
// waits where nobody writes.
//
// It keeps nothing from being trimmed: who falls behind the first batch kept gets
// ErrCompacted. An error is the last pair, and there always is one, unless the loop is
// broken off, which releases everything: ErrCompacted, ErrClosed behind the last batch
// that Close made durable, ErrPoisoned, ErrCorrupt, ErrForeign where another store was
// put in the place of this one, ErrNotFound where its directory was moved away, ErrIO, or
// the context's. The sequence may be ranged
// again, and by several at once.
//
// On a DB that writes a batch may be yielded a moment before Get sees it. The
// loop runs in the goroutine of the caller and holds no lock while its body runs.
func (db *DB) Watch(ctx context.Context, from uint64) iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		c := db.core
		if err := c.stay("watch"); err != nil {
			yield(Batch{}, err)
			return
		}
		defer c.leave()
		ctx, stop := c.whileOpen(ctx)
		defer stop()
		c.batches(ctx, from, batchReader{c.store.Log.Follow, yield})
	}
}

// stay keeps the directory open behind Close, so that what that makes durable can be
// read; leave ends it. ErrClosed where the DB is closed already.
func (c *core) stay(op string) error {
	err := c.ended(op)
	if err == nil && !c.holders.add() {
		err = &fault.Error{Op: op, At: fault.Place{Path: c.path}, Err: fault.ErrClosed}
	}
	return err
}

func (c *core) leave() {
	if err := c.holders.done(); err != nil { // Close has answered already
		c.opts.Logger.Warn("the directory of a closed store could not be let go", "cause", err)
	}
}

// whileOpen returns a context that also ends when a read-only DB is closed. The log of
// one that writes ends by itself, behind what closing makes durable.
func (c *core) whileOpen(ctx context.Context) (context.Context, func()) {
	if c.committer != nil {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(c.life, func() {
		cancel(&fault.Error{Op: "watch", At: fault.Place{Path: c.path}, Err: fault.ErrClosed})
	})
	return ctx, func() {
		stop()
		cancel(nil)
	}
}
