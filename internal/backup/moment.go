package backup

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/recovery"
	"github.com/vlogdb/vlog/wal"
)

// moment returns the batch to restore to.
func (r *restore) moment(ctx context.Context) (batch.Seq, error) {
	at := batch.Seq(r.opts.Seq)
	if at > 0 && at < r.newestFirst() {
		return at, nil // whatever is wrong behind it does not matter
	}
	m, err := momentOf(ctx, r.src, r.opts.Open)
	if err != nil {
		return 0, err
	}
	switch {
	case !r.opts.Time.IsZero():
		return r.before(ctx, m.Seq)
	case at > m.Seq:
		return 0, &fault.Error{Op: "restore", At: fault.Place{Path: r.src.Path(), Seq: uint64(at)}, Err: fault.ErrNotFound, Detail: "it has not happened yet: the newest batch is " + m.Seq.String(), Hint: "name an earlier moment"}
	case at > 0:
		return at, nil
	}
	return m.Seq, nil
}

// newestFirst returns the first seq of the newest segment: what is before it is in
// segments that have ended.
func (r *restore) newestFirst() (newest batch.Seq) {
	for _, f := range r.files {
		if first, _ := seqOf(f); f.Class == recovery.ClassSegment {
			newest = max(newest, first)
		}
	}
	return newest
}

// errLater ends a scan at the first batch that is later than asked for.
var errLater = errors.New("later")

// before returns the last batch before the first one that is later than the time
// asked for, in order: clocks go back, and order does not.
func (r *restore) before(ctx context.Context, newest batch.Seq) (batch.Seq, error) {
	s, err := r.upTo(ctx, newest)
	if err != nil {
		return 0, err
	}
	limit, at, floor := nanos(r.opts.Time), s.first(newest)-1, s.floor(newest)
	if floor > 0 && floor <= at && s.images[0].At.Time > limit {
		return 0, r.notKept(0)
	}
	for _, p := range s.pieces {
		_, err := wal.ScanTo(ctx, s.at(p.name), p.last, func(e wal.Entry, _ int64) error {
			if e.Time > limit {
				return errLater
			}
			at = e.Seq
			return nil
		})
		if errors.Is(err, errLater) {
			break
		}
		if err != nil {
			return 0, err
		}
	}
	if at < floor {
		return 0, r.notKept(0)
	}
	return at, r.begun(at, newest)
}

// begun returns ErrNotFound for the moment before the first batch: whoever asks for it
// has mistaken the time, and an empty store is soon made.
func (r *restore) begun(at, newest batch.Seq) error {
	if at > 0 || newest == 0 {
		return nil
	}
	return &fault.Error{Op: "restore", At: fault.Place{Path: r.src.Path()}, Err: fault.ErrNotFound, Detail: "nothing had happened by then: the first batch is later", Hint: "name a later moment"}
}

// nanos returns a time in nanoseconds since 1970, or the nearest that there is.
func nanos(t time.Time) int64 {
	switch {
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	case t.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	}
	return t.UnixNano()
}
