package committer

import "slices"

// A log may keep some space back for batches that only delete. Where a group finds
// none, those that only delete must not suffer for those that do not: they are
// written alone, at once.

// dueLocked returns how many of a round's queue fit into its group, one at least.
func (c *Committer) dueLocked(r *round) int {
	bytes := 0
	for _, w := range r.ready {
		bytes += len(w.req.Record.Payload)
	}
	for i, w := range r.queue {
		bytes += len(w.req.Record.Payload)
		if c.limit > 0 && bytes > c.limit && i > 0 {
			return i
		}
	}
	return len(r.queue)
}

// spareLocked takes those that only delete out of a group that found no space, and
// out of what gathers behind it, into a round of their own; nil where there are
// none, or where the group had no others.
func (c *Committer) spareLocked(r *round) *round {
	if !slices.ContainsFunc(r.ready, (*waiter).grows) {
		return nil
	}
	spared := &round{}
	for _, w := range slices.Concat(r.ready, c.open.ready) {
		if w.spares() {
			w.round, spared.queue = spared, append(spared.queue, w)
		}
	}
	return spared
}

// againLocked sequences a round that was spared, also while somebody holds the
// writer's place: the picture that he has was taken back with the failed group. It
// returns nil where nobody is left to be written.
func (c *Committer) againLocked(spared *round) *round {
	c.sequenceLocked(spared)
	c.moveQueueLocked(spared)
	if len(spared.ready) == 0 {
		return nil
	}
	spared.picture = c.freezeLocked()
	return spared
}

// grows says whether a request takes space for good.
func (w *waiter) grows() bool { return w.req.Batch != nil && !w.req.Record.Frees }

// spares says whether a request only deletes and may be numbered anew.
func (w *waiter) spares() bool { return w.req.Record.Frees && !w.told }
