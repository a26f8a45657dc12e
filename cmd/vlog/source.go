package main

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/vlogdb/vlog/engine"
)

// source is one store whose changes are shown.
type source struct {
	dir      string
	name     string // empty where it is the only one
	db       *engine.DB
	from, to *moment // nil: from the first batch kept, to any
	last     int     // begin so many batches before the end; below 0: at from

	next  uint64    // batch to begin with; 0: the first one that is kept when it is read
	since time.Time // skip batches until one is of this time or later; zero: none
	end   uint64    // last batch that was there at the beginning
	until uint64    // last batch that is wanted; 0: any
	over  bool      // nothing more is wanted
}

// inStore is an error with the store that it is about.
type inStore struct {
	dir string
	err error
}

func (i *inStore) Error() string { return i.err.Error() }
func (i *inStore) Unwrap() error { return i.err }

// failed says that an error is about this store.
func (s *source) failed(err error) error { return &inStore{s.dir, err} }

// begin resolves where to begin and where to end.
func (s *source) begin(ctx context.Context) error {
	info, err := s.db.Info(ctx)
	if err != nil {
		return err
	}
	s.end = info.Durable
	if s.last >= 0 {
		s.next = max(info.First, s.end+1-min(uint64(s.last), s.end))
	}
	if s.to != nil {
		s.stop(info)
	}
	err = s.start(ctx)
	s.over = s.over || s.until > 0 && s.next > s.until // nothing can come that is wanted
	return err
}

// start resolves where to begin.
func (s *source) start(ctx context.Context) error {
	if s.from == nil {
		return nil
	}
	switch s.from.kind {
	case bySeq:
		s.next = max(s.from.seq, 1)
	case atEnd:
		s.next = s.end + 1
	case byTime:
		s.next, s.since = 0, s.from.time
		return s.reaches(ctx)
	}
	return nil
}

// stop resolves where to end.
func (s *source) stop(info engine.Info) {
	switch s.to.kind {
	case bySeq:
		s.until = s.to.seq
	case atEnd:
		s.until = s.end
	case atStart:
		s.until = info.First
	}
	s.over = s.until == 0 && s.to.kind != byTime
}

// reaches returns ErrCompacted where the log does not reach back to the time to begin with.
func (s *source) reaches(ctx context.Context) error {
	for b, err := range s.db.Batches(ctx, 0) {
		if err != nil {
			return err
		}
		return s.covered(b)
	}
	return nil
}

// covered returns ErrCompacted where the first batch kept is not before the time to begin
// with: what is no longer kept may be of that time.
func (s *source) covered(first engine.Batch) error {
	if first.Seq == 1 || s.since.IsZero() || first.Time.Before(s.since) {
		return nil
	}
	return &engine.Error{Op: "tail", Err: engine.ErrCompacted, Detail: "the log begins at #" + number(first.Seq) + ", which is not before " + s.since.Format(time.RFC3339),
		Hint: "begin with --from start: what was before is no longer kept"}
}

// take returns the events of a batch that is wanted, and whether to go on.
func (s *source) take(b engine.Batch) (events []event, more bool) {
	if s.until > 0 && b.Seq > s.until || s.to != nil && s.to.kind == byTime && b.Time.After(s.to.time) {
		s.over = true
		return nil, false
	}
	s.next = b.Seq + 1
	if b.Time.Before(s.since) {
		return nil, true
	}
	s.since = time.Time{}
	s.over = b.Seq == s.until
	return eventsOf(s.name, b), !s.over
}

// there yields what was there at the beginning, batch by batch.
func (s *source) there(ctx context.Context) iter.Seq2[[]event, error] {
	return func(yield func([]event, error) bool) {
		if s.over || s.next > s.end {
			return
		}
		for b, err := range s.kept(ctx) {
			if err != nil {
				yield(nil, s.failed(err))
				return
			}
			if b.Seq > s.end {
				return
			}
			events, more := s.take(b)
			if len(events) > 0 && !yield(events, nil) || !more || b.Seq == s.end {
				return
			}
		}
	}
}

// kept yields what is kept from next on. What -n reaches back to may go before it is
// read: it means as far as there is, then. A time to begin with must still be covered.
func (s *source) kept(ctx context.Context) iter.Seq2[engine.Batch, error] {
	return func(yield func(engine.Batch, error) bool) {
		gone, timed := s.last >= 0, s.next == 0
		for b, err := range s.db.Batches(ctx, s.next) {
			if gone = gone && errors.Is(err, engine.ErrCompacted); gone {
				break
			}
			if timed && err == nil {
				err = s.covered(b)
				timed = false
			}
			if !yield(b, err) {
				return
			}
		}
		if !gone {
			return
		}
		for b, err := range s.db.Batches(ctx, 0) {
			if !yield(b, err) {
				return
			}
		}
	}
}

// merged calls show for every batch that was there at the beginning: those of one store
// in its order, of several by time.
func merged(ctx context.Context, all []*source, show func([]event) error) error {
	var heads []*head
	defer func() {
		for _, h := range heads {
			h.stop()
		}
	}()
	for _, s := range all {
		h := &head{}
		h.pull, h.stop = iter.Pull2(s.there(ctx))
		heads = append(heads, h)
		if err := h.advance(); err != nil {
			return err
		}
	}
	for {
		first := oldest(heads)
		if first == nil {
			return nil
		}
		if err := show(first.events); err != nil {
			return err
		}
		if err := first.advance(); err != nil {
			return err
		}
	}
}

// head is the next batch of a store; none where events are.
type head struct {
	pull   func() ([]event, error, bool)
	stop   func()
	events []event
}

func (h *head) advance() error {
	events, err, ok := h.pull()
	if h.events = events; !ok {
		h.events = nil
	}
	return err
}

func oldest(heads []*head) (first *head) {
	for _, h := range heads {
		if len(h.events) > 0 && (first == nil || h.events[0].Time.Before(first.events[0].Time)) {
			first = h
		}
	}
	return first
}

// arrival is what came from a store that is followed.
type arrival struct {
	events []event
	err    error
}

// live calls show for every batch that comes, until all that is wanted has come, one
// of the stores cannot be followed any more, or show has had enough.
func live(ctx context.Context, all []*source, show func([]event) error) error {
	inner, cancel := context.WithCancel(ctx)
	came := make(chan arrival)
	var running sync.WaitGroup
	for _, s := range all {
		running.Go(func() { s.follow(inner, came) })
	}
	go func() { running.Wait(); close(came) }()
	var failed error
	for x := range came {
		if failed == nil {
			if failed = x.err; failed == nil {
				failed = show(x.events)
			}
			if failed != nil {
				cancel()
			}
		}
	}
	cancel()
	return failed
}

// behind is the batch to follow from: what was there at the beginning is shown.
func (s *source) behind() uint64 { return max(s.next, s.end+1) }

// follow sends what comes.
func (s *source) follow(ctx context.Context, to chan<- arrival) {
	if s.over {
		return
	}
	for b, err := range s.db.Watch(ctx, s.behind()) {
		if err != nil {
			to <- arrival{err: s.failed(err)}
			return
		}
		events, more := s.take(b)
		if len(events) > 0 {
			to <- arrival{events: events}
		}
		if !more {
			return
		}
	}
}
