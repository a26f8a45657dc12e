package wal

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

// scanBytes scans a hand-made first segment.
func scanBytes(t testing.TB, b []byte) (*Segment, error) {
	t.Helper()
	fsys := mem()
	check(t, fsys.Mkdir(Dir))
	writeFile(t, fsys, Binary.SegmentName(1), b)
	return Scan(t.Context(), Place{fsys, Binary.SegmentName(1), ours}, nil)
}

// verdict says in a word how the frames of a segment end.
func verdict(s *Segment) string {
	switch {
	case s.Sealed:
		return "sealed"
	case s.Synced > s.Last:
		return "damaged"
	case s.Bad != nil:
		return "torn"
	}
	return "end"
}

func flip(off int64) func([]byte) []byte {
	return func(b []byte) []byte {
		b[off] ^= 0x10
		return b
	}
}

func zero(from, to int64) func([]byte) []byte {
	return func(b []byte) []byte {
		clear(b[from:to])
		return b
	}
}

// behind adds bytes at the end.
func behind(tail []byte) func([]byte) []byte {
	return func(b []byte) []byte { return append(b, tail...) }
}

func garbage(n int) []byte {
	b := make([]byte, n)
	next := counting()
	for i := range b {
		b[i] = byte(next() >> 56)
	}
	return b
}

// threeGroups are #1, then #2 and #3, then #4 to #6, which reach over sectors and
// say that the log was synced up to proven.
func threeGroups(proven Seq) []grouped {
	long := strings.Repeat("l", 700)
	return []grouped{{0, []string{"one"}}, {min(1, proven), []string{"two", "three"}}, {proven, []string{long, long, long}}}
}

// TestTornOrDamaged is the rule: what does not check out is a torn tail, unless
// something behind it proves that it was durable.
func TestTornOrDamaged(t *testing.T) {
	open, sealed, lazy := build(head(7), false, threeGroups(3)...), build(head(7), true, threeGroups(3)...), build(head(7), false, threeGroups(0)...)
	other := build(head(8), false, threeGroups(3)...)
	at := open.at
	end := int64(len(open.bytes))
	for _, c := range []struct {
		name   string
		of     *made
		change func([]byte) []byte
		want   string
		last   Seq
		bad    int64 // offset of Bad
	}{
		{"nothing wrong", open, behind(nil), "end", 6, 0},
		{"sealed", sealed, behind(nil), "sealed", 6, 0},
		{"last payload", open, flip(at[6] + 50), "torn", 5, at[6]},
		{"last header", open, flip(at[6] + 5), "end", 5, 0},
		{"first of the last group", open, flip(at[4] + 80), "torn", 3, at[4]},
		{"first header of the last group", open, flip(at[4] + 5), "torn", 3, open.ends[3] + (8-open.ends[3]%8)%8},
		{"chain value of the last group", open, flip(at[4] + 41), "torn", 3, open.ends[3] + (8-open.ends[3]%8)%8},
		{"payload that the last group proves", open, flip(at[2] + 73), "damaged", 1, at[2]},
		{"header that the last group proves", open, flip(at[2] + 9), "damaged", 1, open.ends[1] + (8-open.ends[1]%8)%8},
		{"second in the group", open, flip(at[3] + 41), "damaged", 2, at[3]},
		{"very first header", open, flip(at[1]), "damaged", 0, 512},
		{"payload that nobody proves", lazy, flip(at[2] + 73), "torn", 1, at[2]},
		{"header that nobody proves", lazy, flip(at[2] + 9), "torn", 1, open.ends[1] + (8-open.ends[1]%8)%8},
		{"last payload under a seal", sealed, flip(at[6] + 50), "damaged", 5, at[6]},
		{"last header under a seal", sealed, flip(at[6] + 5), "damaged", 5, open.ends[5] + (8-open.ends[5]%8)%8},
		{"seal's count", sealed, flip(sealed.seal + 72), "torn", 6, sealed.seal},
		{"seal's header", sealed, flip(sealed.seal + 8), "end", 6, 0},
		{"seal cut short", sealed, func(b []byte) []byte { return b[:len(b)-1] }, "torn", 6, sealed.seal},
		{"zero tail", open, behind(make([]byte, 3000)), "end", 6, 0},
		{"garbage tail", open, behind(garbage(3000)), "end", 6, 0},
		{"zeros behind the seal", sealed, behind(make([]byte, 3000)), "sealed", 6, 0},
		{"lost first sector, later ones kept", open, zero(at[4], at[4]+512), "torn", 3, open.ends[3] + (8-open.ends[3]%8)%8},
		{"lost group, proven", open, zero(at[2], at[2]+512), "damaged", 1, open.ends[1] + (8-open.ends[1]%8)%8},
		{"tail twice", open, behind(open.bytes[at[4]:]), "end", 6, 0},
		{"rest moved up", open, func(b []byte) []byte { return slices.Delete(b, int(at[2]), int(at[2])+512) }, "end", 1, 0},
		{"frames of another epoch behind", open, func(b []byte) []byte { return append(b, other.bytes[end-1024:]...) }, "end", 6, 0},
		{"frames of another epoch at their own place", build(head(7), false, threeGroups(3)[:2]...), func(b []byte) []byte { return append(b, other.bytes[len(b):]...) }, "end", 3, 0},
		{"frames of the same epoch at their own place", build(head(7), false, threeGroups(3)[:1]...), func(b []byte) []byte { return append(append(b, make([]byte, 512)...), open.bytes[len(b)+512:]...) }, "damaged", 1, open.ends[1] + (8-open.ends[1]%8)%8},
	} {
		seg, err := scanBytes(t, c.change(bytes.Clone(c.of.bytes)))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		bad := int64(0)
		if seg.Bad != nil {
			bad = seg.Bad.Offset
			if seg.Bad.Want != seg.Last+1 && !(seg.Bad.Want == 7 && seg.Last == 6) {
				t.Errorf("%s: wants #%d behind #%d", c.name, seg.Bad.Want, seg.Last)
			}
		}
		if got := verdict(seg); got != c.want || seg.Last != c.last || bad != c.bad {
			t.Errorf("%s: %s behind %v, bad at %d; want %s behind %v, bad at %d", c.name, got, seg.Last, bad, c.want, c.last, c.bad)
		}
		if seg.Frames != uint64(seg.Last) || seg.Size < seg.End {
			t.Errorf("%s: %d frames, size %d, end %d", c.name, seg.Frames, seg.Size, seg.End)
		}
	}
}

// TestCutAtEveryByte cuts a segment at every byte: what is whole stays, and what
// follows is a torn tail where a whole header of it is left.
func TestCutAtEveryByte(t *testing.T) {
	m := build(head(7), true, threeGroups(3)...)
	headOf := func(seq Seq) int64 {
		if seq == 1 || seq == 2 || seq == 4 {
			return 72
		}
		return 40
	}
	for n := range m.bytes {
		seg, err := scanBytes(t, bytes.Clone(m.bytes[:n]))
		if n < 512 {
			wantKind(t, err, fault.ErrCorrupt)
			continue
		}
		check(t, err)
		last, next := Seq(0), int64(0) // next: where the header behind the last whole frame ends
		for last < 6 && m.ends[last+1] <= int64(n) {
			last++
		}
		if next = m.seal + 72; last < 6 {
			next = m.at[last+1] + headOf(last+1)
		}
		want := "end"
		if next <= int64(n) {
			want = "torn"
		}
		if got := verdict(seg); got != want || seg.Last != last {
			t.Fatalf("cut at %d: %s behind %v, want %s behind %v", n, got, seg.Last, want, last)
		}
	}
}

// TestEveryFlipShows flips a bit of every byte of a sealed segment: no flip goes
// unnoticed, and no frame behind it is believed.
func TestEveryFlipShows(t *testing.T) {
	m := build(head(7), true, threeGroups(3)...)
	for i := range m.bytes {
		b := bytes.Clone(m.bytes)
		b[i] ^= 1 << (i % 8)
		seg, err := scanBytes(t, b)
		if i < 512 {
			wantKind(t, err, fault.ErrCorrupt)
			continue
		}
		check(t, err)
		inSeal := int64(i) >= m.seal
		switch {
		case seg.Stray == int64(i):
			if seg.Last != 6 || !seg.Sealed {
				t.Fatalf("padding at %d: ends at %v", i, seg.Last)
			}
		case inSeal:
			if seg.Sealed || seg.Last != 6 {
				t.Fatalf("seal at %d: sealed %v, ends at %v", i, seg.Sealed, seg.Last)
			}
		case verdict(seg) != "damaged" || seg.ends(m) > int64(i):
			t.Fatalf("byte %d: %s, ends at %v", i, verdict(seg), seg.Last)
		}
	}
}

// ends is where the good frames of a scan end in m.
func (s *Segment) ends(m *made) int64 {
	if s.Last == 0 {
		return 512
	}
	return m.ends[s.Last]
}

// TestFrameOfTheFuture: what checks out but is not known is refused by name, never
// cut as a tail.
func TestFrameOfTheFuture(t *testing.T) {
	for name, change := range map[string]func(f *frame){
		"kind":  func(f *frame) { f.kind = 3 },
		"flags": func(f *frame) { f.flags |= byte(batch.FlagCompressed) },
		"more":  func(f *frame) { f.flags |= 1 << 5 },
	} {
		m := build(head(7), false, grouped{0, []string{"one"}})
		f := frame{kind: kindBatch, flags: flagOpens, length: 3, seq: 2, sum: batch.Sum([]byte("two")), chain: m.chain}
		change(&f)
		b := append(appendFrame(m.bytes, &f, m.head.salt(), int64(len(m.bytes))), "two"...)
		if _, err := scanBytes(t, b); fault.KindOf(err) != fault.ErrIncompatible {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFramesThatLie have good checksums and do not belong where they stand.
func TestFramesThatLie(t *testing.T) {
	for name, change := range map[string]func(f *frame){
		"seq too high":         func(f *frame) { f.seq = 3 },
		"seq too low":          func(f *frame) { f.seq = 1 },
		"other chain":          func(f *frame) { f.chain[0]++ },
		"longer than the file": func(f *frame) { f.length = 4 },
		"length 1<<31":         func(f *frame) { f.length = 1 << 31 },
		"length 1<<32-1":       func(f *frame) { f.length = 1<<32 - 1 },
		"seal of another seq":  func(f *frame) { f.kind, f.length, f.seq = kindSeal, sealBody, 0 },
		"seal of three bytes":  func(f *frame) { f.kind, f.seq = kindSeal, 1 },
		"payload checksum":     func(f *frame) { f.sum++ },
	} {
		m := build(head(7), false, grouped{0, []string{"one"}})
		f := frame{kind: kindBatch, flags: flagOpens, length: 3, seq: 2, sum: batch.Sum([]byte("two")), chain: m.chain}
		change(&f)
		off := int64(len(m.bytes))
		b := append(appendFrame(m.bytes, &f, m.head.salt(), off), "two"...)
		seg, err := scanBytes(t, b)
		check(t, err)
		if verdict(seg) != "torn" || seg.Last != 1 || seg.Bad.Offset != off {
			t.Errorf("%s: %s behind %v: %+v", name, verdict(seg), seg.Last, seg.Bad)
		}
	}
}

// TestBelongs: a segment of another store, under another name, or that is none.
func TestBelongs(t *testing.T) {
	m := build(head(7), true, threeGroups(3)...)
	fsys := mem()
	check(t, fsys.Mkdir(Dir))
	writeFile(t, fsys, Binary.SegmentName(1), m.bytes)
	writeFile(t, fsys, Binary.SegmentName(2), m.bytes)
	for _, c := range []struct {
		name  string
		store StoreID
		want  *fault.Kind
	}{{Binary.SegmentName(1), ours, nil}, {Binary.SegmentName(1), StoreID{9}, fault.ErrForeign}, {Binary.SegmentName(2), ours, fault.ErrCorrupt}, {Binary.SegmentName(3), ours, fault.ErrNotFound}} {
		_, err := Scan(t.Context(), Place{fsys, c.name, c.store}, nil)
		if fault.KindOf(err) != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
		if _, err := ReadHeader(fsys, c.name, c.store); fault.KindOf(err) != c.want {
			t.Errorf("%s: header: %v", c.name, err)
		}
	}
}

// TestFrom: what has to be written again begins with the group that holds the
// first unproven frame.
func TestFrom(t *testing.T) {
	m := build(head(7), false, threeGroups(1)...)
	seg, err := scanBytes(t, m.bytes)
	check(t, err)
	for proven, want := range map[Seq]int64{1: m.at[2], 2: m.at[2], 3: m.at[4], 4: m.at[4], 5: m.at[4], 6: 0, 7: 0} {
		if got := seg.From(proven); got != want {
			t.Errorf("from %v: %d, want %d", proven, got, want)
		}
	}
}

// TestMend finishes an unsealed segment; the bytes are those of a clean close, and
// mending what was mended changes nothing.
func TestMend(t *testing.T) {
	open, sealed := build(head(7), false, threeGroups(3)...), build(head(7), true, threeGroups(3)...)
	for name, tail := range map[string][]byte{"nothing": nil, "zeros": make([]byte, 2000), "garbage": garbage(2000)} {
		fsys := mem()
		check(t, fsys.Mkdir(Dir))
		writeFile(t, fsys, Binary.SegmentName(1), append(bytes.Clone(open.bytes), tail...))
		for range 2 {
			seg, err := Scan(t.Context(), Place{fsys, Binary.SegmentName(1), ours}, nil)
			check(t, err)
			if !seg.Sealed {
				k, err := Mend(fsys, seg, seg.From(3), 9)
				check(t, err)
				if k != (Kept{First: 1, Last: 6, Epoch: 7, Size: int64(len(sealed.bytes))}) {
					t.Fatalf("%+v", k)
				}
			} else {
				check(t, Reseal(fsys, seg))
			}
			if got := readFile(t, fsys, Binary.SegmentName(1)); !bytes.Equal(got, sealed.bytes) {
				t.Fatalf("%s behind it: %d bytes, not those of a clean close", name, len(got))
			}
		}
	}
}

// TestMendLong writes frames again that are longer than one step, and nothing else.
func TestMendLong(t *testing.T) {
	opts := tiny(Binary)
	opts.SegmentSize = 8 << 20
	r := newRig(t, mem(), opts)
	for range 4 {
		r.put(strings.Repeat("x", windowSize/2+1000))
	}
	seg, err := Scan(t.Context(), Place{r.fs, Binary.SegmentName(1), ours}, nil)
	check(t, err)
	before := readFile(t, r.fs, Binary.SegmentName(1))
	_, err = Mend(r.fs, seg, HeaderSize, 9)
	check(t, err)
	if got := readFile(t, r.fs, Binary.SegmentName(1)); seg.Last != 4 || !bytes.Equal(got[:seg.Space()], before[:seg.Space()]) {
		t.Errorf("other bytes, behind %v", seg.Last)
	}
}

// TestScanInterrupted: the context ends the look for frames behind the last one, where
// a file may go on for very long; it is no damage.
func TestScanInterrupted(t *testing.T) {
	r := newRig(t, mem(), tiny(Binary))
	r.put("one")
	f, err := r.fs.Open(Binary.SegmentName(1), vfs.ReadWrite)
	check(t, err)
	check(t, f.Truncate(8<<30))
	check(t, f.Close())
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	reads := 0
	fsys := vfs.NewFail(r.fs, vfs.InjectorFunc(func(op vfs.Op) error {
		if op.Kind == vfs.OpRead {
			if reads++; reads == 5 {
				cancel(enough)
			}
		}
		return nil
	}))
	if _, err := Scan(ctx, Place{fsys, Binary.SegmentName(1), ours}, nil); !errors.Is(err, enough) || fault.KindOf(err) != nil || reads > 6 {
		t.Errorf("%v behind %d reads", err, reads)
	}
}

// TestLongestFrame: a length that no record has is not believed, however long the file is.
func TestLongestFrame(t *testing.T) {
	h := head(1)
	f := frame{kind: kindBatch, flags: flagOpens, length: batch.MaxRecord + 1, seq: 1}
	m := mem()
	check(t, m.Mkdir(Dir))
	file, err := m.Open(Binary.SegmentName(1), vfs.CreateNew)
	check(t, err)
	_, err = file.WriteAt(appendFrame(h.encode(), &f, h.salt(), HeaderSize), 0)
	check(t, errors.Join(err, file.Truncate(3<<30), file.Close()))
	reads := int64(0)
	fsys := vfs.NewFail(m, vfs.InjectorFunc(func(op vfs.Op) error {
		if op.Kind == vfs.OpRead {
			if reads = max(reads, op.Len); op.Offset > 1<<28 {
				return fault.ErrIO // seen enough
			}
		}
		return nil
	}))
	_, err = Scan(t.Context(), Place{fsys, Binary.SegmentName(1), ours}, nil)
	wantKind(t, err, fault.ErrIO)
	if reads > windowSize {
		t.Errorf("%d bytes are read at once", reads)
	}
}

// TestDenied: a batch in the place of another, with all its checksums right, is denied
// by the group or the seal behind it; nothing that a crash leaves is.
func TestDenied(t *testing.T) { both(t, testDenied) }

func testDenied(t *testing.T, c Codec) {
	good, at := sealedGroups(c, "one", "two", "six")
	scan := func(b []byte) *Segment {
		fsys := mem()
		check(t, fsys.Mkdir(Dir))
		writeFile(t, fsys, c.SegmentName(1), b)
		seg, err := Scan(t.Context(), Place{fsys, c.SegmentName(1), ours}, nil)
		check(t, err)
		return seg
	}
	for i := range 3 {
		other := []string{"one", "two", "six"}
		other[i] = "tri"
		theirs, _ := sealedGroups(c, other...)
		b := slices.Concat(good[:at[i]], theirs[at[i]:at[i+1]], good[at[i+1]:])
		if seg := scan(b); seg.Bad == nil || !seg.Bad.Denied || seg.Bad.Offset != int64(at[i+1]) || int(seg.Last) != i+1 {
			t.Errorf("batch %d: %+v behind %v, want it denied at %d", i+1, seg.Bad, seg.Last, at[i+1])
		}
	}
	for n := range good {
		if seg := scan(append(bytes.Clone(good[:max(n, at[0])]), "{torn"...)); seg.Bad != nil && seg.Bad.Denied {
			t.Fatalf("cut at %d: %+v", n, seg.Bad)
		}
	}
}

// sealedGroups makes a sealed segment of one batch a group, and where they stand.
func sealedGroups(c Codec, payloads ...string) (b []byte, at []int) {
	h, spell := head(7), c.spelling()
	b = spell.header(&h)
	last, chain := h.First-1, h.Chain
	for _, p := range payloads {
		at = append(at, len(b))
		recs := records(p)
		b, chain = spell.appendGroup(b, &group{after: last, chain: chain, records: recs, texts: spell.texts(recs, nil)}, spot{h.salt(), int64(len(b))})
		last++
	}
	at = append(at, len(b))
	return spell.appendSeal(b, &group{after: last, chain: chain, synced: last}, uint64(len(payloads)), sealPlace{h.salt(), int64(len(b)), 9}), at
}
