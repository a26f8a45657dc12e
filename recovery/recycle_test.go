package recovery

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// TestCrashBesidePromotion lets a writer write at each step of a promotion that drops
// segments and uses their files again, and cuts the power after each operation of
// both: what was acknowledged is there, and the store opens.
func TestCrashBesidePromotion(t *testing.T) { both(t, testCrashBesidePromotion) }

func testCrashBesidePromotion(t *testing.T, codec wal.Codec) {
	for _, keep := range []int{1, 2} {
		steps := 0
		for (beside{codec, keep}).step(t, steps) {
			steps++
		}
		if steps < 8 {
			t.Errorf("only %d steps", steps)
		}
	}
}

// beside is a store in which a writer writes beside a promotion. Under NDJSON no file
// is used again, whatever Spares says.
type beside struct {
	codec wal.Codec
	keep  int // checkpoints
}

// step writes beside one step of the third promotion; it returns false where there are
// fewer steps.
func (b beside) step(t *testing.T, step int) bool {
	m := vfs.NewMem(vfs.MemOptions{Track: true})
	opts := making(b.codec, 1)
	opts.Spares = 8
	a := begin(t, m, opts)
	a.keepCheckpoints(b.keep)
	hist := map[batch.Seq]content{}
	put := func() {
		a.put(fmt.Sprint("key", a.last%5), strings.Repeat("v", 600))
		hist[a.last] = maps.Clone(a.keep)
	}
	for range 3 {
		for range 4 {
			put()
		}
		if a.last < 12 {
			a.checkpoint()
		}
	}
	steps := 0
	m.OnOp(func(op vfs.Op) {
		opensEverywhere(t, fmt.Sprintf("keep %d, written at step %d, power cut after %v", b.keep, step, op), m, a.last, hist)
		if !ofPromotion(op) {
			return
		}
		if steps++; steps == step+1 {
			put()
		}
	})
	a.checkpoint()
	m.OnOp(nil)
	put()
	a.close()
	clean(t, fmt.Sprint("step ", step), m)
	return steps > step
}

// opensEverywhere opens what power cuts leave of a disk.
func opensEverywhere(t *testing.T, what string, m *vfs.Mem, acked batch.Seq, hist map[batch.Seq]content) {
	disk := m.Snapshot()
	for _, model := range vfs.Models() {
		disk.Images(model, 16, func(img *vfs.Image) bool {
			s, err := Open(t.Context(), img.Mem(false), small(9))
			if err != nil {
				t.Fatalf("%s, %v: %v", what, model, err)
			}
			last := s.Picture.Seq()
			if want, told := hist[last]; last < acked || last > acked+1 || told && !maps.Equal(contentOf(s.Picture), want) {
				t.Fatalf("%s, %v: opens at %v, acknowledged is %v", what, model, last, acked)
			}
			return true
		})
	}
}

// ofPromotion says whether an operation is one that a promotion does beside the log,
// so that the log may be written meanwhile.
func ofPromotion(op vfs.Op) bool {
	switch op.Kind {
	case vfs.OpSyncDir:
		return false
	case vfs.OpRename:
		return !strings.Contains(op.Name, "spare")
	case vfs.OpRemove:
		return true
	}
	return op.Name == checkpoint.Backup || op.Name == checkpoint.Recover
}

// keepCheckpoints sets how many checkpoints the store keeps.
func (a *author) keepCheckpoints(n int) {
	a.t.Helper()
	value, err := checkpoint.Keep{Checkpoints: n}.Encode()
	check(a.t, err)
	a.commit(batch.Op{Kind: batch.Put, Key: checkpoint.KeepKey(), Value: value})
	check(a.t, a.s.Writer.Sync(a.t.Context()))
}
