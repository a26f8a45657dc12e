package wal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

// TestAppendCloseScan: what was appended, in groups of any shape, is what scanning
// the files finds after a close; every segment is sealed and nothing else is left.
func TestAppendCloseScan(t *testing.T) { both(t, testAppendCloseScan) }

func testAppendCloseScan(t *testing.T, c Codec) {
	shapes := [][]int{{0}, {1}, {0, 0, 0}, {1, 500, 3}, {440, 1}, {3000}, {9000}, {600, 600, 600, 600}, {5}}
	for _, spares := range []int{0, 2} {
		fsys := mem()
		opts := tiny(c)
		opts.Spares, opts.Grow = spares, 1024
		r := newRig(t, fsys, opts)
		var want []string
		for i, sizes := range shapes {
			var group []string
			for j, n := range sizes {
				group = append(group, strings.Repeat(fmt.Sprint(i+j), n))
			}
			r.put(group...)
			want = append(want, group...)
			check(t, r.Prepare(t.Context(), nil))
		}
		check(t, r.Close())
		got, segments := onDisk(t, fsys)
		equal(t, "payloads", got, want)
		if len(segments) < 4 || len(names(t, fsys)) != len(segments) {
			t.Errorf("%d segments in %v", len(segments), names(t, fsys))
		}
		epochs := map[uint64]bool{}
		for _, s := range segments {
			epochs[s.Header.Epoch] = true
			if !s.Sealed || s.Size != s.End || s.Bad != nil || s.Stray != 0 || s.LastTime != 1000 || s.Header.Created != 7 {
				t.Errorf("%s: %+v", s.Name, s)
			}
		}
		if len(epochs) != len(segments) {
			t.Error("two segments have one epoch")
		}
	}
}

// TestGoOn closes and goes on several times, as recovery does.
func TestGoOn(t *testing.T) { both(t, testGoOn) }

func testGoOn(t *testing.T, c Codec) {
	fsys := mem()
	r := newRig(t, fsys, tiny(c))
	var want []string
	for i := range 5 {
		p := fmt.Sprint("payload ", i)
		r.put(p)
		want = append(want, p)
		check(t, r.Close())
		_, segments := onDisk(t, fsys)
		s, bytes := Start{Last: r.last}, int64(0)
		for _, seg := range segments {
			bytes += seg.Size
			s.Segments = append(s.Segments, Kept{First: seg.Header.First, Last: seg.Last, Epoch: seg.Header.Epoch, Size: seg.Size})
			s.Chain = seg.ChainEnd
		}
		l, err := Resume(fsys, tiny(c), s)
		check(t, err)
		r.Local = l
		if st := r.Stats(); st.Segments != i+1 || st.Bytes != bytes {
			t.Errorf("%+v", st)
		}
	}
	equal(t, "read", list(r.Read(t.Context(), 1)).payloads, want)
	check(t, r.Close())
	if got, _ := onDisk(t, fsys); !slices.Equal(got, want) {
		t.Errorf("on disk %v", got)
	}
}

// TestRefused: what is refused writes nothing, and the log goes on.
func TestRefused(t *testing.T) { both(t, testRefused) }

func testRefused(t *testing.T, c Codec) {
	fsys := mem()
	opts := tiny(c)
	opts.MaxRecord = 10
	r := newRig(t, fsys, opts)
	r.put("one")
	before := readFile(t, fsys, c.SegmentName(1))
	for _, after := range []Seq{0, 2, 1 << 63} {
		_, err := r.Append(t.Context(), after, records("x"))
		wantKind(t, err, fault.ErrConflict)
	}
	_, err := r.Append(t.Context(), 1, records("0123456789", "01234567890"))
	wantKind(t, err, fault.ErrTooLarge)
	if last, err := r.Append(t.Context(), 1, nil); last != 1 || err != nil {
		t.Errorf("an empty group: %v %v", last, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 { // a free turn and an ended context: either may win, never half
		last, err := r.Append(ended, r.last, records("x"))
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		r.last = max(r.last, last)
	}
	if r.last == 1 && string(readFile(t, fsys, c.SegmentName(1))) != string(before) {
		t.Error("something was written")
	}
	r.put("0123456789")
	if l := r.Limits(); l.Record != 10 || l.Group <= 0 || l.Durable {
		t.Errorf("%+v", l)
	}
	check(t, r.Close())
}

// TestClosed: everything but reading what is there ends with the log.
func TestClosed(t *testing.T) { both(t, testClosed) }

func testClosed(t *testing.T, c Codec) {
	opts := tiny(c)
	opts.Spares = 1
	r := newRig(t, mem(), opts)
	r.put("one")
	check(t, r.Close())
	ctx := t.Context()
	_, err := r.Append(ctx, 1, records("two"))
	for name, err := range map[string]error{"append": err, "sync": r.Sync(ctx), "rotate": r.Rotate(ctx), "trim": r.Trim(ctx, 1), "prepare": r.Prepare(ctx, nil), "close": r.Close()} {
		if fault.KindOf(err) != fault.ErrClosed {
			t.Errorf("%s: %v", name, err)
		}
	}
	if r.WantsSpare() {
		t.Error("wants a spare")
	}
	equal(t, "read", list(r.Read(ctx, 1)).payloads, []string{"one"})
}

// TestFailedSync: its waiter learns that nobody knows, everybody behind that the
// log has stopped; nothing more is written, not even a seal.
func TestFailedSync(t *testing.T) { both(t, testFailedSync) }

func testFailedSync(t *testing.T, c Codec) {
	for _, then := range []string{"append", "rotate", "close"} {
		m := mem()
		armed := false
		inj := vfs.When(func(op vfs.Op) bool { return armed && op.Kind == vfs.OpSync }, vfs.Nth(1, fault.ErrIO))
		r := newRig(t, vfs.NewFail(m, inj), tiny(c))
		r.put("one")
		check(t, r.add("two"))
		armed = true
		wantKind(t, r.Sync(t.Context()), fault.ErrAmbiguous)
		before := readFile(t, m, c.SegmentName(1))
		switch then {
		case "append":
			wantKind(t, r.add("three"), fault.ErrPoisoned)
		case "rotate":
			wantKind(t, r.Rotate(t.Context()), fault.ErrPoisoned)
		}
		wantKind(t, r.Sync(t.Context()), fault.ErrPoisoned)
		wantKind(t, r.Sync(t.Context()), fault.ErrIO) // and why
		equal(t, "read", list(r.Read(t.Context(), 1)).payloads, []string{"one"})
		if got := list(r.Follow(t.Context(), 1)); !errors.Is(got.err, fault.ErrPoisoned) || len(got.seqs) != 1 {
			t.Errorf("follow: %v, %v", got.seqs, got.err)
		}
		wantKind(t, r.Close(), fault.ErrPoisoned)
		if string(readFile(t, m, c.SegmentName(1))) != string(before) {
			t.Errorf("%s: something was written after the failed sync", then)
		}
		if d, ok := mark(t, m); !ok || d.Seq != 1 {
			t.Errorf("log/durable: %+v %v", d, ok)
		}
	}
}

// TestStop ends writing because of a failure elsewhere.
func TestStop(t *testing.T) { both(t, testStop) }

func testStop(t *testing.T, c Codec) {
	r := newRig(t, mem(), tiny(c))
	r.put("one")
	r.Fail(errors.New("elsewhere"))
	wantKind(t, r.add("two"), fault.ErrPoisoned)
	if err := r.Close(); !errors.Is(err, fault.ErrPoisoned) || !strings.Contains(err.Error(), "elsewhere") {
		t.Error(err)
	}
	if _, segments := onDisk(t, r.fs); segments[0].Sealed {
		t.Error("it was sealed")
	}
}

// TestNoSpaceAnywhere lets each disk operation of a small life find no space, once,
// before or in the middle of it, and says what may follow: no error; an error after
// which nothing of the group is readable and the log goes on; or ErrAmbiguous,
// after which the log has stopped. What was acknowledged is there in any case.
func TestNoSpaceAnywhere(t *testing.T) { both(t, testNoSpaceAnywhere) }

func testNoSpaceAnywhere(t *testing.T, c Codec) {
	for name, cause := range map[string]error{"before": fault.ErrNoSpace, "short": vfs.Short(fault.ErrNoSpace)} {
		for _, grow := range []int64{0, 2048} {
			n := 1
			for noSpaceAt(t, c, fmt.Sprint(name, " ", grow), grow, vfs.Nth(n, cause)) {
				n++
			}
			if n < 40 {
				t.Errorf("only %d operations", n)
			}
		}
	}
}

func noSpaceAt(t *testing.T, c Codec, name string, grow int64, inj vfs.Injector) bool {
	m := mem()
	armed, hit := false, ""
	fail := vfs.NewFail(m, vfs.InjectorFunc(func(op vfs.Op) error {
		if !armed || !vfs.OnChange()(op) {
			return nil
		}
		err := inj.Fail(op)
		if err != nil {
			hit = op.String()
		}
		return err
	}))
	opts := tiny(c)
	opts.Spares, opts.Grow = 1, grow
	r := newRig(t, fail, opts)
	armed = true
	var want []string
	stopped := false
	for i := 0; i < 8 && !stopped; i++ {
		for try := 0; try < 2; try++ {
			p := fmt.Sprintf("%d %d %s", i, try, strings.Repeat("x", 600))
			err := r.add(p)
			if err == nil {
				want = append(want, p)
				err = r.Sync(t.Context())
			} else if got, _ := onDisk(t, m); !errors.Is(err, fault.ErrAmbiguous) && !slices.Equal(got, want) {
				t.Fatalf("%s %s: answered %v, and %d are readable, not %d", name, hit, err, len(got), len(want))
			}
			if err == nil {
				break
			}
			if stopped = errors.Is(err, fault.ErrAmbiguous); stopped {
				wantKind(t, r.add("more"), fault.ErrPoisoned)
				break
			}
			if try > 0 || !errors.Is(err, fault.ErrNoSpace) {
				t.Fatalf("%s %s: try %d: %v", name, hit, try, err)
			}
		}
		if err := r.Prepare(t.Context(), nil); err != nil && !errors.Is(err, fault.ErrNoSpace) && !stopped {
			if stopped = errors.Is(err, fault.ErrPoisoned); !stopped {
				t.Fatalf("%s %s: prepare: %v", name, hit, err)
			}
		}
		if err := r.add(); errors.Is(err, fault.ErrPoisoned) {
			stopped = true
		}
	}
	err := r.Close()
	if err != nil && hit == "" {
		t.Fatal(err)
	}
	got, segments := onDisk(t, m)
	if !slices.Equal(got, want) {
		t.Fatalf("%s %s: %d payloads on disk, %d acknowledged", name, hit, len(got), len(want))
	}
	if last := segments[len(segments)-1]; err == nil && !last.Sealed {
		t.Fatalf("%s %s: closed without a seal", name, hit)
	}
	return hit != ""
}

// TestNoSpaceWhereFull: those who delete go into the segment at hand where there is
// no room for the next file. Not so where that segment is sealed already, nor where
// ending it met a failed sync: then the log stops, a full disk or not.
func TestNoSpaceWhereFull(t *testing.T) {
	for _, c := range []struct {
		at   string // what finds no space
		kind vfs.OpKind
		n    int
		want *fault.Kind
	}{
		{"the next file", vfs.OpCreate, 1, nil},
		{"its header", vfs.OpSync, 1, nil},
		{"what was written", vfs.OpSync, 2, fault.ErrAmbiguous},
		{"log/durable", vfs.OpWrite, 2, nil},
		{"the seal", vfs.OpWrite, 3, fault.ErrNoSpace},
		{"the sync of the seal", vfs.OpSync, 3, fault.ErrAmbiguous},
		{"the new name", vfs.OpRename, 1, fault.ErrNoSpace},
		{"its directory", vfs.OpSyncDir, 1, fault.ErrAmbiguous},
	} {
		t.Run(c.at, func(t *testing.T) {
			m := mem()
			armed := false
			fail := vfs.NewFail(m, vfs.When(func(op vfs.Op) bool { return armed && op.Kind == c.kind }, vfs.Nth(c.n, fault.ErrNoSpace)))
			opts := tiny(Binary)
			opts.SegmentSize, opts.Grow, opts.Reserve = 16<<10, 1<<20, 2<<10
			r := newRig(t, fail, opts)
			check(t, r.add(strings.Repeat("x", 16000))) // more than a segment, and room for deletes behind it
			armed = true
			frees := record("frees")
			frees.Frees = true
			_, err := r.Append(t.Context(), 1, []Record{frees})
			if fail.Injected() != 1 {
				t.Fatal("nothing failed")
			}
			if c.want == nil {
				check(t, err)
			} else {
				wantKind(t, err, c.want)
			}
			if c.want == fault.ErrAmbiguous {
				wantKind(t, r.Sync(t.Context()), fault.ErrPoisoned)
			} else {
				check(t, r.Close())
				if left := names(t, m); strings.HasPrefix(left[len(left)-1], "spare") {
					t.Errorf("%s is left", left[len(left)-1])
				}
			}
			if payloads, _ := onDisk(t, m); len(payloads) > 1 != (c.want == nil) {
				t.Errorf("%d batches in the log", len(payloads))
			}
		})
	}
}

// TestZerosAhead: behind every group stands room for the seal, and for those who delete
// where the group does not; where there is no room for more zeros there are none, and
// those that were half written go.
func TestZerosAhead(t *testing.T) {
	m := mem()
	writes := 0
	short := false
	fail := vfs.NewFail(m, vfs.InjectorFunc(func(op vfs.Op) error {
		if op.Kind != vfs.OpWrite || op.Name == DurableName {
			return nil
		}
		if writes++; short && op.Len > sealSize {
			return vfs.Short(fault.ErrNoSpace)
		}
		return nil
	}))
	opts := tiny(Binary)
	opts.SegmentSize, opts.Grow, opts.Reserve = 64<<10, 8<<10, 2<<10
	r := newRig(t, fail, opts)
	for i := range 40 {
		rec := record(strings.Repeat("x", 100*i))
		rec.Frees = i%2 == 1
		last, err := r.Append(t.Context(), r.last, []Record{rec})
		check(t, err)
		r.last = last
		if a := r.active; a.size < a.off+r.spared(rec.Frees) || int64(len(readFile(t, m, a.name))) != a.size {
			t.Fatalf("group %d ends at %d, the file at %d, said to be %d", i, a.off, len(readFile(t, m, a.name)), a.size)
		}
	}
	frees := record("")
	frees.Frees = true
	for r.active.off+2*sealSize <= r.active.size { // all room but for the seal
		last, err := r.Append(t.Context(), r.last, []Record{frees})
		check(t, err)
		r.last = last
	}
	short = true
	size := r.active.size
	wantKind(t, r.add(strings.Repeat("x", 3000)), fault.ErrNoSpace)
	if got := int64(len(readFile(t, m, r.active.name))); got != size || r.active.size != size {
		t.Errorf("%d bytes after zeros that failed, before %d", got, size)
	}
	writes = 0
	_, err := r.Append(t.Context(), r.last, []Record{frees}) // the zeros ahead fail, those it needs do not
	if check(t, err); writes != 3 || r.active.size != size+sealSize {
		t.Errorf("%d writes, %d bytes", writes, r.active.size-size)
	}
	check(t, r.Close())
}

// TestFirstGroupFails: a segment whose first group could not be written is no segment:
// ending it leaves nothing.
func TestFirstGroupFails(t *testing.T) { both(t, testFirstGroupFails) }

func testFirstGroupFails(t *testing.T, c Codec) {
	for _, end := range []string{"close", "rotate", "go on"} {
		armed := true
		m := mem()
		r := newRig(t, vfs.NewFail(m, vfs.When(func(op vfs.Op) bool {
			return armed && op.Kind == vfs.OpWrite && op.Offset > 0
		}, vfs.Always(fault.ErrNoSpace))), tiny(c))
		wantKind(t, r.add("one"), fault.ErrNoSpace)
		armed = false
		equal(t, "names", names(t, m), []string{base(c, 1), "durable"})
		left := []string{}
		switch end {
		case "rotate":
			check(t, r.Rotate(t.Context()))
			equal(t, "rotated", names(t, m), []string{"durable"})
		case "go on":
			r.put("one")
			left = []string{base(c, 1)}
		}
		check(t, r.Close())
		equal(t, end, names(t, m), left)
	}
}

// TestLogDirGone: where log/ has gone nothing can be made, and the log stops.
func TestLogDirGone(t *testing.T) { both(t, testLogDirGone) }

func testLogDirGone(t *testing.T, c Codec) {
	m := mem()
	r := newRig(t, m, tiny(c))
	check(t, errors.Join(m.Remove(DurableName), m.Remove(Dir)))
	wantKind(t, r.add("one"), fault.ErrAmbiguous)
	wantKind(t, r.add("one"), fault.ErrPoisoned)
}

// TestHeaderNotSynced: a failed sync ends the log, of a header that has no name yet too.
func TestHeaderNotSynced(t *testing.T) { both(t, testHeaderNotSynced) }

func testHeaderNotSynced(t *testing.T, c Codec) {
	r := newRig(t, vfs.NewFail(mem(), vfs.When(vfs.OnKind(vfs.OpSync), vfs.Nth(1, fault.ErrIO))), tiny(c))
	wantKind(t, r.add("one"), fault.ErrAmbiguous)
	wantKind(t, r.add("one"), fault.ErrPoisoned)
}

// TestNotTakenBack: where a half-written group cannot be taken back durably, the
// log stops and nobody is told that nothing was written.
func TestNotTakenBack(t *testing.T) { both(t, testNotTakenBack) }

func testNotTakenBack(t *testing.T, c Codec) {
	for _, kind := range []vfs.OpKind{vfs.OpTruncate, vfs.OpSync} {
		m := mem()
		armed := false
		on := func(k vfs.OpKind) func(vfs.Op) bool {
			return func(op vfs.Op) bool { return armed && op.Kind == k }
		}
		fail := vfs.NewFail(m, vfs.Any(vfs.When(on(vfs.OpWrite), vfs.Nth(1, vfs.Short(fault.ErrNoSpace))), vfs.When(on(kind), vfs.Always(fault.ErrIO))))
		r := newRig(t, fail, tiny(c))
		r.put("one")
		armed = true
		err := r.add("two", "three")
		wantKind(t, err, fault.ErrAmbiguous)
		wantKind(t, err, fault.ErrNoSpace) // the first cause is kept
		wantKind(t, r.add("two"), fault.ErrPoisoned)
		wantKind(t, r.Close(), fault.ErrPoisoned)
	}
}

// TestGroupSize: a group is never larger than rotation reckons.
func TestGroupSize(t *testing.T) { both(t, testGroupSize) }

func testGroupSize(t *testing.T, c Codec) {
	spell := c.spelling()
	for _, sizes := range [][]int{{0}, {1}, {440}, {441}, {7, 8, 9}, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, {4000}} {
		var recs []Record
		for _, n := range sizes {
			recs = append(recs, record(strings.Repeat("x", n)))
		}
		h := head(1)
		g := &group{after: 1<<64 - 100, synced: 1<<64 - 100, records: recs, texts: spell.texts(recs, nil)}
		b, _ := spell.appendGroup(nil, g, spot{h.salt(), 512})
		if got := spell.size(g); got < int64(len(b)) || got > int64(len(b)+len(sizes)*lineHead) {
			t.Errorf("%v: %d bytes are written, %d were expected", sizes, len(b), got)
		}
	}
}

// TestReferences: a record that refers to a batch object adds that object to the chain.
func TestReferences(t *testing.T) { both(t, testReferences) }

func testReferences(t *testing.T, c Codec) {
	payload := batch.AppendRef(nil, batch.Ref{Digest: batch.Digest{1}, Length: 99})
	r := newRig(t, mem(), tiny(c))
	rec := batch.NewRecord(payload)
	rec.Flags, rec.Hash = batch.FlagRef, batch.Digest{1}
	_, err := r.Append(t.Context(), 0, []Record{rec})
	check(t, err)
	check(t, r.Sync(t.Context()))
	want := Chain{}.Next(batch.Digest{1})
	for e, err := range r.Read(t.Context(), 1) {
		check(t, err)
		if e.Flags != batch.FlagRef || e.Chain != want || string(e.Payload) != string(payload) {
			t.Errorf("%+v", e)
		}
	}
	check(t, r.Close())
}

// TestLogSwapped: where log/ was moved away and another put in its place, the next
// segment does not go into that one.
func TestLogSwapped(t *testing.T) { both(t, testLogSwapped) }

func testLogSwapped(t *testing.T, c Codec) {
	for name, swap := range map[string]func(dir string) error{
		"empty": func(dir string) error { return os.Mkdir(filepath.Join(dir, Dir), 0o700) },
		"none":  func(string) error { return nil },
		"another": func(dir string) error {
			h := head(1)
			return errors.Join(os.Mkdir(filepath.Join(dir, Dir), 0o700), os.WriteFile(filepath.Join(dir, c.SegmentName(1)), h.encode(), 0o600))
		},
	} {
		dir := t.TempDir()
		fsys, err := vfs.OpenOS(dir)
		check(t, err)
		r := newRig(t, fsys, tiny(c))
		r.fill(3)
		check(t, os.Rename(filepath.Join(dir, Dir), filepath.Join(dir, "away")))
		check(t, swap(dir))
		if err := r.add(strings.Repeat("x", 600)); !errors.Is(err, fault.ErrAmbiguous) {
			t.Fatalf("%s: %v", name, err)
		}
		wantKind(t, r.add("more"), fault.ErrPoisoned)
		wantKind(t, r.Close(), fault.ErrPoisoned)
		if found, err := os.ReadDir(filepath.Join(dir, Dir)); err == nil && len(found) > 1 {
			t.Errorf("%s: written into it: %v", name, found)
		}
	}
}
