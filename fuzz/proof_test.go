package fuzz

import (
	"context"
	"testing"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// TestReadIsNoProof: after a failed sync the system has marked the pages clean, and a
// restart of the process alone leaves them readable: what opening reads there is on no
// disk, and no later sync puts it there. So opening writes it again before it answers;
// then the power goes, and nothing may be missing of what was shown.
func TestReadIsNoProof(t *testing.T) { both(t, readIsNoProof) }

func readIsNoProof(t *testing.T, codec engine.Codec) {
	ctx := t.Context()
	met, n := 0, 1
	for ; ; n++ {
		mem, w, failed := failedSync(ctx, t, codec, n)
		if !failed {
			break
		}
		met += shown{mem.Crash(vfs.Kill, 1), w.promise(), n}.stays(ctx, t, codec)
	}
	t.Logf("%d syncs failed in turn; %d times opening read what was not on the disk", n-1, met)
	if met < 5 {
		t.Error("the pages that failed syncs left were hardly ever read")
	}
}

// failedSync runs the workload with its nth sync of a file failing.
func failedSync(ctx context.Context, t *testing.T, codec engine.Codec, n int) (*vfs.Mem, *world, bool) {
	mem := vfs.NewMem(vfs.MemOptions{Track: true})
	inj, failed := vfs.When(vfs.OnKind(vfs.OpSync), vfs.Nth(n, engine.ErrIO)), false
	seen := vfs.InjectorFunc(func(op vfs.Op) error {
		err := inj.Fail(op)
		failed = failed || err != nil
		return err
	})
	w := newWorld(codec)
	err := workload(ctx, w, func() vfs.FS { return vfs.NewFail(mem.Reopen(), seen).DropOnSync(vfs.OnChange()) })
	if failed == (err == nil) {
		t.Fatalf("sync %d: failed %v, told %v", n, failed, err)
	}
	return mem, w, failed
}

// shown is a disk behind a failed sync, as the next process finds it.
type shown struct {
	mem  *vfs.Mem
	want promise
	n    int // of the sync
}

// stays opens the store, cuts the power under every model, and holds what is there then
// against what the opening showed. It returns 1 where that was not all on the disk before.
func (s shown) stays(ctx context.Context, t *testing.T, codec engine.Codec) (met int) {
	before := s.mem.Crash(vfs.Lost, 1)
	seq := s.open(ctx, t, s.mem, codec)
	if s.open(ctx, t, before, codec) < seq {
		met = 1
	}
	for _, model := range vfs.Models() {
		s.mem.Snapshot().Images(model, 10, func(img *vfs.Image) bool {
			if got := s.open(ctx, t, img.Mem(true), codec); got != seq {
				t.Errorf("sync %d failed, opening showed #%d; after %v it shows #%d\n%s", s.n, seq, model, got, listing(img))
			}
			return true
		})
	}
	return met
}

// open opens a store, which must keep the promise, and leaves it as a kill would.
func (s shown) open(ctx context.Context, t *testing.T, mem *vfs.Mem, codec engine.Codec) int {
	db, err := engine.OpenFS(ctx, mem.Reopen(), small(codec, 7))
	if err != nil {
		t.Fatalf("sync %d failed: %v", s.n, err)
	}
	seq, err := s.want.kept(ctx, db)
	if err != nil {
		t.Fatalf("sync %d failed: %v", s.n, err)
	}
	return seq
}
