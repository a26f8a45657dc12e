package wal

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

// Read implements Log. What is durable when the loop begins is what it yields.
func (l *Local) Read(ctx context.Context, from Seq) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		l.read(ctx, max(from, 1), yield)
	}
}

// Follow implements Log.
func (l *Local) Follow(ctx context.Context, from Seq) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		next := max(from, 1)
		for {
			more, ended := l.signal()
			last, ok := l.read(ctx, next, yield)
			if !ok {
				return
			}
			next = max(next, last+1)
			if ended != nil {
				yield(Entry{}, ended)
				return
			}
			select {
			case <-more:
			case <-ctx.Done():
				yield(Entry{}, context.Cause(ctx))
				return
			}
		}
	}
}

// signal returns what tells of the next change, and why there will be none.
func (l *Local) signal() (<-chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.more, l.whyLocked(l.over)
}

// view is the part of the log that one reader goes through.
type view struct {
	from, last Seq
	first      Seq // kept by the log
	codec      Codec
	segments   []Kept
}

// view lists the segments from a seq on and pins them against reuse.
func (l *Local) view(from Seq) view {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := view{from: from, last: l.durable, first: l.firstLocked(), codec: l.opts.Codec}
	all := slices.Clone(l.kept)
	if l.open.First != 0 {
		all = append(all, l.open)
	}
	for _, k := range all {
		if k.Last >= from && k.First <= v.last {
			v.segments = append(v.segments, k)
			l.readers[k.Epoch]++
		}
	}
	return v
}

func (l *Local) unpin(v view) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range v.segments {
		if l.readers[k.Epoch]--; l.readers[k.Epoch] == 0 {
			delete(l.readers, k.Epoch)
		}
	}
}

// read yields what is durable from a seq on and returns how far that was; ok is
// false where the loop has ended.
func (l *Local) read(ctx context.Context, from Seq, yield func(Entry, error) bool) (last Seq, ok bool) {
	v := l.view(from)
	defer l.unpin(v)
	if v.from <= v.last && v.from < v.first {
		yield(Entry{}, compacted(v.from, v.first))
		return 0, false
	}
	for i := range len(v.segments) + 1 {
		err := v.gapBefore(i)
		if ok = true; err == nil && i < len(v.segments) {
			ok, err = l.readSegment(ctx, v.segments[i], v, yield)
		}
		if !ok {
			return 0, false
		}
		if err != nil {
			yield(Entry{}, l.late(err, v.from))
			return 0, false
		}
	}
	return v.last, true
}

// gapBefore returns ErrCorrupt where batches are missing before segment i, or behind
// the last: a file that a checkpoint made needless for opening, but not for reading,
// has gone.
func (v *view) gapBefore(i int) error {
	next, first := v.from, v.last+1
	if i > 0 {
		next = v.segments[i-1].Last + 1
	}
	if i < len(v.segments) {
		first = v.segments[i].First
	}
	if first > next {
		return &fault.Error{Op: "read log", At: fault.Place{Path: v.codec.SegmentName(next), Seq: uint64(next)}, Err: fault.ErrCorrupt, Detail: "segment missing: what comes next is " + first.String()}
	}
	return nil
}

// late turns the absence of a segment that was trimmed meanwhile into its name.
func (l *Local) late(err error, from Seq) error {
	if !errors.Is(err, fault.ErrNotFound) {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return compacted(from, l.firstLocked())
}

// readSegment yields the entries of one segment that v wants; ok is false where
// the loop was broken off.
func (l *Local) readSegment(ctx context.Context, k Kept, v view, yield func(Entry, error) bool) (ok bool, err error) {
	name := l.opts.Codec.SegmentName(k.First)
	f, err := l.fs.Open(name, vfs.ReadOnly)
	if err != nil {
		return true, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r, err := newReader(f, name, l.opts.Store, k.Size)
	if err != nil {
		return true, err
	}
	for last := min(k.Last, v.last); r.next <= last; {
		if ctx.Err() != nil {
			return true, context.Cause(ctx)
		}
		if err := r.must(); err != nil {
			return true, err
		}
		if r.frame.seq >= v.from && !yield(r.entry(), nil) {
			return false, nil
		}
	}
	return true, nil
}

// must is step where a frame is known to stand.
func (r *reader) must() error {
	ok, err := r.step()
	if err == nil && ok && r.frame.kind == kindSeal {
		ok, r.badAt, r.why = false, r.off, "the segment ends"
	}
	if err == nil && !ok {
		err = r.wrap(damage(r.why), r.badAt)
	}
	return err
}
