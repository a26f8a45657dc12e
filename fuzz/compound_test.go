package fuzz

import (
	"context"
	"fmt"
	"testing"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// TestCrashAfterFailedOpening takes disks that crashes of the workload left, makes the
// 1st, 2nd, 3rd … changing operation of their opening fail, a failed sync's pages marked
// clean, and crashes behind that: three faults in a row, with those of the next opening.
func TestCrashAfterFailedOpening(t *testing.T) { both(t, crashAfterFailedOpening) }

func crashAfterFailedOpening(t *testing.T, codec engine.Codec) {
	ctx := t.Context()
	each := 60 // one disk of so many
	switch {
	case *long:
		each = 1
	case testing.Short():
		each = 1000
	}
	x := newExplorer(t, codec, []int{3, 1})
	mem := vfs.NewMem(vfs.MemOptions{Track: true})
	w := newWorld(codec)
	seen, failed := map[[32]byte]bool{}, 0
	mem.OnOp(func(op vfs.Op) {
		for _, model := range vfs.Models() {
			mem.Snapshot().Images(model, 2, func(img *vfs.Image) bool {
				if h := img.Hash(); !seen[h] {
					if seen[h] = true; len(seen)%each == 0 {
						failed += failOpenings(ctx, t, x, job{img: img, want: w.promise(), from: op.String() + " " + model.String()})
					}
				}
				return true
			})
		}
	})
	if err := workload(ctx, w, func() vfs.FS { return mem.Reopen() }); err != nil {
		t.Fatal(err)
	}
	mem.OnOp(nil)
	x.run(ctx, 2)
	t.Logf("%d disks, %d failed openings; %d crash points, %d images, %d distinct ones opened, left out %v, %d failures", len(seen)/each, failed, x.points, x.images, len(x.seen), x.left, x.failed)
	if failed < 500 && !testing.Short() {
		t.Errorf("only %d openings failed", failed)
	}
}

// failOpenings lets each operation of an opening fail in turn and returns how many.
func failOpenings(ctx context.Context, t *testing.T, x *explorer, j job) (failed int) {
	for _, cause := range []error{engine.ErrIO, engine.ErrNoSpace, vfs.Short(engine.ErrNoSpace)} {
		for n := 1; failOpening(ctx, t, x, j, vfs.When(vfs.OnChange(), vfs.Nth(n, cause))); n++ {
			failed++
		}
	}
	return failed
}

// failOpening opens a disk with one failure and crashes behind it. It returns false
// where nothing failed.
func failOpening(ctx context.Context, t *testing.T, x *explorer, j job, inj vfs.Injector) bool {
	mem := j.img.Mem(true)
	fail := vfs.NewFail(mem.Reopen(), inj).DropOnSync(vfs.OnChange())
	db, err := engine.OpenFS(ctx, fail, small(x.codec, seedOf(j.img)))
	if err == nil {
		if err := db.Close(); err != nil && !isNamed(err) {
			t.Errorf("%s: close: %v", j.from, err)
		}
	} else if !isNamed(err) {
		t.Errorf("%s: %v", j.from, err)
	}
	if fail.Injected() == 0 {
		return false
	}
	x.crash(mem.Snapshot(), j.want, 0, fmt.Sprintf("%s / opening failed: %v", j.from, err))
	return true
}
