package wal

import (
	"context"
	"errors"
	"math"

	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

// Cursor goes forwards through a log that another process may be writing, rotating,
// trimming and recycling meanwhile. It keeps the open segment and its place there, so
// that going on costs what is new. It belongs to one goroutine.
//
// It reads only batches that are said to be durable. So whatever it does not find is
// looked for again, under its name: a file that has gone, or is of another epoch, was
// trimmed or recycled, and says nothing about the log; what does not check out in a
// file that afterwards still stands under its name with the same epoch is damage,
// because a file loses its name before anything else is written into it.
type Cursor struct {
	home    Home
	next    Seq
	chain   Chain // before next
	known   bool  // the chain value is
	seg     *entered
	Entered int // segments gone into so far
}

// Home is where a log lies: in log/ of a directory.
type Home struct {
	FS    vfs.FS
	Store StoreID
	Codec Codec
}

// entered is the segment that a cursor stands in.
type entered struct {
	name string
	f    vfs.File
	r    *reader
}

// cursorTries bounds how often one batch is looked for: each of them fails only where
// the log is trimmed faster than the cursor can open what it finds listed.
const cursorTries = 32

// cursorStep is how much of a segment is read at once when little may be new, in bytes.
const cursorStep = 4 << 10

// NewCursor returns a cursor before a batch. Nothing is opened yet.
func NewCursor(home Home, from Seq) *Cursor {
	return &Cursor{home: home, next: max(from, 1)}
}

// Behind makes the cursor expect a chain value before its first batch: that of the
// checkpoint which the log is read on top of. It returns the cursor.
func (c *Cursor) Behind(chain Chain) *Cursor {
	c.chain, c.known = chain, true
	return c
}

// To calls take with each batch from where the cursor stands up to limit, which is
// known to be durable. The payload is valid during the call. An error of take ends it
// and is returned. After an error the cursor stands before the batch that it was about.
//
// Errors: ErrCompacted where the log begins behind that batch; ErrCorrupt, ErrForeign,
// where it is another log than what was read before; ErrIncompatible, ErrIO; or the
// context's.
func (c *Cursor) To(ctx context.Context, limit Seq, take func(Entry) error) error {
	if c.next > limit {
		return nil
	}
	if err := c.wake(); err != nil {
		return err
	}
	for c.next <= limit {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		e, err := c.advance(limit)
		if err == nil {
			err = take(e)
		}
		if err != nil {
			return errors.Join(err, c.Close())
		}
		c.next, c.chain, c.known = e.Seq+1, e.Chain, true
	}
	c.rest()
	return nil
}

// rest lets go what waiting does not need: there may be hundreds that wait.
func (c *Cursor) rest() {
	if c.seg != nil {
		c.seg.r.payload, c.seg.r.room, c.seg.r.again = nil, nil, nil
		c.seg.r.win.rest()
	}
}

// Beyond returns the newest batch behind the cursor that checks out, or 0. Nothing
// says that it is durable: whoever writes it may still take it back.
func (c *Cursor) Beyond(ctx context.Context) (last Seq) {
	probe := &Cursor{home: c.home, next: c.next, chain: c.chain, known: c.known}
	// Where it ends there is nothing more, which is no error: nobody was told of it.
	_ = probe.To(ctx, math.MaxUint64, func(e Entry) error {
		last = e.Seq
		return nil
	})
	return last
}

// Name returns the path of the segment that the cursor stands in; empty where it
// stands in none.
func (c *Cursor) Name() string {
	if c.seg == nil {
		return ""
	}
	return c.seg.name
}

// Close lets the open segment go; To opens it again.
func (c *Cursor) Close() error {
	if c.seg == nil {
		return nil
	}
	f := c.seg.f
	c.seg = nil
	return f.Close()
}

// wake forgets what was read ahead of what was durable then, and looks how long the
// file is now.
func (c *Cursor) wake() error {
	if c.seg == nil {
		return nil
	}
	st, err := c.seg.f.Stat()
	if err != nil {
		return errors.Join(err, c.Close())
	}
	c.seg.r.win.forget(st.Size, cursorStep)
	return nil
}

// missed says that a batch is not where it should be.
type missed struct {
	name  string
	epoch uint64
	head  bool // not even the header checks out
	err   error
}

// advance goes to the next batch.
func (c *Cursor) advance(limit Seq) (Entry, error) {
	for range cursorTries {
		fresh := c.seg == nil
		var m *missed
		var err error
		if fresh {
			m, err = c.enter(limit)
		}
		found := false
		if err == nil && c.seg != nil {
			found, m, err = c.walk()
		}
		if found {
			return c.seg.r.entry(), nil
		}
		if err := errors.Join(err, c.Close()); err != nil {
			return Entry{}, err
		}
		if fresh && m != nil { // else what was read before may have been older than limit
			if err := c.damage(m); err != nil {
				return Entry{}, err
			}
		}
	}
	return Entry{}, &fault.Error{Op: "read log", At: fault.Place{Seq: uint64(c.next)}, Err: fault.ErrCompacted, Detail: "the log is trimmed faster than it can be read"}
}

// damage returns the error of what was missed where the file is still under its name,
// so that it was whole when it was read; nil where the name has gone or changed hands.
func (c *Cursor) damage(m *missed) error {
	h, err := ReadHeader(c.home.FS, m.name, c.home.Store)
	switch {
	case errors.Is(err, fault.ErrNotFound):
		return nil
	case unsound(err):
		if m.head {
			return m.err
		}
		return nil
	case err != nil:
		return err
	case m.head || h.Epoch != m.epoch:
		return nil
	}
	return m.err
}

// unsound says whether an error is about what a file holds, and not about reading it.
func unsound(err error) bool {
	return (errors.Is(err, fault.ErrCorrupt) || errors.Is(err, fault.ErrForeign)) && !errors.Is(err, fault.ErrIO)
}

// enter opens the segment that holds the next batch. Where it fails without an error
// the names have changed meanwhile, or the header does not check out.
func (c *Cursor) enter(limit Seq) (*missed, error) {
	name := c.home.Codec.SegmentName(c.next)
	f, err := c.home.FS.Open(name, vfs.ReadOnly)
	if errors.Is(err, fault.ErrNotFound) {
		if name, err = c.find(limit); err != nil {
			return nil, err
		}
		f, err = c.home.FS.Open(name, vfs.ReadOnly)
	}
	if errors.Is(err, fault.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r, err := newLiveReader(f, name, c.home.Store)
	if err == nil {
		c.seg = &entered{name, f, r}
		c.Entered++
		return nil, c.continues(r)
	}
	if e := f.Close(); e != nil || !unsound(err) {
		return nil, errors.Join(err, e)
	}
	return &missed{name: name, head: true, err: err}, nil
}

// find returns the name of the segment that the next batch lies in, by what is listed.
func (c *Cursor) find(limit Seq) (string, error) {
	firsts, err := c.home.firsts()
	if err != nil {
		return "", err
	}
	in := Seq(0)
	for _, first := range firsts {
		if first <= c.next {
			in = first
		}
	}
	if in > 0 {
		return c.home.Codec.SegmentName(in), nil
	}
	first := limit + 1
	if len(firsts) > 0 {
		first = firsts[0]
	}
	return "", compacted(c.next, first)
}

// firsts returns the segments in the directory by their first seq, ascending.
func (h Home) firsts() (firsts []Seq, err error) {
	entries, err := h.FS.ReadDir(Dir)
	for _, e := range entries {
		if first, codec, ok := ParseSegment(e.Name); ok && codec == h.Codec {
			firsts = append(firsts, first)
		}
	}
	return firsts, err
}

// walk goes to the frame of the next batch in the open segment. It is not found behind
// a seal, where there is nothing to miss, or where it should stand and does not.
func (c *Cursor) walk() (found bool, m *missed, err error) {
	r := c.seg.r
	for r.next <= c.next {
		ok, err := r.step()
		if err != nil && !unsound(err) {
			return false, nil, err
		}
		if err == nil && !ok {
			err = r.wrap(damage(r.why), r.badAt)
		}
		if err == nil && r.frame.kind == kindSeal {
			if r.next == c.next {
				return false, c.behind(), nil
			}
			err = r.wrap(damage("the segment ends, and the next one does not follow"), r.off)
		}
		if err != nil {
			return false, &missed{name: c.seg.name, epoch: r.header.Epoch, err: about(err, r.next)}, nil
		}
		if err := c.continues(r); err != nil {
			return false, nil, err
		}
	}
	return true, nil, nil
}

// about says which batch an error is about.
func about(err error, seq Seq) error {
	if e, ok := errors.AsType[*fault.Error](err); ok && e.At.Seq == 0 {
		e.At.Seq = uint64(seq)
	}
	return err
}

// behind says what is missing where a segment has ended, if the next one is not there.
func (c *Cursor) behind() *missed {
	err := &fault.Error{Op: "read log", At: fault.Place{Path: c.home.Codec.SegmentName(c.next), Seq: uint64(c.next)}, Err: fault.ErrCorrupt, Detail: "segment missing behind " + c.seg.name}
	return &missed{name: c.seg.name, epoch: c.seg.r.header.Epoch, err: err}
}

// continues checks that what comes next belongs to what was read before.
func (c *Cursor) continues(r *reader) error {
	if !c.known || r.next != c.next || r.chain == c.chain {
		return nil
	}
	return &fault.Error{Op: "read log", At: fault.Place{Path: r.name, Seq: uint64(c.next)}, Err: fault.ErrForeign, Detail: "its chain value is not that of the batch read before it",
		Hint: "another store, or an older copy, was put in the place of this one while it was read: open it again"}
}
