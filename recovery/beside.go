package recovery

import (
	"errors"
	"slices"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/wal"
)

// lookTries bounds how often a reader looks again because the directory changed under
// it: a checkpoint took the place of what it was reading.
const lookTries = 20

// beside looks at a store that somebody may be writing: the newest checkpoint and, on
// top of it, the log up to what is known to be durable. What lies beyond that is no
// error, and neither is what changes meanwhile. It returns the cursor that it read with.
func (l *look) beside(s *sight) (*wal.Cursor, error) {
	was := batch.Seq(0)
	for try := range lookTries {
		limit, err := s.Limit(l.ctx)
		if err != nil {
			return nil, err
		}
		if err := l.afresh(); err != nil {
			return nil, err
		}
		if l.vanished() {
			continue
		}
		l.limit = max(limit, l.base.Seq())
		c := wal.NewCursor(l.home(), l.last+1).Behind(l.chain)
		err = l.replayTo(c, l.limit)
		if !errors.Is(err, fault.ErrCompacted) {
			return c, err
		}
		if try > 0 && was == l.base.Seq() { // and a newer checkpoint would have come before anything went
			return nil, errors.Join(l.gone(err), c.Close())
		}
		was = l.base.Seq()
	}
	return nil, &fault.Error{Op: "open", At: fault.Place{Path: wal.Dir}, Err: fault.ErrCompacted, Detail: "the log is trimmed faster than it can be read"}
}

// afresh lists the files and loads the newest checkpoint.
func (l *look) afresh() (err error) {
	*l = look{ctx: l.ctx, fs: l.fs, store: l.store, codec: l.codec, known: l.known}
	if err := l.list(); err != nil {
		return err
	}
	return l.load()
}

func (l *look) home() wal.Home { return wal.Home{FS: l.fs, Store: l.store, Codec: l.codec} }

// vanished reports whether a checkpoint that was listed was gone when it was opened.
func (l *look) vanished() bool {
	return slices.ContainsFunc(l.report.Skipped, func(s Skipped) bool { return errors.Is(s.Cause, fault.ErrNotFound) })
}

// replayTo applies what the log holds up to limit.
func (l *look) replayTo(c *wal.Cursor, limit batch.Seq) error {
	err := c.To(l.ctx, limit, func(e wal.Entry) error {
		l.reading = c.Name()
		return l.apply(e, 0)
	})
	l.report.Last, l.report.Segments = l.last, c.Entered
	return err
}

// gone is the error where the log does not reach down to the newest checkpoint that
// verifies.
func (l *look) gone(compacted error) error {
	err := &fault.Error{Op: "open", At: fault.Place{Path: l.codec.SegmentName(l.last + 1), Seq: uint64(l.last + 1)}, Err: fault.ErrCorrupt, Detail: "segment missing",
		Hint: "put the missing segment back, or restore a backup; nothing was changed"}
	for _, s := range l.report.Skipped { // why an older checkpoint had to serve
		err.Cause = errors.Join(err.Cause, s.Cause)
	}
	if e, ok := errors.AsType[*fault.Error](compacted); ok {
		err.Detail += ": " + e.Detail
	}
	return err
}
