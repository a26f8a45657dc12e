package wal

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

func TestReadFromEverywhere(t *testing.T) { both(t, testReadFromEverywhere) }

func testReadFromEverywhere(t *testing.T, c Codec) {
	r := newRig(t, mem(), tiny(c))
	r.put("a", "b", "c")
	r.fill(7)
	r.put("d", "e")
	for from := Seq(0); from <= r.last+2; from++ {
		got := list(r.Read(t.Context(), from))
		check(t, got.err)
		equal(t, "from "+from.String(), got.seqs, seqs(max(from, 1), r.last))
	}
	if first, last, _, err := r.Bounds(t.Context()); first != 1 || last != 12 || err != nil {
		t.Errorf("bounds %v %v %v", first, last, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if got := list(r.Read(ended, 1)); !errors.Is(got.err, context.Canceled) || len(got.seqs) != 0 {
		t.Errorf("%v %v", got.seqs, got.err)
	}
}

// TestOnlyDurableIsRead: what was appended and not synced is not shown.
func TestOnlyDurableIsRead(t *testing.T) { both(t, testOnlyDurableIsRead) }

func testOnlyDurableIsRead(t *testing.T, c Codec) {
	r := newRig(t, mem(), tiny(c))
	first := func(want Seq) {
		t.Helper()
		if got, _, _, err := r.Bounds(t.Context()); got != want || err != nil {
			t.Errorf("first %v, %v", got, err)
		}
	}
	first(1)
	r.put("one")
	check(t, r.add("two", "three"))
	equal(t, "before the sync", list(r.Read(t.Context(), 1)).payloads, []string{"one"})
	check(t, r.Sync(t.Context()))
	equal(t, "behind it", list(r.Read(t.Context(), 1)).payloads, []string{"one", "two", "three"})
	first(1)
}

// TestTrimmed: a reader that comes too late is told where the log begins, and
// nobody else notices.
func TestTrimmed(t *testing.T) { both(t, testTrimmed) }

func testTrimmed(t *testing.T, c Codec) {
	r := newRig(t, mem(), tiny(c))
	r.fill(10) // three segments of three, and one frame
	check(t, r.Trim(t.Context(), 6))
	if first, _, _, _ := r.Bounds(t.Context()); first != 4 {
		t.Fatalf("trimmed below 6 the log begins at %v", first)
	}
	for from := Seq(1); from <= 11; from++ {
		got := list(r.Read(t.Context(), from))
		if from < 4 {
			wantKind(t, got.err, fault.ErrCompacted)
			wantKind(t, list(r.Follow(t.Context(), from)).err, fault.ErrCompacted)
			continue
		}
		check(t, got.err)
		equal(t, "from "+from.String(), got.seqs, seqs(from, 10))
	}
	check(t, r.Trim(t.Context(), 6)) // again
	check(t, r.Trim(t.Context(), 1<<63))
	if got := list(r.Read(t.Context(), 10)); got.err != nil || len(got.seqs) != 1 {
		t.Errorf("the segment being written went: %v %v", got.seqs, got.err)
	}
}

// TestTrimUnderAReader: a reader in the middle of a segment keeps its file; one
// that has not come to a segment yet is told when that is gone.
func TestTrimUnderAReader(t *testing.T) { both(t, testTrimUnderAReader) }

func testTrimUnderAReader(t *testing.T, c Codec) {
	opts := tiny(c)
	opts.Spares = 5
	r := newRig(t, mem(), opts)
	r.fill(7)
	var got listed
	for e, err := range r.Read(t.Context(), 1) {
		if err != nil {
			got.err = err
			break
		}
		if got.seqs = append(got.seqs, e.Seq); e.Seq == 1 {
			check(t, r.Trim(t.Context(), 7))
			if r.Stats().Spares != 0 {
				t.Fatal("a segment that is being read was made a spare")
			}
		}
	}
	equal(t, "the open segment", got.seqs, seqs(1, 3))
	wantKind(t, got.err, fault.ErrCompacted)
	if len(r.readers) != 0 {
		t.Errorf("pins left: %v", r.readers)
	}
}

// TestBreakReleases: whoever stops reading pins nothing.
func TestBreakReleases(t *testing.T) {
	opts := tiny(Binary)
	opts.Spares = 5
	r := newRig(t, mem(), opts)
	r.fill(7)
	for range r.Read(t.Context(), 1) {
		if len(r.readers) == 0 {
			t.Error("nothing is pinned while reading")
		}
		break
	}
	for range r.Follow(t.Context(), 1) {
		break
	}
	if len(r.readers) != 0 {
		t.Errorf("pins left: %v", r.readers)
	}
	check(t, r.Trim(t.Context(), 7))
	if r.Stats().Spares != 2 {
		t.Errorf("%+v", r.Stats())
	}
}

// TestFollow goes through rotations as they come and ends with the context.
func TestFollow(t *testing.T) { both(t, testFollow) }

func testFollow(t *testing.T, c Codec) {
	r := newRig(t, mem(), tiny(c))
	r.put("a")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got []Seq
	var end error
	for e, err := range r.Follow(ctx, 0) {
		if err != nil {
			end = err
			continue
		}
		if got = append(got, e.Seq); len(got) == 20 {
			cancel()
			continue
		}
		r.fill(1)
		if len(got)%5 == 0 {
			check(t, r.Rotate(ctx))
		}
	}
	equal(t, "followed", got, seqs(1, 20))
	wantIs(t, end, context.Canceled)
	if _, segments := onDisk(t, r.fs); len(segments) < 6 {
		t.Errorf("%d segments: nothing rotated", len(segments))
	}
}

func wantIs(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}

// TestFollowBeyond waits for a batch that is not there yet.
func TestFollowBeyond(t *testing.T) { both(t, testFollowBeyond) }

func testFollowBeyond(t *testing.T, c Codec) {
	r := newRig(t, mem(), tiny(c))
	r.put("a")
	got := make(chan listed)
	go func() { got <- list(r.Follow(t.Context(), 4)) }()
	r.put("b", "c")
	r.put("d")
	r.put("e")
	check(t, r.Close())
	g := <-got
	equal(t, "followed", g.seqs, seqs(4, 5))
	wantKind(t, g.err, fault.ErrClosed)
}

// TestFollowToTheEnd: what only Close makes durable, by a sync that takes its time,
// is followed too before the end is told.
func TestFollowToTheEnd(t *testing.T) { both(t, testFollowToTheEnd) }

func testFollowToTheEnd(t *testing.T, c Codec) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, vfs.NewSlow(mem(), func(op vfs.Op) time.Duration { return time.Millisecond }), tiny(c))
		check(t, r.add("a", "b"))
		got := make(chan listed, 1)
		go func() { got <- list(r.Follow(t.Context(), 1)) }()
		synctest.Wait()
		check(t, r.Close())
		g := <-got
		equal(t, "followed", g.seqs, seqs(1, 2))
		wantKind(t, g.err, fault.ErrClosed)
	})
}

// TestTrimBesidePreparing: a file that is being made, which may take seconds, keeps
// nobody from trimming; Close waits for both.
func TestTrimBesidePreparing(t *testing.T) {
	r := newRig(t, mem(), sparing(1))
	r.fill(8)
	trimmed := 0
	check(t, r.Prepare(t.Context(), func(ctx context.Context) {
		check(t, r.Trim(ctx, 4))
		trimmed++
	}))
	if first, _, _, err := r.Bounds(t.Context()); err != nil || first != 4 || trimmed == 0 {
		t.Errorf("the log begins at %v, trimmed %d times: %v", first, trimmed, err)
	}
	if s := r.Stats(); s.Spares != 1 {
		t.Errorf("%d spares, wanted is one", s.Spares)
	}
	check(t, r.Close())
	if _, segments := onDisk(t, r.fs); len(segments) != len(names(t, r.fs)) {
		t.Errorf("left: %v", names(t, r.fs))
	}
}

// TestSignalIsNeverLate races a follower with the end of the log: whoever was told
// to wait is woken.
func TestSignalIsNeverLate(t *testing.T) { both(t, testSignalIsNeverLate) }

func testSignalIsNeverLate(t *testing.T, c Codec) {
	for range 500 {
		l, err := Resume(dirOnly(t), tiny(c), Start{})
		check(t, err)
		waiting := make(chan (<-chan struct{}), 1)
		started := make(chan struct{})
		go func() {
			more, ended := l.signal()
			close(started)
			for last := more; ; last = more {
				if more, ended = l.signal(); ended != nil {
					waiting <- last
					return
				}
			}
		}()
		<-started
		l.Fail(fault.ErrIO)
		select {
		case <-<-waiting:
		default:
			t.Fatal("a follower waits for ever")
		}
	}
}

func dirOnly(t testing.TB) *vfs.Mem {
	m := mem()
	check(t, m.Mkdir(Dir))
	return m
}

// TestReadWhileTheFileShrinks: a segment that was prepared longer ends behind its
// seal, and one whose write failed is cut back; a reader that has measured the file
// before reads on.
func TestReadWhileTheFileShrinks(t *testing.T) { both(t, testReadWhileTheFileShrinks) }

func testReadWhileTheFileShrinks(t *testing.T, c Codec) {
	var hook func(op vfs.Op)
	fsys := vfs.NewLog(mem(), func(op vfs.Op, _ error) {
		if hook != nil && op.Kind == vfs.OpStat {
			h := hook
			hook = nil
			h(op)
		}
	})
	opts := tiny(c)
	opts.Spares, opts.SegmentSize = 1, 64<<10
	r := newRig(t, fsys, opts)
	check(t, r.Prepare(t.Context(), nil))
	r.put("one")
	r.put("two")
	hook = func(vfs.Op) { check(t, r.Rotate(t.Context())) }
	got := list(r.Read(t.Context(), 1))
	if hook != nil {
		t.Fatal("the file was not measured")
	}
	check(t, got.err)
	equal(t, "read", got.payloads, []string{"one", "two"})
}

// TestGapIsTold: a log whose kept segments do not follow each other is damaged,
// and a reader must not be led over the gap.
func TestGapIsTold(t *testing.T) { both(t, testGapIsTold) }

func testGapIsTold(t *testing.T, c Codec) {
	for name, missing := range map[string]Seq{"middle": 4, "last": 7} {
		fsys := mem()
		r := newRig(t, fsys, tiny(c))
		r.fill(9)
		_, _, chain, err := r.Bounds(t.Context())
		check(t, err)
		check(t, r.Close())
		start := Start{Last: 9, Chain: chain}
		for first := Seq(1); first <= 7; first += 3 {
			if first != missing {
				start.Segments = append(start.Segments, Kept{First: first, Last: first + 2, Size: 4096})
			}
		}
		check(t, fsys.Remove(c.SegmentName(missing)))
		l, err := Resume(fsys, tiny(c), start)
		check(t, err)
		wantKind(t, list(l.Read(t.Context(), missing)).err, fault.ErrCorrupt)
		_, err = l.Append(t.Context(), 9, records("ten"))
		check(t, err)
		check(t, l.Sync(t.Context()))
		got := list(l.Read(t.Context(), 1))
		equal(t, name, got.seqs, seqs(1, missing-1))
		wantKind(t, got.err, fault.ErrCorrupt)
		got = list(l.Read(t.Context(), missing+3))
		check(t, got.err)
		equal(t, name, got.seqs, seqs(missing+3, 10))
	}
}

// TestReadErrors: an error of the disk while reading is that error, never an end.
func TestReadErrors(t *testing.T) { both(t, testReadErrors) }

func testReadErrors(t *testing.T, c Codec) {
	m := mem()
	r := newRig(t, m, tiny(c))
	r.fill(7)
	check(t, r.Close())
	for n := 1; ; n++ {
		fail := vfs.NewFail(m, vfs.When(vfs.OnKind(vfs.OpRead, vfs.OpStat, vfs.OpOpen), vfs.Nth(n, fault.ErrIO)))
		r.Local.fs = fail
		got := list(r.Read(t.Context(), 1))
		if fail.Injected() == 0 {
			if n < 9 {
				t.Errorf("only %d operations", n)
			}
			break
		}
		if !errors.Is(got.err, fault.ErrIO) || errors.Is(got.err, fault.ErrCorrupt) || len(got.seqs) >= 7 {
			t.Errorf("operation %d: %d batches, %v", n, len(got.seqs), got.err)
		}
	}
	start := int64(len(c.spelling().header(&Header{First: 4, Created: 7})))
	for name, change := range map[string]func([]byte) []byte{"flipped": flip(600), "cut": func(b []byte) []byte { return b[:700] }} {
		good := readFile(t, m, c.SegmentName(4))
		writeFile(t, m, c.SegmentName(4), change(append([]byte(nil), good...)))
		r.Local.fs = m
		got := list(r.Read(t.Context(), 1))
		e, ok := errors.AsType[*fault.Error](got.err)
		if !ok || e.Err != fault.ErrCorrupt || e.At.Path != c.SegmentName(4) || e.At.Offset != start || len(got.seqs) != 3 {
			t.Errorf("%s: %d batches, %v", name, len(got.seqs), got.err)
		}
		writeFile(t, m, c.SegmentName(4), good)
	}
}

// TestReadersBesideWriter: any number of readers and followers while one appends,
// rotates, trims and prepares; each sees a dense run of what was written.
func TestReadersBesideWriter(t *testing.T) { both(t, testReadersBesideWriter) }

func testReadersBesideWriter(t *testing.T, c Codec) {
	const last = 150
	opts := tiny(c)
	opts.Spares = 2
	r := newRig(t, mem(), opts)
	var wg sync.WaitGroup
	dense := func(got listed) {
		for i, s := range got.seqs {
			if s != got.seqs[0]+Seq(i) || got.payloads[i] != payloadOf(s) {
				t.Errorf("not dense: %v", got.seqs)
			}
		}
	}
	for range 2 {
		wg.Go(func() {
			for from, done := Seq(1), false; !done; {
				got := list(r.Read(t.Context(), from))
				if dense(got); got.err != nil && !errors.Is(got.err, fault.ErrCompacted) {
					t.Error(got.err)
					return
				}
				first, end, _, _ := r.Bounds(t.Context())
				from, done = max(first, end-min(end, 3)), end == last
			}
		})
		wg.Go(func() {
			var got listed
			for from := Seq(1); from <= last; from = got.seqs[len(got.seqs)-1] + 1 {
				if got = list(r.Follow(t.Context(), from)); errors.Is(got.err, fault.ErrClosed) {
					break
				}
				if dense(got); !errors.Is(got.err, fault.ErrCompacted) {
					t.Error(got.err)
				}
				first, _, _, _ := r.Bounds(t.Context())
				got = listed{seqs: []Seq{first - 1}}
			}
		})
	}
	for s := Seq(1); s <= last; s++ {
		r.put(payloadOf(s))
		if s%10 == 0 {
			check(t, r.Trim(t.Context(), s-min(s, 12)))
			check(t, r.Prepare(t.Context(), nil))
		}
	}
	check(t, r.Close())
	wg.Wait()
}

func payloadOf(s Seq) string { return s.String() + strings.Repeat("p", int(s)*37%900) }
