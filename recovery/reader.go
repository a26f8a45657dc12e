package recovery

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/wal"
)

// Reader holds the picture of a store that another process may be writing, and brings
// it up to date when it is asked for: whatever was answered there before the question
// is in it. It has no goroutine of its own. All methods may be called at once.
type Reader struct {
	view  atomic.Pointer[state.Picture]
	sight *sight

	turn   chan struct{} // held by whoever brings it up to date; guards the rest and what of sight is for one goroutine
	look   *look         // what it was read with
	cursor *wal.Cursor
	closed bool
}

func newReader(l *look, s *sight, c *wal.Cursor) *Reader {
	p := l.edit.Picture()
	l.last, l.chain, l.bound = p.Seq(), p.Chain(), false // what it had seen beyond is read again
	r := &Reader{sight: s, turn: make(chan struct{}, 1), look: l, cursor: c}
	r.view.Store(p)
	return r
}

// Picture returns the picture as it was when somebody last looked.
func (r *Reader) Picture() *state.Picture { return r.view.Load() }

// Now returns a picture of everything that was answered before the call, wherever that
// was. Where nothing was written since the last look it costs one or two small reads;
// else one caller reads what is new and the others wait for that. After an error the
// next call tries again. Errors: ErrCorrupt, ErrForeign, ErrIncompatible, ErrIO,
// ErrClosed, or the context's.
func (r *Reader) Now(ctx context.Context) (*state.Picture, error) {
	if r.sight.same() {
		return r.view.Load(), nil
	}
	if err := r.take(ctx); err != nil {
		return nil, err
	}
	defer r.give()
	if !r.sight.same() {
		if err := r.refresh(ctx); err != nil {
			return nil, err
		}
	}
	return r.view.Load(), nil
}

func (r *Reader) take(ctx context.Context) error {
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if r.closed {
		r.give()
		return &fault.Error{Op: "read", Err: fault.ErrClosed}
	}
	return nil
}

func (r *Reader) give() { <-r.turn }

// refresh reads what is new. Where it fails in the middle, what came before is shown:
// every batch of it was durable.
func (r *Reader) refresh(ctx context.Context) error {
	limit, err := r.sight.Limit(ctx)
	if err != nil {
		return err
	}
	l := r.look
	if limit > l.last {
		l.ctx = ctx
		if err = l.replayTo(r.cursor, limit); errors.Is(err, fault.ErrCompacted) || r.overGap(err) {
			err = r.restart(ctx)
		}
		l = r.look
		if l.last > r.view.Load().Seq() {
			r.view.Store(l.edit.Picture())
		}
	}
	if err == nil {
		r.sight.settle()
	}
	return err
}

// overGap says whether what cannot be read lies below a newer checkpoint, with which an
// opening would begin: a backup has taken its place over a gap, and removes what is
// below that last.
func (r *Reader) overGap(err error) bool {
	if !errors.Is(err, fault.ErrCorrupt) {
		return false
	}
	seqs, failed := checkpoint.List(r.look.fs)
	return failed == nil && len(seqs) > 0 && seqs[0] > r.look.last
}

// restart begins again with the newest checkpoint: the log was trimmed above what was
// read of it.
func (r *Reader) restart(ctx context.Context) error {
	l := &look{ctx: ctx, fs: r.look.fs, store: r.look.store, codec: r.look.codec, known: r.look.known}
	c, err := l.beside(r.sight)
	if err != nil {
		return err
	}
	err = r.cursor.Close()
	r.look, r.cursor = l, c
	return err
}

// Beyond returns the newest batch in the log that is not shown, since nothing says
// that it is durable; 0 where there is none.
func (r *Reader) Beyond(ctx context.Context) (batch.Seq, error) {
	if err := r.take(ctx); err != nil {
		return 0, err
	}
	defer r.give()
	return r.cursor.Beyond(ctx), nil
}

// Close lets go what is kept open. Now is ErrClosed then.
func (r *Reader) Close() error {
	r.turn <- struct{}{}
	defer r.give()
	if r.closed {
		return &fault.Error{Op: "close", Err: fault.ErrClosed}
	}
	r.closed = true
	return errors.Join(r.cursor.Close(), r.sight.Close())
}
