package fuzz

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// TestCrashUnsynced crashes after every disk operation of the workload where answers
// come before the sync: the store is as it was behind some batch, without a hole; the end of
// the process alone takes nothing that was answered; and no crash takes what
// DB.Durable had promised.
func TestCrashUnsynced(t *testing.T) { both(t, crashUnsynced) }

func crashUnsynced(t *testing.T, codec engine.Codec) {
	for name, policy := range map[string]engine.SyncPolicy{"never": engine.SyncNever, "every": engine.SyncEvery(7500 * time.Microsecond)} {
		t.Run(name, func(t *testing.T) {
			u := &unsynced{x: newExplorer(t, codec, []int{unsyncedBound()})}
			synctest.Test(t, func(t *testing.T) { u.live(t, policy) })
			u.x.run(t.Context(), 2)
			t.Logf("%d crash points, %d images, %d distinct ones opened, %d failures; at %d points answered batches were not durable",
				u.x.points, u.x.images, len(u.x.seen), u.x.failed, u.ahead.Load())
			if u.ahead.Load() < 20 {
				t.Error("everything that was answered was durable: nothing was shown")
			}
		})
	}
}

func unsyncedBound() int {
	switch {
	case *long:
		return 1000
	case testing.Short(): // as the race detector is about to look on
		return 1
	}
	return 6
}

// unsynced is a store under a policy, and what is to be found on its disk.
type unsynced struct {
	x     *explorer
	now   atomic.Pointer[promised]
	ahead atomic.Int64 // crash points at which more was answered than was durable
}

// promised is what a store has promised, and the store.
type promised struct {
	promise
	db *engine.DB // nil before it was first open
}

// live runs the workload on a disk on which everything takes its time, so that the syncs of
// the background come in between.
func (u *unsynced) live(t *testing.T, policy engine.SyncPolicy) {
	mem := vfs.NewMem(vfs.MemOptions{Track: true})
	w := newWorld(u.x.codec)
	w.sync = policy
	w.moved = func() { u.now.Store(&promised{w.promise(), w.db}) }
	w.moved()
	mem.OnOp(func(op vfs.Op) { u.crash(mem.Snapshot(), op) })
	slow := func(vfs.Op) time.Duration { return time.Millisecond }
	if err := workload(t.Context(), w, func() vfs.FS { return vfs.NewSlow(mem.Reopen(), slow) }); err != nil {
		t.Fatal(err)
	}
	mem.OnOp(nil)
}

// crash takes the images of a disk, each with what it must still hold.
func (u *unsynced) crash(d *vfs.Disk, op vfs.Op) {
	now := u.now.Load()
	kill, power := now.promise, now.promise
	if now.db != nil {
		power.acked = int(now.db.Durable())
	}
	if power.acked < kill.acked {
		u.ahead.Add(1)
	}
	for _, model := range u.x.models {
		want := power
		if model == vfs.Kill {
			want = kill
		}
		d.Images(model, u.x.bounds[0], func(img *vfs.Image) bool {
			u.x.add(job{img, want, 0, op.String() + " " + model.String()})
			return true
		})
	}
	u.x.mu.Lock()
	defer u.x.mu.Unlock()
	u.x.points++
}
