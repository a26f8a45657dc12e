package wal

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

func sparing(n int) Options {
	opts := tiny(Binary)
	opts.Spares = n
	return opts
}

// TestPrepareAhead: a file of full size and zeros, taken by the next segment.
func TestPrepareAhead(t *testing.T) {
	r := newRig(t, mem(), sparing(1))
	if !r.WantsSpare() {
		t.Fatal("wants none")
	}
	paused := 0
	for range 2 { // the second has nothing to do
		check(t, r.Prepare(t.Context(), func(context.Context) { paused++ }))
	}
	equal(t, "names", names(t, r.fs), []string{"durable", "spare-1"})
	if b := readFile(t, r.fs, SpareName(1)); !bytes.Equal(b, make([]byte, 4096)) || paused != 1 || r.WantsSpare() || r.Stats().Spares != 1 {
		t.Errorf("%d bytes, paused %d times, wants %v, %+v", len(b), paused, r.WantsSpare(), r.Stats())
	}
	r.put("one")
	equal(t, "names", names(t, r.fs), []string{"00000000000000000001.vlog", "durable"})
	if b := readFile(t, r.fs, Binary.SegmentName(1)); len(b) != 4096 || !r.WantsSpare() {
		t.Errorf("the segment has %d bytes", len(b))
	}
	check(t, r.Prepare(t.Context(), nil))
	check(t, r.Close())
	equal(t, "names", names(t, r.fs), []string{"00000000000000000001.vlog"})
	if b := readFile(t, r.fs, Binary.SegmentName(1)); len(b) != 1536 {
		t.Errorf("closed it has %d bytes", len(b))
	}
}

// TestPrepareBroken: what is broken off leaves nothing: by the context, or where space is short.
func TestPrepareBroken(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	opts := sparing(1)
	opts.SegmentSize = 3 * fillStep
	r := newRig(t, mem(), opts)
	wantIs(t, r.Prepare(ctx, func(context.Context) { cancel() }), context.Canceled)
	equal(t, "names", names(t, r.fs), []string{"durable"})
	for n := 1; ; n++ {
		armed := false
		m := mem()
		fail := vfs.NewFail(m, vfs.When(func(op vfs.Op) bool {
			return armed && vfs.OnKind(vfs.OpCreate, vfs.OpWrite, vfs.OpSync, vfs.OpClose)(op)
		}, vfs.Nth(n, vfs.Short(fault.ErrNoSpace))))
		r := newRig(t, fail, opts)
		armed = true
		err := r.Prepare(t.Context(), nil)
		armed = false
		if err == nil {
			if n != 9 {
				t.Errorf("%d operations", n-1)
			}
			break
		}
		wantKind(t, err, fault.ErrNoSpace)
		equal(t, "names", names(t, m), []string{"durable"})
		r.put("one") // the log goes on
		check(t, r.Close())
	}
}

// TestSpareCannotBeOpened: too many open files, for a moment, while a file made ahead
// is to become the next segment. Nothing is written, the log goes on, and a clean close
// leaves no spare.
func TestSpareCannotBeOpened(t *testing.T) {
	for _, kind := range []vfs.OpKind{vfs.OpOpen, vfs.OpStat, vfs.OpWrite, vfs.OpSync, vfs.OpRename} {
		armed := false
		fail := vfs.NewFail(mem(), vfs.When(func(op vfs.Op) bool {
			return armed && op.Kind == kind && op.Name == SpareName(1)
		}, vfs.Nth(1, fault.ErrNoSpace)))
		r := newRig(t, fail, sparing(1))
		check(t, r.Prepare(t.Context(), nil))
		armed = true
		err := r.add("one")
		if _, clean := errors.AsType[*NotWritten](err); !clean || fail.Injected() != 1 {
			t.Errorf("%v: %v", kind, err)
		}
		r.put("one")
		check(t, r.Close())
		equal(t, kind.String(), names(t, r.fs), []string{"00000000000000000001.vlog"})
	}
}

// TestSpareTaken: somebody removed the file that was made ahead; another one does.
func TestSpareTaken(t *testing.T) {
	r := newRig(t, mem(), sparing(1))
	check(t, r.Prepare(t.Context(), nil))
	check(t, r.fs.Remove(SpareName(1)))
	r.put("one")
	check(t, r.Close())
}

// TestCloseWaitsForUpkeep: closing beside preparing and beside trimming lets them come
// to their end, and then leaves nothing of theirs.
func TestCloseWaitsForUpkeep(t *testing.T) {
	for _, what := range []string{"prepare", "trim"} {
		synctest.Test(t, func(t *testing.T) {
			m := mem()
			r := newRig(t, m, sparing(2))
			r.fill(7)
			closed := make(chan error, 1)
			closing := false
			beside := func() {
				if closing {
					return
				}
				closing = true
				go func() { closed <- r.Close() }()
				synctest.Wait() // until it can go no further
			}
			if what == "prepare" {
				check(t, r.Prepare(t.Context(), func(context.Context) { beside() }))
			} else {
				m.OnOp(func(vfs.Op) { beside() })
				check(t, r.Trim(t.Context(), 7))
			}
			check(t, <-closed)
			if left := names(t, m); strings.HasPrefix(left[len(left)-1], sparePrefix) {
				t.Errorf("%s: left %v", what, left)
			}
		})
	}
}

// TestRecycle: the file of a trimmed segment becomes another one, and the frames
// that are left in it behind the new end are nothing.
func TestRecycle(t *testing.T) {
	r := newRig(t, mem(), sparing(2))
	r.fill(10) // 1–3, 4–6, 7–9 sealed
	check(t, r.Trim(t.Context(), 10))
	equal(t, "names", names(t, r.fs), []string{"00000000000000000010.vlog", "durable", "spare-5", "spare-6"})
	check(t, r.Rotate(t.Context()))
	r.put("new") // into spare-6, which held #4 to #6
	seg, err := Scan(t.Context(), Place{r.fs, Binary.SegmentName(11), ours}, nil)
	check(t, err)
	b := readFile(t, r.fs, Binary.SegmentName(11))
	if stale := bytes.Count(b, []byte("vF")); stale < 3 || len(b) != 4096 {
		t.Fatalf("nothing stale in the file: %d headers, %d bytes", stale, len(b))
	}
	if verdict(seg) != "end" || seg.Last != 11 || seg.Stray != 0 {
		t.Errorf("%s behind %v", verdict(seg), seg.Last)
	}
	r.put("more", "and more")
	got := list(r.Read(t.Context(), 10))
	check(t, got.err)
	equal(t, "payloads", got.payloads[1:], []string{"new", "more", "and more"})
	check(t, r.Close())
	if _, segments := onDisk(t, r.fs); len(segments) != 2 || !segments[1].Sealed || segments[1].Size != segments[1].End {
		t.Errorf("%+v", segments)
	}
}

// TestTrimWithoutDescriptors: where no file can be opened, those that would be used again
// are removed; that needs none.
func TestTrimWithoutDescriptors(t *testing.T) {
	none := false
	r := newRig(t, vfs.NewFail(mem(), vfs.InjectorFunc(func(op vfs.Op) error {
		if none && op.Kind == vfs.OpOpen {
			return syscall.EMFILE
		}
		return nil
	})), sparing(2))
	r.fill(10)
	none = true
	check(t, r.Trim(t.Context(), 10))
	none = false
	equal(t, "names", names(t, r.fs), []string{"00000000000000000010.vlog", "durable"})
	r.put("more")
	check(t, r.Close())
}

// TestNotRecycled: files that are read, that have a second name, that are small,
// or that nobody wants.
func TestNotRecycled(t *testing.T) {
	disk := func(t *testing.T) (vfs.FS, string) {
		dir := t.TempDir()
		fsys, err := vfs.OpenOS(dir)
		check(t, err)
		t.Cleanup(func() { check(t, fsys.Close()) })
		return fsys, dir
	}
	t.Run("one link", func(t *testing.T) {
		fsys, _ := disk(t)
		r := newRig(t, fsys, sparing(2))
		r.fill(4)
		check(t, r.Trim(t.Context(), 4))
		if r.Stats().Spares != 1 {
			t.Errorf("%+v", r.Stats())
		}
		check(t, r.Close())
	})
	t.Run("two links", func(t *testing.T) {
		fsys, dir := disk(t)
		r := newRig(t, fsys, sparing(2))
		r.fill(4)
		name := filepath.Join(dir, Binary.SegmentName(1))
		before, err := os.ReadFile(name)
		check(t, err)
		check(t, os.Link(name, filepath.Join(dir, "backup")))
		check(t, r.Trim(t.Context(), 4))
		r.fill(3)
		if r.Stats().Spares != 0 {
			t.Errorf("%+v", r.Stats())
		}
		check(t, r.Close())
		after, err := os.ReadFile(filepath.Join(dir, "backup"))
		check(t, err)
		if !bytes.Equal(before, after) {
			t.Error("the file under its other name was changed")
		}
	})
	t.Run("small", func(t *testing.T) {
		r := newRig(t, mem(), sparing(2))
		r.put("one")
		check(t, r.Rotate(t.Context()))
		r.put(strings.Repeat("x", 5000)) // above the size
		check(t, r.Rotate(t.Context()))
		r.put("three")
		check(t, r.Trim(t.Context(), 3))
		equal(t, "names", names(t, r.fs), []string{"00000000000000000003.vlog", "durable"})
	})
	t.Run("enough", func(t *testing.T) {
		r := newRig(t, mem(), sparing(1))
		r.fill(10)
		check(t, r.Trim(t.Context(), 10))
		if r.Stats().Spares != 1 || len(names(t, r.fs)) != 3 {
			t.Errorf("%+v %v", r.Stats(), names(t, r.fs))
		}
	})
}

// TestTrimFails: what could not be removed is told; the log goes on.
func TestTrimFails(t *testing.T) { both(t, testTrimFails) }

func testTrimFails(t *testing.T, c Codec) {
	for n := 1; n <= 4; n++ { // three removals and the sync of the directory
		armed := false
		isArmed := func(op vfs.Op) bool { return armed && vfs.OnChange()(op) }
		r := newRig(t, vfs.NewFail(mem(), vfs.When(isArmed, vfs.Nth(n, fault.ErrIO))), tiny(c))
		r.fill(10)
		armed = true
		wantKind(t, r.Trim(t.Context(), 10), fault.ErrIO)
		armed = false
		r.put("on")
		got := list(r.Read(t.Context(), 10))
		check(t, got.err)
		equal(t, "read", got.seqs, seqs(10, 11))
	}
}
