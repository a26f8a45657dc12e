package recovery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// reads opens a store read-only: it holds exactly what the novel tells up to last,
// and nothing on the disk is changed, not even tried.
func (n *novel) reads(t testing.TB, what string, m vfs.FS, last int) Report {
	t.Helper()
	before := dump(t, m)
	fail := vfs.NewFail(m, vfs.When(vfs.OnChange(), vfs.Always(fault.ErrReadOnly)))
	s, err := Open(t.Context(), fail, readOnly())
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if s.Lock != nil || int(s.Picture.Seq()) != last || !maps.Equal(contentOf(s.Picture), n.hist[last]) {
		t.Fatalf("%s: at %v, not #%d", what, s.Picture.Seq(), last)
	}
	if fail.Injected() != 0 {
		t.Fatalf("%s: tried to change something", what)
	}
	same(t, what, dump(t, m), before)
	return s.Report
}

func TestReadOnly(t *testing.T) { both(t, testReadOnly) }

func testReadOnly(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	backup, flag := n.backup(t, n.id, n.pic11)
	newest := n.crashed.segments()[3]
	torn := tornTail(t, n.id, n.crashed, newest)
	tail := int64(185) // with padding before it
	if codec == wal.NDJSON {
		tail = int64(len(torn[newest]) - len(n.crashed[newest]))
	}
	for name, f := range map[string]files{
		"closed":           n.closed,
		"crashed":          n.crashed,
		"nobody knows":     n.crashed.with(wal.DurableName, gone),
		"in a promotion":   n.crashed.with(checkpoint.Backup, backup).with(checkpoint.Recover, flag),
		"with leftovers":   n.crashed.with("log/spare-1", "x").with(".FORMAT.tmp", "x").with(checkpoint.Truncate, "x"),
		"before":           n.before,
		"torn":             torn,
		"torn, then zeros": torn.with(newest, torn[newest]+strings.Repeat("\x00", 9000)),
		"damaged fallback": n.closed.with(checkpoint.Name(8), "junk"),
	} {
		last := 11
		if name == "before" {
			last = 8
		}
		r := n.reads(t, name, f.disk(t), last)
		if (r.Cut != nil) != strings.HasPrefix(name, "torn") || (len(r.Skipped) > 0) != (name == "damaged fallback") || r.Beyond != 0 || len(r.Removed) != 0 {
			t.Errorf("%s: %+v", name, r)
		}
		if r.Cut != nil && (r.Cut.Kept != "" || r.Cut.Bytes != tail || !r.Cut.Whole) {
			t.Errorf("%s: %+v", name, r.Cut)
		}
	}
}

// TestHeldWhileWritten: a second writer, and a check, are refused and told who writes;
// a reader is not.
func TestHeldWhileWritten(t *testing.T) { both(t, testHeldWhileWritten) }

func testHeldWhileWritten(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	m := n.closed.disk(t)
	s, err := Open(t.Context(), m.Reopen(), small(5))
	check(t, err)
	before := dump(t, m)
	_, err = Open(t.Context(), m.Reopen(), small(6))
	wantKind(t, err, fault.ErrLocked)
	h, ok := errors.AsType[*Holder](err)
	pid, program, host := vfs.Process()
	if !ok || h.PID != pid || h.Program != program || h.Host != host || !h.Since.Equal(now()) || !strings.Contains(err.Error(), fmt.Sprint("pid ", pid)) {
		t.Errorf("%v", err)
	}
	same(t, "refused", dump(t, m), before)
	n.reads(t, "beside the writer", m, 11)
	_, err = Check(t.Context(), m.Reopen(), CheckOptions{Now: now}, func(Finding) {})
	wantKind(t, err, fault.ErrLocked)
	if h, err := HeldBy(m); err != nil || h == nil {
		t.Errorf("%v, %v", h, err)
	}
	check(t, s.Writer.Close())
	check(t, Release(s.Lock, s.ID, Closed{Seq: 11}))
	if h, err := HeldBy(m); err != nil || h != nil {
		t.Errorf("%v, %v", h, err)
	}
	n.reads(t, "released", m, 11)
}

// TestReadOnlyShowsWhatIsDurable: behind what log/durable of this boot says there may
// be more, which a power cut could still take; after one, all that is there counts.
func TestReadOnlyShowsWhatIsDurable(t *testing.T) { both(t, testReadOnlyShowsWhatIsDurable) }

func testReadOnlyShowsWhatIsDurable(t *testing.T, codec wal.Codec) {
	for _, synced := range []int{0, 1, 2, 5} {
		m := vfs.NewMem(vfs.MemOptions{})
		one := making(codec, 1)
		one.SegmentSize = 1 << 20 // a rotation would sync
		a := begin(t, m, one)
		n := &novel{hist: []content{{}}}
		for seq := 1; seq <= 6; seq++ {
			if a.append(fmt.Sprint(seq), "v"); seq <= synced {
				check(t, a.s.Writer.Sync(t.Context()))
			}
			n.hist = append(n.hist, maps.Clone(a.keep))
		}
		check(t, a.s.Lock.Close()) // the process ends
		r := n.reads(t, fmt.Sprint("synced ", synced), m, synced)
		if r.Beyond != 6 {
			t.Errorf("synced %d: beyond %v", synced, r.Beyond)
		}
		f := dump(t, m)
		d, ok, err := wal.ReadDurable(m, a.s.ID)
		if check(t, err); !ok || int(d.Seq) != synced {
			t.Fatalf("%+v", d)
		}
		other := vfs.NewMem(vfs.MemOptions{Track: true}).Crash(vfs.Lost, 1) // another boot
		for _, path := range slices.Sorted(maps.Keys(f)) {
			if dir, ok := strings.CutSuffix(path, "/"); ok {
				check(t, other.Mkdir(dir))
				continue
			}
			check(t, other.Replace(path, []byte(f[path])))
		}
		if other.Boot() == m.Boot() {
			t.Fatal("the same boot")
		}
		if r := n.reads(t, "after a power cut", other, 6); r.Beyond != 0 {
			t.Errorf("after a power cut: beyond %v", r.Beyond)
		}
	}
}

// TestCreateFails lets each operation of making a store fail once. What that leaves
// is nothing, or something that the next opening completes.
func TestCreateFails(t *testing.T) { both(t, testCreateFails) }

func testCreateFails(t *testing.T, codec wal.Codec) {
	for n := 1; ; n++ {
		m := vfs.NewMem(vfs.MemOptions{})
		fail := vfs.NewFail(m, vfs.Nth(n, fault.ErrIO))
		_, err := Open(t.Context(), fail, making(codec, 1))
		if fail.Injected() == 0 {
			if check(t, err); n < 20 {
				t.Errorf("only %d operations", n-1)
			}
			break
		}
		wantKind(t, err, fault.ErrIO)
		if held, err := m.Held(LockName); held || err != nil {
			t.Errorf("operation %d: the lock is held: %v", n, err)
		}
		_, readErr := Open(t.Context(), m.Reopen(), readOnly())
		if readErr != nil && !errors.Is(readErr, fault.ErrNotStore) {
			t.Errorf("operation %d: read-only: %v", n, readErr)
		}
		a := begin(t, m, making(codec, 2))
		if a.s.Report.Created != (readErr != nil) || a.last != 0 {
			t.Errorf("operation %d: %+v", n, a.s.Report)
		}
		a.put("a", "b")
		a.close()
		clean(t, fmt.Sprint("operation ", n), m)
		s, err := Open(t.Context(), m.Reopen(), small(3))
		if check(t, err); s.Report.Created || !s.Report.Clean || contentOf(s.Picture)["a"] != "b" || s.ID != a.s.ID {
			t.Errorf("operation %d: %+v", n, s.Report)
		}
	}
}

// TestOpenFails lets each operation of an opening that has everything to do fail
// once: the error is told, the lock let go, and the next opening ends the work with
// the same result.
func TestOpenFails(t *testing.T) { both(t, testOpenFails) }

func testOpenFails(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	newest := n.crashed.segments()[3]
	backup, flag := n.backup(t, n.id, n.pic11)
	f := tornTail(t, n.id, n.crashed.with(wal.DurableName, gone), newest).with(checkpoint.Backup, backup).with(checkpoint.Recover, flag).with("log/spare-1", "x")
	end := func(m *vfs.Mem) files {
		t.Helper()
		s, err := Open(t.Context(), m.Reopen(), small(7))
		check(t, err)
		check(t, s.Writer.Close())
		check(t, Release(s.Lock, s.ID, Closed{Seq: 11}))
		return dump(t, m)
	}
	want := end(f.disk(t))
	for i := 1; ; i++ {
		m := f.disk(t)
		fail := vfs.NewFail(m, vfs.Nth(i, vfs.Short(fault.ErrNoSpace)))
		_, err := Open(t.Context(), fail, small(7))
		if fail.Injected() == 0 {
			if check(t, err); i < 90 {
				t.Errorf("only %d operations", i-1)
			}
			break
		}
		wantKind(t, err, fault.ErrNoSpace)
		if held, err := m.Held(LockName); held || err != nil {
			t.Fatalf("operation %d: the lock is held: %v", i, err)
		}
		got := end(m)
		for path := range got { // a seal that was torn was cut too, and kept
			if _, ok := want[path]; !ok && Classify(path, false) == ClassKept {
				delete(got, path)
			}
		}
		same(t, fmt.Sprint("operation ", i), got, want)
	}
}

// TestCancelled opens nothing.
func TestCancelled(t *testing.T) { both(t, testCancelled) }

func testCancelled(t *testing.T, codec wal.Codec) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m := vfs.NewMem(vfs.MemOptions{})
	if _, err := Open(ctx, m, small(1)); !errors.Is(err, context.Canceled) || len(dump(t, m)) != 0 {
		t.Errorf("%v", err)
	}
	n := novelIn(t, codec, 1)
	if _, err := Check(ctx, n.closed.disk(t), CheckOptions{Now: now}, func(Finding) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("check: %v", err)
	}
}

// TestRepeat opens the same store again and again without closing it: always the
// same content, and a log that can be read.
func TestRepeat(t *testing.T) { both(t, testRepeat) }

func testRepeat(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	m := tornTail(t, n.id, n.crashed, n.crashed.segments()[3]).disk(t)
	for i := range 4 {
		s, err := Open(t.Context(), m.Reopen(), small(uint64(i)))
		check(t, err)
		if (s.Report.Cut != nil) != (i == 0) || !maps.Equal(contentOf(s.Picture), n.hist[11]) {
			t.Errorf("opening %d: %+v", i, s.Report)
		}
		next := batch.Seq(5)
		for e, err := range s.Log.Read(t.Context(), 5) {
			if check(t, err); e.Seq != next {
				t.Fatalf("read %v, want %v", e.Seq, next)
			}
			next++
		}
		if next != 12 {
			t.Errorf("read up to %v", next)
		}
		check(t, s.Lock.Close()) // the process ends
	}
}

// TestReplayLong replays a log that is read in several pieces, and one with a long
// empty rest behind it: what the map was given from one piece must not change when
// another is read in its place.
func TestReplayLong(t *testing.T) { both(t, testReplayLong) }

func testReplayLong(t *testing.T, codec wal.Codec) {
	m := vfs.NewMem(vfs.MemOptions{})
	opts := making(codec, 1)
	opts.SegmentSize = 16 << 20
	a := begin(t, m, opts)
	for i := range 3000 { // in no order, more than 1 MiB
		a.append(fmt.Sprintf("key/%05d", i*2654435761%100000), strings.Repeat("v", 200+i%500))
	}
	check(t, a.s.Writer.Sync(t.Context()))
	f := dump(t, m)
	name := codec.SegmentName(1)
	for what, g := range map[string]files{"as it is": f, "zeros behind": f.with(name, f[name]+strings.Repeat("\x00", 3<<20))} {
		s, err := Open(t.Context(), g.disk(t), small(2))
		check(t, err)
		if s.Picture.Seq() != 3000 || !maps.Equal(contentOf(s.Picture), a.keep) {
			t.Fatalf("%s: at %v, %d keys", what, s.Picture.Seq(), s.Picture.Len())
		}
		for key, value := range a.keep {
			e, ok := s.Picture.Get(batch.AppendKey(nil, batch.KV, batch.Main, []byte(key)))
			if !ok || string(e.Value) != value {
				t.Fatalf("%s: %s is not found", what, key)
			}
		}
	}
}
