package gauge

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

// bench measures a disk in memory whose syncs take a millisecond.
func bench(inj vfs.Injector) Bench {
	slow := vfs.NewSlow(vfs.NewFail(vfs.NewMem(vfs.MemOptions{}), inj), vfs.SlowSyncs(time.Millisecond))
	return Bench{FS: slow, For: 100 * time.Millisecond}
}

func never() vfs.Injector { return vfs.InjectorFunc(func(vfs.Op) error { return nil }) }

// TestMeasures: a sync of a millisecond is told as one, and nothing is left.
func TestMeasures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bench(never())
		for what, measure := range map[string]func(context.Context) (Rate, error){"flush": b.Flush, "append": b.Append} {
			r, err := measure(t.Context())
			if err != nil || r != (Rate{1000, time.Millisecond, time.Millisecond}) {
				t.Errorf("%s: %+v %v", what, r, err)
			}
		}
		write, read, err := b.Stream(t.Context())
		if err != nil || write != streamed*1000 || read <= 0 {
			t.Errorf("stream: %v %v %v", write, read, err)
		}
		if left, err := b.FS.ReadDir("."); err != nil || len(left) > 0 {
			t.Errorf("left: %v %v", left, err)
		}
	})
}

// TestFails: whatever fails is told, and what was begun is removed.
func TestFails(t *testing.T) {
	for _, kind := range []vfs.OpKind{vfs.OpCreate, vfs.OpWrite, vfs.OpSync, vfs.OpClose, vfs.OpRemove, vfs.OpRead} {
		synctest.Test(t, func(t *testing.T) {
			on := true
			b := bench(vfs.When(func(op vfs.Op) bool { return on && op.Kind == kind }, vfs.Always(fault.ErrIO)))
			_, flush := b.Flush(t.Context())
			if kind == vfs.OpRemove {
				on = false
				if err := b.FS.Remove(file); err != nil {
					t.Fatal(err)
				}
				on = true
			}
			_, _, stream := b.Stream(t.Context())
			if !errors.Is(stream, fault.ErrIO) || kind != vfs.OpRead && !errors.Is(flush, fault.ErrIO) {
				t.Errorf("%v: %v, %v", kind, flush, stream)
			}
			if left, err := b.FS.ReadDir("."); err != nil || kind != vfs.OpRemove && len(left) > 0 {
				t.Errorf("%v left: %v %v", kind, left, err)
			}
		})
	}
}

// TestEnds: whoever waits no longer is told why, and nothing is left.
func TestEnds(t *testing.T) {
	b := bench(never())
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(fault.ErrClosed)
	_, flush := b.Flush(ctx)
	_, grow := b.Append(ctx)
	_, _, stream := b.Stream(ctx)
	for what, err := range map[string]error{"flush": flush, "append": grow, "stream": stream} {
		if !errors.Is(err, fault.ErrClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if left, err := b.FS.ReadDir("."); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
}

// TestReal: the same on a real disk.
func TestReal(t *testing.T) {
	b, err := New(t.TempDir(), 5*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	r, err := b.Flush(t.Context())
	if err != nil || r.PerSecond <= 0 || r.P50 <= 0 || r.P99 < r.P50 {
		t.Errorf("%+v %v", r, err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if _, err := New(t.TempDir()+"/none", 0); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("no directory: %v", err)
	}
}

// TestRateOf: of nothing there is no rate.
func TestRateOf(t *testing.T) {
	if r := RateOf(nil, time.Second); r != (Rate{}) {
		t.Errorf("of nothing: %+v", r)
	}
	took := make([]time.Duration, 100)
	for i := range took {
		took[i] = time.Duration(100 - i)
	}
	if r := RateOf(took, time.Second); r != (Rate{100, 51, 100}) {
		t.Errorf("%+v", r)
	}
}
