package committer

import (
	"errors"
	"slices"

	"github.com/vlogdb/vlog/internal/fault"
)

// A log may keep some space back for batches that only delete. Where a group finds
// none, those that only delete must not suffer for those that do not: they go
// alone, first.

// dueLocked splits a round's queue into what is sequenced now and what has to wait:
// behind those that only delete while the log is full, and behind as much as one
// group should hold.
func (c *Committer) dueLocked(r *round) (due, later []*waiter) {
	due = r.queue
	if c.full && slices.ContainsFunc(due, (*waiter).frees) {
		due, later = nil, nil
		for _, w := range r.queue {
			if w.frees() {
				due = append(due, w)
			} else {
				later = append(later, w)
			}
		}
	}
	n := c.withinLocked(r, due)
	return due[:n:n], append(due[n:len(due):len(due)], later...)
}

// withinLocked returns how many of the queue fit into the round's group, one at least.
func (c *Committer) withinLocked(r *round, queue []*waiter) int {
	bytes := 0
	for _, w := range r.ready {
		bytes += len(w.req.Record.Payload)
	}
	for i, w := range queue {
		bytes += len(w.req.Record.Payload)
		if c.limit > 0 && bytes > c.limit && i > 0 {
			return i
		}
	}
	return len(queue)
}

// spaceLocked notes whether the log is full and says whether those of a group that
// only delete are to be tried again without the others.
func (c *Committer) spaceLocked(group []*waiter, err error) (again bool) {
	wants := slices.ContainsFunc(group, func(w *waiter) bool { return w.req.Batch != nil && !w.frees() })
	if !wants {
		return false
	}
	c.full = errors.Is(err, fault.ErrNoSpace) && c.cleanly(err)
	return c.full && !c.closed
}

// frees says whether a request only deletes.
func (w *waiter) frees() bool { return w.req.Record.Frees }

// spares says whether a request that was numbered may be numbered anew.
func (w *waiter) spares() bool { return w.frees() && !w.told }
