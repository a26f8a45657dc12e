package committer

import (
	"runtime"
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

	// The runtime's timers are no good for less than a millisecond: where nothing else
	// runs they come late by as much. So the first part of a wait is spent in looking,
	// which lets others run, and ends where so many looks in a row saw nobody come.
	lookFor = 500 * time.Microsecond
	looks   = 64
)

// gather decides how long a leader waits for more requests.
type gather struct {
	mean    atomic.Int64  // of syncs, nanoseconds
	arrived atomic.Uint64 // requests that came without the lock
	target  atomic.Uint64 // of arrived, at which the leader has enough; 0: nobody waits
	enough  chan struct{} // takes one token when target is reached

	// Guarded by the committer's mu.
	size      int    // of the last group
	behind    int    // requests that came while it was written
	collected uint64 // of arrived, how many were taken out of the inbox
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

// came counts one who came, and tells a waiting leader when he was the last.
func (g *gather) came() {
	n := g.arrived.Add(1)
	if t := g.target.Load(); t == 0 || n != t {
		return
	}
	select {
	case g.enough <- struct{}{}:
	default:
	}
}

// waitForMore lets the leader wait until those of the last group are back, at
// most a part of a mean sync.
func (c *Committer) waitForMore() {
	g := &c.gather
	mean := time.Duration(g.mean.Load())
	if !c.opts.SyncEach || mean < gatherMin || !c.expect() {
		return
	}
	defer g.target.Store(0)
	d, began := min(mean/gatherShare, gatherMost), time.Now()
	if g.look(min(d, lookFor)) {
		return
	}
	if d -= time.Since(began); d <= lookFor {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-g.enough:
	case <-t.C: // who comes later still leaves a token, for nobody
	}
}

// look waits for no longer than d, and only while others come, until there are enough;
// it says whether there are.
func (g *gather) look(d time.Duration) bool {
	target, began := g.target.Load(), time.Now()
	for seen, idle := uint64(0), 0; idle < looks; idle++ {
		n := g.arrived.Load()
		if n >= target {
			return true
		}
		if n != seen {
			seen, idle = n, 0
		}
		if time.Since(began) > d {
			return false
		}
		runtime.Gosched()
	}
	return false
}

// expect sets as target that as many requests are here as were in the last group
// together with those who came while it was written. False: a wait would be for nobody,
// as for a lone writer, or all are here.
func (c *Committer) expect() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.collectLocked()
	g := &c.gather
	missing := g.size + g.behind - c.hereLocked()
	if g.size+g.behind <= 1 || missing <= 0 {
		return false
	}
	select {
	case <-g.enough: // left over
	default:
	}
	target := g.collected + uint64(missing)
	g.target.Store(target)
	return g.arrived.Load() < target
}

// hereLocked returns how many requests the open round has.
func (c *Committer) hereLocked() int { return len(c.open.queue) + len(c.open.ready) }
