package wal

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
)

// grouped is one group of a hand-made segment.
type grouped struct {
	synced   Seq
	payloads []string
}

// made is a segment made by hand, with the offsets of its frames by seq.
type made struct {
	bytes []byte
	at    map[Seq]int64 // of headers
	ends  map[Seq]int64 // behind payloads
	seal  int64         // offset of the seal; 0 where there is none
	head  Header
	last  Seq
	chain Chain
}

func head(epoch uint64) Header { return Header{Store: ours, Epoch: epoch, First: 1, Created: 5} }

// build makes a segment. Offsets are computed here a second time, from the text in
// the package comment.
func build(h Header, sealed bool, groups ...grouped) *made {
	m := &made{bytes: h.encode(), at: map[Seq]int64{}, ends: map[Seq]int64{}, head: h, last: h.First - 1, chain: h.Chain}
	for _, g := range groups {
		off := int64(len(m.bytes))
		for i, p := range g.payloads {
			size := int64(40)
			if i == 0 {
				size = 72
			}
			off = (off + 7) / 8 * 8
			seq := m.last + 1 + Seq(i)
			m.at[seq], m.ends[seq] = off, off+size+int64(len(p))
			off = m.ends[seq]
		}
		m.bytes, m.chain = frames{}.appendGroup(m.bytes, &group{after: m.last, chain: m.chain, synced: g.synced, records: records(g.payloads...)}, spot{h.salt(), int64(len(m.bytes))})
		m.last += Seq(len(g.payloads))
	}
	if sealed {
		m.seal = int64(len(m.bytes))
		m.bytes = frames{}.appendSeal(m.bytes, &group{after: m.last, chain: m.chain, synced: m.last}, uint64(m.last-h.First+1), sealPlace{h.salt(), m.seal, 9})
	}
	return m
}

// TestFrameBytes reads a group with a second, stupid reader that follows the
// drawing in the package comment.
func TestFrameBytes(t *testing.T) {
	payloads := []string{"one", "", "three is longer", strings.Repeat("4", 1000), "5"}
	m := build(head(77), false, grouped{0, []string{"first"}}, grouped{1, payloads})
	if len(m.bytes)%512 != 0 || m.at[2]%512 != 0 {
		t.Fatalf("%d bytes, second group at %d: not whole sectors", len(m.bytes), m.at[2])
	}
	covered := make([]bool, len(m.bytes))
	mark := func(from, to int64) {
		for i := from; i < to; i++ {
			covered[i] = true
		}
	}
	mark(0, 512)
	le := binary.LittleEndian
	for seq := Seq(1); seq <= m.last; seq++ {
		at, end := m.at[seq], m.ends[seq]
		size, flags := int64(40), byte(0)
		if seq <= 2 {
			size, flags = 72, 128
		}
		h, p := m.bytes[at:at+size], m.bytes[at+size:end]
		sum := crc32.Update(0, castagnoli, append(append([]byte{}, ours[:]...), le.AppendUint64(nil, 77)...))
		sum = crc32.Update(sum, castagnoli, le.AppendUint64(nil, uint64(at)))
		sum = crc32.Update(crc32.Update(sum, castagnoli, h[:36]), castagnoli, h[40:])
		synced := uint64(min(seq, 2) - 1)
		switch {
		case at%8 != 0:
			t.Errorf("frame %v stands at %d", seq, at)
		case string(h[:2]) != "vF" || h[2] != 1 || h[3] != flags:
			t.Errorf("frame %v begins with % x", seq, h[:4])
		case le.Uint32(h[4:]) != uint32(len(p)) || Seq(le.Uint64(h[8:])) != seq || le.Uint64(h[16:]) != 1000 || le.Uint64(h[24:]) != synced:
			t.Errorf("frame %v has header % x", seq, h)
		case le.Uint32(h[32:]) != crc32.Checksum(p, castagnoli) || le.Uint32(h[36:]) != sum:
			t.Errorf("frame %v has checksums % x", seq, h[32:40])
		}
		mark(at, end)
	}
	for i, c := range covered {
		if !c && m.bytes[i] != 0 {
			t.Errorf("padding at %d is %#x", i, m.bytes[i])
		}
	}
	if !bytes.Contains(m.bytes, []byte(payloads[3])) {
		t.Error("a payload is not in the file as it is")
	}
}

// TestChainWhateverTheGroups writes the same batches in different groups: chain
// values are per batch.
func TestChainWhateverTheGroups(t *testing.T) {
	payloads := []string{"a", "bb", "ccc", "dddd"}
	var want []Chain
	c := Chain{}
	for _, p := range payloads {
		c = c.Next(batch.Hash([]byte(p)))
		want = append(want, c)
	}
	for _, sizes := range [][]int{{4}, {1, 1, 1, 1}, {2, 2}, {1, 3}, {3, 1}} {
		r := newRig(t, mem(), tiny(Binary))
		rest := payloads
		for _, n := range sizes {
			r.put(rest[:n]...)
			rest = rest[n:]
		}
		var got []Chain
		for e, err := range r.Read(t.Context(), 1) {
			check(t, err)
			got = append(got, e.Chain)
		}
		equal(t, "chain", got, want)
		if _, last, chain, err := r.Bounds(t.Context()); last != 4 || chain != want[3] || err != nil {
			t.Errorf("bounds: %v %v %v", last, chain, err)
		}
		check(t, r.Close())
	}
}

func TestHeader(t *testing.T) {
	h := Header{Store: ours, Epoch: 1 << 63, First: 42, Chain: Chain{1, 2, 3}, Created: 99}
	b := h.encode()
	if got, err := decodeHeader(b); err != nil || got != h {
		t.Fatalf("%+v, %v", got, err)
	}
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 1 << (i % 8)
		_, err := decodeHeader(bad)
		wantKind(t, err, fault.ErrCorrupt)
	}
	for n := range b {
		_, err := decodeHeader(b[:n])
		wantKind(t, err, fault.ErrCorrupt)
	}
	seal := func(b []byte) []byte {
		binary.LittleEndian.PutUint32(b[508:], batch.Sum(b[:508]))
		return b
	}
	for name, change := range map[string]func(b []byte){
		"format 1":         func(b []byte) { b[8] = 1 },
		"format 1<<24":     func(b []byte) { b[11] = 1 },
		"sectors of 4 KiB": func(b []byte) { binary.LittleEndian.PutUint32(b[12:], 4096) },
	} {
		future := bytes.Clone(b)
		change(future)
		if _, err := decodeHeader(seal(future)); fault.KindOf(err) != fault.ErrIncompatible {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNames(t *testing.T) {
	for _, first := range []Seq{1, 10, 1<<64 - 1} {
		for _, c := range []Codec{Binary, NDJSON} {
			if got, of, ok := ParseSegment(base(c, first)); !ok || got != first || of != c {
				t.Errorf("%s: %v %v %v", base(c, first), got, of, ok)
			}
		}
	}
	for _, base := range []string{"", ".vlog", "1.vlog", "00000000000000000000.vlog", "00000000000000000001.vlog2", "0000000000000000001.vlog",
		"+0000000000000000001.vlog", "99999999999999999999.vlog", ".ndjson", "00000000000000000000.ndjson", "00000000000000000001.json"} {
		if _, _, ok := ParseSegment(base); ok {
			t.Errorf("%q is taken for a segment", base)
		}
	}
	for base, want := range map[string]bool{"spare-1": true, "spare-10": true, "spare-0": false, "spare-01": false, "spare--1": false, "spare-": false, "spare-x": false, "spare-1.vlog": false} {
		if ParseSpare(base) != want {
			t.Errorf("%q: spare %v", base, !want)
		}
	}
}
