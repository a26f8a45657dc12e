package wal

import (
	"testing"

	"github.com/vlogdb/vlog/fuzz/cost"
	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
)

// scanCost is what reading n bytes of a segment may allocate, whatever they say.
func scanCost(n int) int { return 64*n + 8<<20 }

// fromDisk says whether an error is one that bytes on disk may cause.
func fromDisk(err error) bool {
	k := fault.KindOf(err)
	return k == fault.ErrCorrupt || k == fault.ErrForeign || k == fault.ErrIncompatible
}

// segmentOf puts bytes in the place of a segment, raw or behind a good header, also
// with the checksums put right.
func segmentOf(t *testing.T, c Codec, b []byte, right bool) Place {
	if right && c == NDJSON {
		b = sumsPutRight(b)
	} else if right {
		b = putRight(append([]byte{}, b...))
	}
	fsys := dirOnly(t)
	writeFile(t, fsys, c.SegmentName(1), b)
	return Place{fsys, c.SegmentName(1), ours}
}

// addSegments gives a target segments of both codecs to begin with.
func addSegments(f *testing.F) {
	for _, sealed := range []bool{false, true} {
		frames := build(head(7), sealed, threeGroups(3)...).bytes
		lines, _ := buildLines(head(7), sealed, fourLines(1)...)
		for _, right := range []bool{false, true} {
			f.Add(frames, false, right)
			f.Add(lines, true, right)
		}
		f.Add(frames[:len(frames)-512], false, false)
		f.Add(lines[:len(lines)-1], true, false)
	}
}

// FuzzEnds reads the two ends of any bytes: they say what a scan of the whole says,
// wherever that finds nothing wrong.
func FuzzEnds(f *testing.F) {
	addSegments(f)
	f.Fuzz(func(t *testing.T, b []byte, ndjson, right bool) {
		at := segmentOf(t, codecOf(ndjson), b, right)
		var ends Ends
		var err error
		cost.Within(t, scanCost(0), func() { ends, err = ReadEnds(at) })
		if err != nil {
			if !fromDisk(err) {
				t.Fatal(err)
			}
			return
		}
		seg, err := Scan(t.Context(), at, nil)
		whole := err == nil && seg.Bad == nil && seg.Stray == 0 && seg.End == seg.Size
		if whole && seg.Frames > 0 && ends.Sealed != seg.Sealed {
			t.Fatalf("the ends say %+v, the whole %+v", ends, seg)
		}
		if whole && seg.Sealed && ends.Sealed && (ends.Last != seg.Last || ends.Chain != seg.ChainEnd || ends.Header != seg.Header) {
			t.Fatalf("the ends say %+v, the whole %+v", ends, seg)
		}
	})
}

func codecOf(ndjson bool) Codec {
	if ndjson {
		return NDJSON
	}
	return Binary
}

// FuzzRescue takes what checks out from any bytes: in the order of the file, inside it, and
// all that a scan reads is among it.
func FuzzRescue(f *testing.F) {
	addSegments(f)
	f.Fuzz(func(t *testing.T, b []byte, ndjson, right bool) {
		at := segmentOf(t, codecOf(ndjson), b, right)
		found, behind := map[int64]batch.Digest{}, int64(-1)
		var err error
		cost.Within(t, scanCost(len(b)), func() {
			err = Rescue(t.Context(), at, 0, func(e Entry, off int64) error {
				if off <= behind || int(off) >= 2*len(b)+1<<10 || len(e.Payload) > len(b) {
					t.Fatalf("%v of %d bytes at %d", e.Seq, len(e.Payload), off)
				}
				found[off], behind = batch.Hash(e.Payload), off
				return nil
			})
		})
		if err != nil && !fromDisk(err) {
			t.Fatal(err)
		}
		if err != nil {
			return
		}
		if _, err := Scan(t.Context(), at, func(e Entry, off int64) error {
			if found[off] != batch.Hash(e.Payload) {
				t.Fatalf("%v at %d was not rescued", e.Seq, off)
			}
			return nil
		}); err != nil && !fromDisk(err) {
			t.Fatal(err)
		}
	})
}
