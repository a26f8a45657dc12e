package wal

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

// History is the half of a log that reads, whoever writes it. Local and Follower have
// it; see Log for what the methods promise.
type History interface {
	Read(ctx context.Context, from Seq) iter.Seq2[Entry, error]
	Follow(ctx context.Context, from Seq) iter.Seq2[Entry, error]
	Bounds(ctx context.Context) (first, last Seq, chain Chain, err error)
}

var (
	_ History = (*Local)(nil)
	_ History = (*Follower)(nil)
)

// Sight tells a reader that does not write how far the log is known to be durable. It
// belongs to one goroutine.
type Sight interface {
	// Limit returns up to which batch the log may be shown. It never goes back; what it
	// tells was true when it was called, so what lies up to there is on disk by then.
	Limit(ctx context.Context) (Seq, error)
	// ChainOf returns the chain value behind a batch where a checkpoint knows it.
	ChainOf(seq Seq) (chain Chain, known bool, err error)
	// Close lets go what it keeps open.
	Close() error
}

// Follower reads the log of a directory that another process may be writing. It looks
// at the directory each time and holds nothing between two calls, so it need not be
// closed. It writes nothing and pins nothing: where the log goes on being trimmed
// under it, it is ErrCompacted. All methods may be called at once.
type Follower struct {
	home  Home
	sight func() Sight
}

// NewFollower returns a follower of a log. sight gives each reader
// one of its own.
func NewFollower(home Home, sight func() Sight) *Follower {
	return &Follower{home, sight}
}

// errBroken marks a loop that its user broke off.
var errBroken = errors.New("the loop was broken off")

// walker is one reader at work.
type walker struct {
	sight  Sight
	cursor *Cursor
	yield  func(Entry, error) bool
}

func (f *Follower) walker(from Seq, yield func(Entry, error) bool) *walker {
	return &walker{f.sight(), NewCursor(f.home, from), yield}
}

// close lets go what was opened for reading; nothing can be lost by that.
func (w *walker) close() { _ = errors.Join(w.cursor.Close(), w.sight.Close()) }

// on yields what is durable by now and returns how far that was.
func (w *walker) on(ctx context.Context) (Seq, error) {
	limit, err := w.sight.Limit(ctx)
	if err != nil {
		return 0, err
	}
	return limit, w.cursor.To(ctx, limit, func(e Entry) error {
		if !w.yield(e, nil) {
			return errBroken
		}
		return nil
	})
}

// end yields why a loop ended, unless its user knows.
func (w *walker) end(err error) {
	if err != nil && !errors.Is(err, errBroken) {
		w.yield(Entry{}, err)
	}
}

// Read implements History.
func (f *Follower) Read(ctx context.Context, from Seq) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		w := f.walker(from, yield)
		defer w.close()
		_, err := w.on(ctx)
		w.end(err)
	}
}

// Follow implements History. It goes on while nobody writes and when somebody comes
// back, and ends with the context, or where the log can no longer be read.
func (f *Follower) Follow(ctx context.Context, from Seq) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		w := f.walker(from, yield)
		defer w.close()
		alarm := &alarm{fs: f.home.FS}
		defer alarm.close()
		w.end(w.follow(ctx, alarm))
	}
}

// anchor makes a reader that begins behind the newest batch know what its first one
// must follow: another history may be in the place of this one by the time that it comes.
func (w *walker) anchor(ctx context.Context) error {
	limit, err := w.sight.Limit(ctx)
	if err != nil || limit == 0 || w.cursor.next != limit+1 {
		return err
	}
	chain, known, err := w.sight.ChainOf(limit)
	if err != nil || known {
		w.cursor.chain, w.cursor.known = chain, known
		return err
	}
	before := NewCursor(w.cursor.home, limit)
	err = before.To(ctx, limit, func(Entry) error { return nil })
	if errors.Is(err, fault.ErrCompacted) {
		return nil // nothing of it is kept to compare with
	}
	w.cursor = before
	return err
}

func (w *walker) follow(ctx context.Context, alarm *alarm) error {
	if err := w.anchor(ctx); err != nil {
		return err
	}
	was := Seq(0)
	for {
		limit, err := w.on(ctx)
		if err != nil {
			return err
		}
		if err := alarm.wait(ctx, limit != was); err != nil {
			return err
		}
		was = limit
	}
}

// Bounds implements History. The first kept seq is that of the oldest segment.
func (f *Follower) Bounds(ctx context.Context) (first, last Seq, chain Chain, err error) {
	s := f.sight()
	defer func() { err = errors.Join(err, s.Close()) }()
	for range cursorTries {
		if last, err = s.Limit(ctx); err != nil {
			return 0, 0, chain, err
		}
		if first, err = f.first(last); err != nil {
			return 0, 0, chain, err
		}
		if chain, err = f.chainOf(ctx, s, last); !errors.Is(err, fault.ErrCompacted) {
			return first, last, chain, err
		}
	}
	return first, last, chain, err
}

func (f *Follower) first(last Seq) (Seq, error) {
	firsts, err := f.home.firsts()
	if err != nil || len(firsts) == 0 || firsts[0] > last {
		return last + 1, err
	}
	return firsts[0], nil
}

// chainOf returns the chain value behind a batch.
func (f *Follower) chainOf(ctx context.Context, s Sight, seq Seq) (chain Chain, err error) {
	if seq == 0 {
		return chain, nil
	}
	chain, known, err := s.ChainOf(seq)
	if err != nil || known {
		return chain, err
	}
	c := NewCursor(f.home, seq)
	err = c.To(ctx, seq, func(e Entry) error {
		chain = e.Chain
		return nil
	})
	return chain, errors.Join(err, c.Close())
}

// How long a follower waits where nothing tells it of a change. A hint of the file
// system makes it look sooner, and nothing depends on one.
const (
	pollMin = time.Second
	pollMax = 5 * time.Second
)

// alarm wakes a follower.
type alarm struct {
	fs    vfs.FS
	set   bool      // hints were asked for
	hints vfs.Hints // nil where there are none
	poll  time.Duration
}

// wait returns when it is worth while to look again. moved says that the last look
// found something.
func (a *alarm) wait(ctx context.Context, moved bool) error {
	if !a.set {
		a.set = true
		if h, err := a.fs.Hints(Dir); err == nil { // else the poll has to do
			a.hints = h
			return nil // what came before they began was not told
		}
	}
	if moved || a.poll == 0 {
		a.poll = pollMin
	}
	t := time.NewTimer(a.poll)
	defer t.Stop()
	select {
	case <-a.changes():
	case <-t.C:
		a.poll = min(2*a.poll, pollMax)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

func (a *alarm) changes() <-chan struct{} {
	if a.hints == nil {
		return nil
	}
	return a.hints.C()
}

// close ends the hints, which were never more than that.
func (a *alarm) close() {
	if a.hints != nil {
		_ = a.hints.Close()
	}
}
