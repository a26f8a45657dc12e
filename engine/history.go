package engine

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"time"

	"github.com/vlogdb/vlog/internal/batch"
)

// Event is what one batch did to one key: a put, a del, or a del-range that covers it,
// whether the key had a value or not. The bytes are valid, and read-only, as long as
// they are kept.
type Event struct {
	Seq  uint64    // of the batch
	Time time.Time // of its commit, UTC; it orders nothing
	Change

	// Begins says that this is no change but what the key had where the history
	// begins, behind batch Seq: a put, or a del where it had nothing.
	Begins bool
	By     uint64 // the batch of the change: Seq, but where the history begins; 0: none
}

// History yields the changes of a key, newest first, at most limit of them; 0
// and less mean all. It reaches as far back as DB.Floor: where that is a checkpoint the last event
// tells what the key had there, and counts for the limit. What is seen when the loop
// begins is what it yields.
//
// It goes through the whole log that is kept, whatever the limit is, and holds the
// events that it will yield; where the history begins at a checkpoint, and the limit
// leaves room for that, it loads that too. An error is the last pair: ErrCompacted
// where things were dropped faster than it could read, ErrCorrupt, ErrIO, ErrClosed
// or the context's. The sequence may be ranged again.
func (s Scope) History(ctx context.Context, key []byte, limit int) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		h := &history{scope: s, key: s.full(key), limit: limit}
		err := h.gather(ctx)
		for _, e := range slices.Backward(h.events) {
			if !yield(e, nil) {
				return
			}
		}
		if err != nil {
			yield(Event{}, err)
		}
	}
}

// history is the events of one key.
type history struct {
	scope  Scope
	key    []byte // full
	limit  int
	last   batch.Seq // that is seen
	events []Event   // oldest first; complete, but perhaps for how they begin
}

func (h *history) gather(ctx context.Context) error {
	c := h.scope.core
	now, err := (&DB{h.scope}).present(ctx)
	if err != nil {
		return err
	}
	h.last = now.Seq()
	if err := c.onDisk(ctx, h.last); err != nil {
		return err
	}
	return c.lookBack(ctx, func(k kept) error { return h.read(ctx, k) })
}

// read goes through what is kept, from where At begins: what the log may hold before
// that has no state to begin with.
func (h *history) read(ctx context.Context, k kept) error {
	h.events = nil
	floor, err := k.floor()
	if err != nil {
		return err
	}
	events, err := h.scan(ctx, floor+1)
	if err != nil {
		return err
	}
	h.events = events
	if floor == 0 || h.limit > 0 && len(events) == h.limit {
		return nil
	}
	begins, err := h.begins(floor)
	if err == nil {
		h.events = slices.Insert(h.events, 0, begins)
	}
	return err
}

// scan goes through the log and returns the events, the newest where there are too many.
func (h *history) scan(ctx context.Context, from batch.Seq) (events []Event, err error) {
	var b batch.Batch
	for e, err := range h.scope.core.keptLog().Read(ctx, from) {
		if err == nil {
			err = decoded(&b, &e)
		}
		if err != nil {
			return nil, err
		}
		if e.Seq > h.last {
			break
		}
		op := lastOn(h.key, b.Ops)
		if op == nil {
			continue
		}
		if h.limit > 0 && len(events) == h.limit {
			events = events[1:]
		}
		events = append(events, Event{Seq: uint64(e.Seq), Time: timeOf(e.Time), Change: owned(changeOf(op)), By: uint64(e.Seq)})
	}
	return events, nil
}

// lastOn returns what ops do to a key in the end, or nil: they are canonical, so a put
// stands behind the range that covers it.
func lastOn(key []byte, ops []batch.Op) (last *batch.Op) {
	for i := range ops {
		op := &ops[i]
		if op.Kind == batch.DeleteRange {
			if bytes.Compare(op.Key, key) <= 0 && bytes.Compare(key, op.End) < 0 {
				last = op
			}
		} else if bytes.Equal(op.Key, key) {
			return op
		}
	}
	return last
}

// owned returns a change with bytes of its own.
func owned(c Change) Change {
	c.Key, c.Value, c.End = bytes.Clone(c.Key), bytes.Clone(c.Value), bytes.Clone(c.End)
	return c
}

// begins returns what the key had at the floor.
func (h *history) begins(floor batch.Seq) (Event, error) {
	p, err := h.scope.core.load(floor)
	if err != nil {
		return Event{}, err
	}
	op := batch.Op{Kind: batch.Delete, Key: h.key}
	e, ok := p.Get(h.key)
	if ok {
		op.Kind, op.Value = batch.Put, e.Value
	}
	return Event{Seq: uint64(floor), Time: timeOf(p.Time()), Change: owned(changeOf(&op)), Begins: true, By: uint64(e.Seq)}, nil
}
