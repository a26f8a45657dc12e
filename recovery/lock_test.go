package recovery

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// TestClosedLineStays: what a clean close wrote into LOCK outlives later openings,
// also those that fail or are killed: a newest segment that is taken away then is
// noticed.
func TestClosedLineStays(t *testing.T) { both(t, testClosedLineStays) }

func testClosedLineStays(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	eleven := codec.SegmentName(11)
	m := n.closed.disk(t)
	s, err := Open(t.Context(), m.Reopen(), small(7))
	check(t, err)
	killed := dump(t, m).with(wal.DurableName, gone)
	if h, err := HolderNow(s.FS); err != nil || h == nil {
		t.Fatalf("the holder is not named: %v", err)
	}
	refuses(t, "killed", killed.with(eleven, gone), fault.ErrCorrupt, small(8))

	m = n.closed.disk(t)
	full := vfs.When(func(op vfs.Op) bool { return op.Kind == vfs.OpCreate && op.Name == wal.DurableName }, vfs.Always(fault.ErrNoSpace))
	_, err = Open(t.Context(), vfs.NewFail(m.Reopen(), full), small(7))
	wantKind(t, err, fault.ErrNoSpace)
	failed := dump(t, m)
	if failed[LockName] != n.closed[LockName] {
		t.Fatalf("the opening that failed left %q in LOCK", failed[LockName])
	}
	refuses(t, "failed", failed.with(eleven, gone), fault.ErrCorrupt, small(8))
	n.opens(t, "failed and whole", failed, 11)
}

// TestHolderIsNamedEarly: who comes while a recovery is under way is told who is at it.
func TestHolderIsNamedEarly(t *testing.T) { both(t, testHolderIsNamedEarly) }

func testHolderIsNamedEarly(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	m := n.crashed.disk(t)
	named, refused := 0, 0
	s, err := Open(t.Context(), vfs.NewFail(m.Reopen(), vfs.InjectorFunc(func(op vfs.Op) error {
		if !strings.HasPrefix(op.Name, wal.Dir) {
			return nil
		}
		_, err := Open(t.Context(), m.Reopen(), small(6))
		wantKind(t, err, fault.ErrLocked)
		refused++
		if _, ok := errors.AsType[*Holder](err); ok {
			named++
		}
		return nil
	})), small(5))
	check(t, err)
	check(t, s.Lock.Close())
	if refused == 0 || named != refused {
		t.Errorf("refused %d times, the holder was named %d times", refused, named)
	}
}

// TestClosedLineIsDurable: a power cut right after a clean close takes nothing of it.
func TestClosedLineIsDurable(t *testing.T) { both(t, testClosedLineIsDurable) }

func testClosedLineIsDurable(t *testing.T, codec wal.Codec) {
	m := vfs.NewMem(vfs.MemOptions{Track: true})
	a := begin(t, m, making(codec, 1))
	a.put("a", "b")
	a.close()
	note, err := readLock(m.Crash(vfs.Lost, 1))
	if check(t, err); note.Closed == nil || note.Closed.Seq != 1 {
		t.Errorf("%+v", note)
	}
}

// TestLockLines: each line of LOCK speaks for itself, whatever became of the other.
func TestLockLines(t *testing.T) { both(t, testLockLines) }

func testLockLines(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	m := n.closed.disk(t)
	s, err := Open(t.Context(), m.Reopen(), small(7))
	check(t, err)
	closed, holder, two := strings.Cut(slurp(t, m, LockName), "\n")
	if !two || closed+"\n" != n.closed[LockName] || len(closed) >= vfs.SectorSize {
		t.Fatalf("LOCK: %q and %q, closed %q", closed, holder, n.closed[LockName])
	}
	check(t, s.Lock.Close())
	for name, c := range map[string]struct {
		lock         string
		held, proven bool
	}{
		"both":        {closed + "\n" + holder, true, true},
		"torn behind": {closed + "\n" + holder[:20], false, true},
		"torn before": {closed[:20] + "\n" + holder, true, false},
		"the second":  {holder, true, false},
		"none":        {"", false, false},
		"junk":        {"\n\n\x00\xff", false, false},
	} {
		f := n.closed.with(LockName, c.lock)
		h, err := HolderNow(f.disk(t))
		check(t, err)
		if (h != nil) != c.held {
			t.Errorf("%s: holder %v", name, h)
		}
		if _, err = Open(t.Context(), f.with(codec.SegmentName(11), gone).disk(t), small(8)); errors.Is(err, fault.ErrCorrupt) != c.proven {
			t.Errorf("%s: without the last segment: %v", name, err)
		}
	}
}

// TestOpenCancelled: the context ends the looking at any moment, and nothing was changed.
func TestOpenCancelled(t *testing.T) { both(t, testOpenCancelled) }

func testOpenCancelled(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	cause := errors.New("enough")
	stopped := 0
	for at := 1; ; at++ {
		ctx, cancel := context.WithCancelCause(t.Context())
		m := n.crashed.disk(t)
		s, err := Open(ctx, vfs.NewFail(m.Reopen(), vfs.InjectorFunc(func(op vfs.Op) error {
			if op.Kind == vfs.OpOpen && op.N >= at && Classify(op.Name, false) == ClassSegment {
				cancel(cause)
			}
			return nil
		})), small(5))
		cancel(nil)
		if err == nil {
			check(t, s.Lock.Close())
			break
		}
		if !errors.Is(err, cause) {
			t.Fatalf("cancelled behind operation %d: %v", at, err)
		}
		same(t, "cancelled", dump(t, m), n.crashed)
		stopped++
	}
	if stopped == 0 {
		t.Error("it was never cancelled")
	}
}

// TestLongTail: of a tail above 64 MiB the first 64 MiB are kept, and the report
// says so.
func TestLongTail(t *testing.T) { both(t, testLongTail) }

func testLongTail(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	eleven := codec.SegmentName(11)
	torn := tornTail(t, n.id, n.crashed, eleven)
	torn = torn.with(eleven, torn[eleven]+strings.Repeat("x", maxKept)+"the end")
	m := torn.disk(t)
	s, err := Open(t.Context(), m.Reopen(), small(5))
	check(t, err)
	cut := s.Report.Cut
	if cut == nil || cut.Whole || cut.Bytes != maxKept || !maps.Equal(contentOf(s.Picture), n.hist[11]) {
		t.Fatalf("cut: %+v", cut)
	}
	if kept := slurp(t, m, cut.Kept); len(kept) != maxKept || !strings.HasPrefix(torn[eleven][cut.Offset:], kept) {
		t.Errorf("%d bytes are kept in %s", len(kept), cut.Kept)
	}
	check(t, s.Writer.Close())
	check(t, Release(s.Lock, s.ID, Closed{Seq: 11, Time: now()}))
	if found := findings(t, dump(t, m)); len(found) != 0 {
		t.Errorf("check: %+v", found)
	}
	if _, err := m.Open(checkpoint.Truncate, vfs.ReadOnly); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("truncate is left: %v", err)
	}
}

// TestNotClosedIsTold: a store that nobody closed is not clean, however little there
// is to do, and a reader who changes nothing is told the same.
func TestNotClosedIsTold(t *testing.T) { both(t, testNotClosedIsTold) }

func testNotClosedIsTold(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	for name, f := range map[string]files{
		"killed":         n.crashed,
		"seal not told":  n.closed.with(LockName, ""),
		"behind a seal":  n.closed.with(codec.SegmentName(11), n.closed[codec.SegmentName(11)]+"x"),
		"without frames": n.crashed.with(codec.SegmentName(11), n.crashed[codec.SegmentName(11)][:n.frames(t, n.crashed, codec.SegmentName(11))[0]]).with(wal.DurableName, gone),
	} {
		s, err := Open(t.Context(), f.disk(t), small(5))
		check(t, err)
		if s.Report.Clean || !s.Report.Sealed {
			t.Errorf("%s: %+v", name, s.Report)
		}
	}
	s, err := Open(t.Context(), n.crashed.disk(t), readOnly())
	check(t, err)
	if s.Report.Clean || !s.Report.Sealed {
		t.Errorf("read-only: %+v", s.Report)
	}
}

// TestBehindAnOldSeal: what lies behind the seal of a segment that is not the newest
// goes too, and is no damage.
func TestBehindAnOldSeal(t *testing.T) { both(t, testBehindAnOldSeal) }

func testBehindAnOldSeal(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	nine := codec.SegmentName(9)
	m := n.closed.with(nine, n.closed[nine]+"left of a file that was longer").disk(t)
	s, err := Open(t.Context(), m.Reopen(), small(5))
	check(t, err)
	if got := slurp(t, m, nine); got != n.closed[nine] || s.Report.Clean {
		t.Errorf("%d bytes, %+v", len(got)-len(n.closed[nine]), s.Report)
	}
}

// TestClosedWithOtherBatches: LOCK tells with which chain value the store was closed. A
// log that reads well and has another there was put together of two copies, or edited
// with everything that checks it.
func TestClosedWithOtherBatches(t *testing.T) { both(t, testClosedWithOtherBatches) }

func testClosedWithOtherBatches(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	eleven := codec.SegmentName(11)
	m := n.closed.with(eleven, gone).with(LockName, "").disk(t) // a copy as it was before #11
	a := begin(t, m, small(44))
	a.put("key4", "another")
	a.close()
	theirs := dump(t, m)
	f := n.closed.with(eleven, theirs[eleven])
	at := int64(n.frames(t, theirs, eleven)[0])
	for _, opts := range []Options{small(5), readOnly()} {
		if e := refuses(t, "mixed", f, fault.ErrCorrupt, opts); e.At.Path != eleven || e.At.Offset != at || e.At.Seq != 11 {
			t.Error(e)
		}
	}
	if found := findings(t, f); len(found) != 1 || found[0].Kind != "chain" || found[0].File != eleven || found[0].Offset != at || found[0].Seq != 11 {
		t.Errorf("%+v", found)
	}
	m = f.disk(t)
	if sum, err := salvaged(t, m, SalvageOptions{}); err != nil || sum.Whole || sum.Last != 11 || len(sum.Aside) != 0 {
		t.Errorf("%+v, %v", sum, err)
	}
	s, err := Open(t.Context(), m.Reopen(), small(6))
	if check(t, err); contentOf(s.Picture)["key4"] != "another" {
		t.Error("the salvaged store holds something else")
	}
	if _, err := Open(t.Context(), theirs.disk(t), small(6)); err != nil {
		t.Error(err)
	}
}

// TestSegmentOfAnotherCopy: a sealed segment in the middle that another copy of the store
// wrote is told by the header of the one behind it: LOCK's chain value is right.
func TestSegmentOfAnotherCopy(t *testing.T) { both(t, testSegmentOfAnotherCopy) }

func testSegmentOfAnotherCopy(t *testing.T, codec wal.Codec) {
	put := func(f files, opts Options, key, value string) files {
		m := f.disk(t)
		a := begin(t, m, opts)
		a.put(key, value)
		a.close()
		return dump(t, m)
	}
	one := put(files{}, making(codec, 1), "a", "1")
	mine := put(put(one, small(2), "b", "2"), small(3), "c", "3")
	two, three := codec.SegmentName(2), codec.SegmentName(3)
	theirs := put(one, small(4), "b", "another")
	f := mine.with(two, theirs[two])
	for _, opts := range []Options{small(5), readOnly()} {
		if e := refuses(t, "mixed", f, fault.ErrCorrupt, opts); e.At.Path != three || e.At.Seq != 3 {
			t.Error(e)
		}
	}
	if found := findings(t, f); len(found) == 0 || found[0].File != three {
		t.Errorf("%+v", found)
	}
}

// TestClosedAtACheckpoint: the same where a checkpoint is all that reaches so far.
func TestClosedAtACheckpoint(t *testing.T) { both(t, testClosedAtACheckpoint) }

func testClosedAtACheckpoint(t *testing.T, codec wal.Codec) {
	m := files{}.disk(t)
	a := begin(t, m, making(codec, 1))
	a.put("a", "b")
	a.checkpoint()
	a.edit = state.NewEdit(state.Empty()) // as if closed with other batches
	a.close()
	f := dump(t, m)
	for _, opts := range []Options{small(5), readOnly()} {
		if e := refuses(t, "mixed", f, fault.ErrCorrupt, opts); e.At.Path != checkpoint.Name(1) || e.At.Seq != 1 {
			t.Error(e)
		}
	}
	if found := findings(t, f); len(found) != 1 || found[0].Kind != "chain" || found[0].File != codec.SegmentName(1) {
		t.Errorf("%+v", found)
	}
	if sum, err := salvaged(t, m, SalvageOptions{}); err != nil || sum.Whole {
		t.Errorf("%+v, %v", sum, err)
	}
	_, err := Open(t.Context(), m.Reopen(), small(6))
	check(t, err)
}
