package wal

import (
	"bytes"
	"testing"

	"github.com/vlogdb/vlog/internal/fault"
)

// TestReadEnds: header and seal are those that a scan finds; whatever bit of the last
// sector is turned over, they are never others.
func TestReadEnds(t *testing.T) {
	m, name := build(head(77), true, threeGroups(0)...), Binary.SegmentName(1)
	at := func(b []byte) (Ends, error) {
		fsys := dirOnly(t)
		writeFile(t, fsys, name, b)
		return ReadEnds(Place{FS: fsys, Name: name, Store: ours})
	}
	want, err := at(m.bytes)
	check(t, err)
	fsys := dirOnly(t)
	writeFile(t, fsys, name, m.bytes)
	seg, err := Scan(t.Context(), Place{FS: fsys, Name: name, Store: ours}, nil)
	check(t, err)
	if !want.Sealed || want.Last != seg.Last || want.Chain != seg.ChainEnd || want.Header != seg.Header || want.Size != seg.Size {
		t.Fatalf("%+v, scanned %+v", want, seg)
	}
	for bit := range 8 * sector {
		b := bytes.Clone(m.bytes)
		b[len(b)-sector+bit/8] ^= 1 << (bit % 8)
		if got, err := at(b); err != nil || got.Sealed && got != want {
			t.Fatalf("bit %d: %+v, %v", bit, got, err)
		}
	}
	for n := range len(m.bytes) {
		got, err := at(m.bytes[:n])
		if n < HeaderSize {
			wantKind(t, err, fault.ErrCorrupt)
		} else if err != nil || got.Sealed {
			t.Fatalf("%d bytes: %+v, %v", n, got, err)
		}
	}
	wrong := frames{}.appendSeal(bytes.Clone(m.bytes[:m.seal]), &group{after: m.last, chain: m.chain}, 99, sealPlace{want.Header.salt(), m.seal, 1})
	if got, err := at(wrong); err != nil || got.Sealed {
		t.Fatalf("a seal of another number of frames: %+v, %v", got, err)
	}
}

// TestReadEndsOfLines is that for lines.
func TestReadEndsOfLines(t *testing.T) {
	b, at := buildLines(head(77), true, fourLines(1)...)
	read := func(b []byte) (Ends, error) {
		fsys := dirOnly(t)
		writeFile(t, fsys, NDJSON.SegmentName(1), b)
		return ReadEnds(Place{FS: fsys, Name: NDJSON.SegmentName(1), Store: ours})
	}
	seg, err := scanLines(t, b)
	check(t, err)
	want, err := read(b)
	check(t, err)
	if !want.Sealed || want.Last != seg.Last || want.Chain != seg.ChainEnd || want.Header != seg.Header || want.Size != seg.Size {
		t.Fatalf("%+v, scanned %+v", want, seg)
	}
	for i := int(at[5]); i < len(b); i++ {
		bad := bytes.Clone(b)
		bad[i] ^= 1
		if got, err := read(bad); err != nil || got.Sealed {
			t.Fatalf("byte %d: %+v, %v", i, got, err)
		}
	}
	for n := range b {
		got, err := read(b[:n])
		if n < int(at[1]) {
			wantKind(t, err, fault.ErrCorrupt)
		} else if err != nil || got.Sealed {
			t.Fatalf("%d bytes: %+v, %v", n, got, err)
		}
	}
}

// TestScanTo: what stands behind the batch is as if it was not there.
func TestScanTo(t *testing.T) {
	m, name := build(head(77), true, threeGroups(0)...), Binary.SegmentName(1)
	fsys := dirOnly(t)
	writeFile(t, fsys, name, m.bytes)
	place := Place{FS: fsys, Name: name, Store: ours}
	whole, err := Scan(t.Context(), place, nil)
	check(t, err)
	for last := whole.Header.First; last <= whole.Last; last++ {
		n := 0
		seg, err := ScanTo(t.Context(), place, last, func(Entry, int64) error {
			n++
			return nil
		})
		check(t, err)
		if seg.Last != last || seg.Sealed || seg.Bad != nil || seg.End >= whole.End || n != int(last-whole.Header.First)+1 || seg.Frames != uint64(n) {
			t.Fatalf("to %v: %+v", last, seg)
		}
	}
	seg, err := ScanTo(t.Context(), place, whole.Last+1, nil)
	check(t, err)
	if !seg.Sealed || seg.Last != whole.Last {
		t.Fatalf("behind the end: %+v", seg)
	}
}

// TestReadEndsOfLog: of every segment that a log leaves, under each codec, the ends are
// those that a scan finds; while it is written there is no seal, and a damaged one is none.
func TestReadEndsOfLog(t *testing.T) { both(t, testReadEndsOfLog) }

func testReadEndsOfLog(t *testing.T, c Codec) {
	r := newRig(t, mem(), tiny(c))
	r.fill(10)
	sealed := 0
	_, segments := onDisk(t, r.fs)
	for i, seg := range segments {
		place := Place{FS: r.fs, Name: seg.Name, Store: ours}
		e, err := ReadEnds(place)
		check(t, err)
		if e.Header != seg.Header || e.Size != seg.Size || e.Sealed != seg.Sealed || e.Sealed && (e.Last != seg.Last || e.Chain != seg.ChainEnd) {
			t.Fatalf("%s: %+v, scanned %+v", seg.Name, e, seg)
		}
		if e.Sealed == (i == len(segments)-1) {
			t.Fatalf("%s: sealed %v", seg.Name, e.Sealed)
		}
		if !e.Sealed {
			continue
		}
		sealed++
		b := readFile(t, r.fs, seg.Name)
		for off := len(b) - 200; off < len(b); off++ {
			b[off] ^= 4
			writeFile(t, r.fs, seg.Name, b)
			if got, err := ReadEnds(place); err != nil || got.Sealed && got != e {
				t.Fatalf("%s, byte %d of %d: %+v, %v", seg.Name, off, len(b), got, err)
			}
			b[off] ^= 4
		}
		writeFile(t, r.fs, seg.Name, b)
	}
	if sealed < 2 {
		t.Errorf("%d segments ended", sealed)
	}
	check(t, r.Close())
}
