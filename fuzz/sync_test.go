package fuzz

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// TestCrashAfterFailedSync makes the 1st, 2nd, 3rd … sync of the workload fail
// once, with the pages then marked clean as systems do, and looks: the failure is
// told, nothing more is written, and whatever the machine does next, what was
// acknowledged stays: the process alone ends and the store is opened again with
// the lost pages still readable, or the power goes, or both in turn.
func TestCrashAfterFailedSync(t *testing.T) { both(t, crashAfterFailedSync) }

func crashAfterFailedSync(t *testing.T, codec engine.Codec) {
	ctx := t.Context()
	bounds := []int{8, 2}
	switch {
	case *long:
		bounds = []int{1000, 20}
	case testing.Short():
		bounds = []int{1}
	}
	x := newExplorer(t, codec, bounds)
	n := 1
	for ; failSync(ctx, t, x, n); n++ {
	}
	x.run(ctx, 2)
	t.Logf("%d syncs failed in turn; %d crash points, %d images, %d distinct ones opened, left out %v, %d failures", n-1, x.points, x.images, len(x.seen), x.left, x.failed)
	if n < 40 {
		t.Errorf("the workload has only %d syncs", n-1)
	}
}

// failSync runs the workload with its nth sync failing, and crashes behind that.
// It returns false where there are fewer syncs.
func failSync(ctx context.Context, t *testing.T, x *explorer, n int) bool {
	mem := vfs.NewMem(vfs.MemOptions{Track: true})
	isSync := vfs.OnKind(vfs.OpSync, vfs.OpSyncDir)
	inj := vfs.When(isSync, vfs.Nth(n, engine.ErrIO))
	var fail *vfs.Fail
	injected := 0
	w := newWorld(x.codec)
	err := workload(ctx, w, func() vfs.FS {
		if fail != nil {
			injected += fail.Injected()
		}
		fail = vfs.NewFail(mem.Reopen(), inj).DropOnSync(vfs.OnChange())
		return fail
	})
	if injected+fail.Injected() == 0 {
		return false
	}
	if err == nil {
		t.Errorf("sync %d failed and nobody was told", n)
	}
	if !errors.Is(err, engine.ErrIO) {
		t.Errorf("sync %d: %v", n, err)
	}
	if w.db != nil {
		if err := w.db.Put(ctx, []byte("late"), nil); err == nil {
			t.Errorf("sync %d: a write was taken afterwards", n)
		}
		err := w.db.Close()
		if !slices.ContainsFunc([]error{nil, engine.ErrPoisoned, engine.ErrClosed, engine.ErrIO}, func(want error) bool { return errors.Is(err, want) }) {
			t.Errorf("sync %d: close: %v", n, err)
		}
	}
	x.crash(mem.Snapshot(), w.promise(), 0, fmt.Sprint("after failed sync ", n))
	return true
}
