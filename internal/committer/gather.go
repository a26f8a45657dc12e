package committer

import (
	"sync/atomic"
	"time"
)

// Plain group commit fills only half a group: the writers just woken are never in
// the group being synced. Where a sync is slow, waiting a little for them halves
// the number of syncs; where it is fast, waiting costs more than it gives.
const (
	gatherMin   = 50 * time.Microsecond // a mean sync below this is not worth a wait
	gatherShare = 4                     // wait at most this part of a mean sync
	gatherDecay = 8                     // weight of the past in the mean
	gatherMost  = 20 * time.Millisecond // longest wait: one sync may have hung for long
)

// gather decides how long a leader waits for more requests. Fields are guarded by
// the committer's mu, the mean aside.
type gather struct {
	mean   atomic.Int64 // of syncs, nanoseconds
	size   int          // of the last group
	behind int          // requests that came while it was written
	want   int          // requests to wait for; 0: nobody waits
	enough chan struct{}
}

// synced takes the length of one sync into the mean.
func (g *gather) synced(d time.Duration) {
	mean := g.mean.Load()
	if mean == 0 {
		g.mean.Store(int64(d))
		return
	}
	g.mean.Store(mean + (int64(d)-mean)/gatherDecay)
}

// began notes the size of the group that begins.
func (g *gather) began(n int) { g.size = n }

// came tells a waiting leader that there are n requests now.
func (g *gather) came(n int) {
	if g.want > 0 && n >= g.want {
		g.want = 0
		close(g.enough)
	}
}

// waitForMore lets the leader wait until those of the last group are back, at
// most a part of a mean sync.
func (c *Committer) waitForMore() {
	mean := time.Duration(c.gather.mean.Load())
	if !c.opts.SyncEach || mean < gatherMin {
		return
	}
	enough := c.expect()
	if enough == nil {
		return
	}
	t := time.NewTimer(min(mean/gatherShare, gatherMost))
	defer t.Stop()
	select {
	case <-enough:
	case <-t.C: // who comes later still closes it, for nobody
	}
}

// expect returns what is closed once as many requests are here as were in the
// last group together with those who came while it was written; nil where a wait
// would be for nobody, as for a lone writer, or where all are here.
func (c *Committer) expect() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := &c.gather
	want := g.size + g.behind
	if want <= 1 || c.hereLocked() >= want {
		return nil
	}
	g.want, g.enough = want, make(chan struct{})
	return g.enough
}

// hereLocked returns how many requests the open round has.
func (c *Committer) hereLocked() int { return len(c.open.queue) + len(c.open.ready) }
