package wal

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/vlogdb/vlog/internal/fault"
)

// windowSize is how much of a segment is read at once, in bytes.
const windowSize = 1 << 20

// lineStep is how far a line end is looked for at first, in bytes.
const lineStep = 32 << 10

// window reads a file of a known size forwards through one buffer.
type window struct {
	ctx  context.Context // ends the reading; nil does not
	r    io.ReaderAt
	size int64
	base int64 // file offset of buf[0]
	step int64 // what is read at once; 0 is windowSize; it doubles up to there
	buf  []byte
	live bool // another process may be writing: a file that became shorter ends there
}

// at returns n bytes at off, or fewer where the file ends before. They are valid
// until the next call. A failed read is an error, never an end of file.
func (w *window) at(off int64, n int64) ([]byte, error) {
	if off >= w.size {
		return nil, nil
	}
	n = min(n, w.size-off)
	if off < w.base || off+n > w.base+int64(len(w.buf)) {
		if err := w.fill(off, max(n, w.ahead())); err != nil {
			return nil, err
		}
		n = min(n, int64(len(w.buf)))
	}
	return w.buf[off-w.base:][:n:n], nil
}

// forget drops what was read, of a file that has grown or changed, and begins with
// small steps.
func (w *window) forget(size, step int64) {
	w.size, w.step, w.base, w.buf = size, step, 0, w.buf[:0]
}

// restMax is how much of a buffer is kept by who waits for more, in bytes.
const restMax = 64 << 10

// rest lets a large buffer go, with what was read ahead.
func (w *window) rest() {
	if cap(w.buf) > restMax {
		w.base, w.buf = 0, nil
	}
}

// ahead returns how much is read at once now.
func (w *window) ahead() int64 {
	if w.step == 0 {
		return windowSize
	}
	n := w.step
	w.step = min(2*n, windowSize)
	return n
}

// line returns the bytes from off up to and with the next line end, valid until the
// next call; nil where none comes within limit bytes. What is read for that grows, so that
// it stays in proportion to the line. The end of a long one is looked for before
// there is room made for it: what only looks like a line takes no memory.
func (w *window) line(off, limit int64) ([]byte, error) {
	for n := int64(lineStep); ; n = min(4*n, windowSize) {
		b, err := w.at(off, min(n, limit))
		if err != nil {
			return nil, err
		}
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			return b[: i+1 : i+1], nil
		}
		if int64(len(b)) < n {
			return nil, nil
		}
		if n == windowSize {
			return w.longLine(off, limit)
		}
	}
}

// longLine is line for one that goes on behind the first window. A zero byte there, of which
// files have any number that no disk has, means that it is none.
func (w *window) longLine(off, limit int64) ([]byte, error) {
	for to := off + windowSize; to < off+limit; {
		b, err := w.at(to, min(windowSize, off+limit-to))
		if err != nil {
			return nil, err
		}
		end := bytes.IndexByte(b, '\n')
		if zero := bytes.IndexByte(b, 0); len(b) == 0 || zero >= 0 && (end < 0 || zero < end) {
			return nil, nil
		}
		if end >= 0 {
			return w.whole(off, to+int64(end)+1-off)
		}
		to += int64(len(b))
	}
	return nil, nil
}

// whole returns the line of n bytes at off; nil where it became shorter meanwhile.
func (w *window) whole(off, n int64) ([]byte, error) {
	b, err := w.at(off, n)
	if int64(len(b)) < n {
		b = nil
	}
	return b, err
}

// nextLine returns where a line may begin where none begins at off: behind the last zero
// byte before the next line end, or behind that where there is no zero; the size where
// no line ends any more.
func (w *window) nextLine(off int64) (int64, error) {
	next := int64(-1)
	for off < w.size {
		b, err := w.at(off, windowSize)
		if err != nil {
			return off, err
		}
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			end = len(b)
		}
		if zero := bytes.LastIndexByte(b[:end], 0); zero >= 0 {
			next = off + int64(zero) + 1
		}
		switch {
		case end < len(b) && next >= 0:
			return next, nil
		case end < len(b):
			return off + int64(end) + 1, nil
		}
		off += int64(len(b))
	}
	return w.size, nil
}

func (w *window) fill(off, n int64) error {
	if w.ctx != nil && w.ctx.Err() != nil {
		return &interrupted{context.Cause(w.ctx)}
	}
	n = min(n, w.size-off)
	if int64(cap(w.buf)) < n {
		w.buf = make([]byte, n)
	}
	w.base, w.buf = off, w.buf[:n]
	got, err := w.r.ReadAt(w.buf, off)
	if int64(got) == n {
		return nil
	}
	short := err == nil || errors.Is(err, io.EOF)
	if short && w.live { // its writer ended it, and the zeros ahead of the frames went
		w.size, w.buf = off+int64(got), w.buf[:got]
		return nil
	}
	w.buf = w.buf[:0]
	if short {
		return &fault.Error{Op: "read", At: fault.Place{Offset: off + int64(got)}, Err: fault.ErrCorrupt, Detail: "the file became shorter while it was read"}
	}
	return err
}

// interrupted marks a reading that the context ended: it says nothing of the file.
type interrupted struct{ cause error }

func (i *interrupted) Error() string { return i.cause.Error() }
func (i *interrupted) Unwrap() error { return i.cause }
