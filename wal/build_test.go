package wal

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

// respell builds a segment of another codec from one.
func respell(t testing.TB, from *vfs.Mem, of, to Codec, first Seq) *vfs.Mem {
	t.Helper()
	out := dirOnly(t)
	h, err := ReadHeader(from, of.SegmentName(first), ours)
	check(t, err)
	f, err := out.Open(to.SegmentName(first), vfs.CreateNew)
	check(t, err)
	b, err := NewBuilder(f, to, h)
	check(t, err)
	_, err = Scan(t.Context(), Place{from, of.SegmentName(first), ours}, func(e Entry, _ int64) error { return b.Add(e) })
	check(t, err)
	_, err = b.Finish(9)
	check(t, err)
	check(t, f.Close())
	return out
}

// TestBuilder spells a segment in the other codec and back: the same batches, times and
// chain values.
func TestBuilder(t *testing.T) {
	both(t, func(t *testing.T, c Codec) {
		opts := tiny(c)
		opts.SegmentSize = 16 << 20
		m := mem()
		r := newRig(t, m, opts)
		for i := range 40 {
			r.put(written("key", fmt.Sprint(i)), strings.Repeat("x", i*2000))
		}
		check(t, r.Close())
		other := respell(t, m, c, 1-c, 1)
		back := respell(t, other, 1-c, c, 1)
		var all []string
		for _, at := range []Place{{m, c.SegmentName(1), ours}, {other, (1 - c).SegmentName(1), ours}, {back, c.SegmentName(1), ours}} {
			var got strings.Builder
			seg, err := Scan(t.Context(), at, func(e Entry, _ int64) error {
				fmt.Fprintln(&got, e.Seq, e.Time, e.Flags, e.Chain, len(e.Payload))
				return nil
			})
			check(t, err)
			if !seg.Sealed || seg.Size != seg.End || seg.Stray != 0 || seg.Last != 80 {
				t.Errorf("%+v", seg)
			}
			all = append(all, got.String())
		}
		if all[0] != all[1] || all[0] != all[2] {
			t.Error("not the same batches")
		}
	})
}

// TestBuilderRefuses what does not follow, and a segment of nothing.
func TestBuilderRefuses(t *testing.T) {
	f, err := dirOnly(t).Open(Binary.SegmentName(1), vfs.CreateNew)
	check(t, err)
	b, err := NewBuilder(f, Binary, head(1))
	check(t, err)
	_, err = b.Finish(1)
	wantKind(t, err, fault.ErrCorrupt)
	r := record("one")
	chain := Chain{}.Next(r.Hash)
	wantKind(t, b.Add(Entry{Seq: 2, Chain: chain, Payload: r.Payload}), fault.ErrCorrupt)
	wantKind(t, b.Add(Entry{Seq: 1, Chain: Chain{1}, Payload: r.Payload}), fault.ErrCorrupt)
	check(t, b.Add(Entry{Seq: 1, Chain: chain, Payload: r.Payload}))
}
