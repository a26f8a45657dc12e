package wal

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/vlogdb/vlog/fuzz/cost"
	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/vfs"
)

// FuzzScan reads any bytes as a segment, raw or behind a good header, also with the
// checksums put right, so that lies get further. Whatever they are: the scan ends,
// with frames that follow each other and stay inside the file.
func FuzzScan(f *testing.F) {
	open, sealed := build(head(7), false, threeGroups(3)...), build(head(7), true, threeGroups(3)...)
	f.Add(open.bytes, false, false)
	f.Add(sealed.bytes, false, true)
	f.Add(open.bytes[512:], true, false)
	f.Add(sealed.bytes[512:], true, true)
	f.Add(sealed.bytes[:600], false, false)
	f.Add([]byte("vlog\x00seg"), false, false)
	f.Add([]byte{}, true, false)
	f.Fuzz(func(t *testing.T, b []byte, headed, right bool) {
		if headed {
			h := head(7)
			b = append(h.encode(), b...)
		}
		if right {
			b = putRight(bytes.Clone(b))
		}
		fsys := dirOnly(t)
		writeFile(t, fsys, Binary.SegmentName(1), b)
		next, behind := Seq(1), int64(512)
		var seg *Segment
		var err error
		cost.Within(t, scanCost(len(b)), func() {
			seg, err = Scan(t.Context(), Place{fsys, Binary.SegmentName(1), ours}, func(e Entry, off int64) error {
				if e.Seq != next || off < behind || off%8 != 0 || off+40+int64(len(e.Payload)) > int64(len(b)) {
					t.Fatalf("frame %v at %d with %d bytes", e.Seq, off, len(e.Payload))
				}
				next, behind = next+1, off+40+int64(len(e.Payload))
				return nil
			})
		})
		if err != nil {
			if !fromDisk(err) {
				t.Fatal(err)
			}
			return
		}
		if seg.Last != next-1 || seg.End > seg.Size || seg.End < 512 || seg.Sealed && seg.Bad != nil {
			t.Fatalf("%+v", seg)
		}
		mendAgain(t, fsys, seg)
	})
}

// putRight makes the checksums of everything that begins like a frame hold.
func putRight(b []byte) []byte {
	h := head(7)
	for off := HeaderSize; off+openHead <= len(b); off += frameAlign {
		if b[off] != 'v' || b[off+1] != 'F' {
			continue
		}
		size := frameHead
		if b[off+3]&flagOpens != 0 {
			size = openHead
		}
		if n := int(binary.LittleEndian.Uint32(b[off+4:])); n <= len(b)-off-size {
			binary.LittleEndian.PutUint32(b[off+32:], batch.Sum(b[off+size:][:n]))
		}
		binary.LittleEndian.PutUint32(b[off+36:], frameSum(b[off:off+size], h.salt(), int64(off)))
	}
	return b
}

// mendAgain cuts and mends a segment and scans it again: the same frames, sealed.
func mendAgain(t *testing.T, fsys vfs.FS, seg *Segment) {
	t.Helper()
	if seg.Sealed || seg.Frames == 0 || seg.Stray != 0 {
		return
	}
	check(t, Cut(fsys, seg))
	_, err := Mend(fsys, seg, seg.From(0), 1)
	check(t, err)
	again, err := Scan(t.Context(), Place{fsys, seg.Name, ours}, nil)
	check(t, err)
	if !again.Sealed || again.Last != seg.Last || again.ChainEnd != seg.ChainEnd || again.Bad != nil || again.Stray != 0 || again.Size != again.End {
		t.Fatalf("mended %+v, was %+v", again, seg)
	}
}

// FuzzDurable reads any bytes as log/durable: what is believed is spelled exactly so.
func FuzzDurable(f *testing.F) {
	d := Durable{Store: ours, Boot: BootID("boot"), Segment: 3, Seq: 9}
	f.Add(d.encode())
	f.Add(d.encode()[:63])
	f.Add(append(d.encode(), "more"...))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		fsys := dirOnly(t)
		writeFile(t, fsys, DurableName, b)
		d, ok := mark(t, fsys)
		if ok && !bytes.HasPrefix(b, d.encode()[:56]) {
			t.Fatalf("% x is read as %+v", b, d)
		}
	})
}
