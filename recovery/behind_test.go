package recovery

import (
	"context"
	"errors"
	"testing"

	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// TestBehindSeal: what somebody wrote behind the seal of a segment of lines is no part
// of the log. It is kept and reported, not deleted; zeros are not.
func TestBehindSeal(t *testing.T) {
	n := novelIn(t, wal.NDJSON, 1)
	for _, first := range []int{9, 11} {
		name := wal.NDJSON.SegmentName(wal.Seq(first))
		for _, text := range []string{"\n", "a note\n", "half a line", n.closed[name]} {
			f := n.closed.with(name, n.closed[name]+text)
			m := f.disk(t)
			s, err := Open(t.Context(), m.Reopen(), small(5))
			check(t, err)
			cut := s.Report.Cut
			if cut == nil || cut.File != name || cut.Offset != int64(len(n.closed[name])) || s.Report.Last != 11 {
				t.Fatalf("%q behind %s: %+v", text, name, s.Report)
			}
			after := dump(t, m)
			if after[name] != n.closed[name] || after[cut.Kept] != text {
				t.Errorf("%q behind %s: %q is kept", text, name, after[cut.Kept])
			}
			check(t, s.Writer.Close())
		}
		m := n.closed.with(name, n.closed[name]+"\x00\x00").disk(t)
		s, err := Open(t.Context(), m.Reopen(), small(5))
		check(t, err)
		if s.Report.Cut != nil || dump(t, m)[name] != n.closed[name] {
			t.Errorf("zeros behind %s: %+v", name, s.Report)
		}
		check(t, s.Writer.Close())
	}
}

// TestBehindSealStopped: what stands behind a seal may be zeros without an end that no
// disk holds; whoever opens or salvages can stop the look at them.
func TestBehindSealStopped(t *testing.T) {
	n := novelIn(t, wal.NDJSON, 1)
	name := wal.NDJSON.SegmentName(11)
	m := n.withZeros(t, name)
	seg, err := wal.Scan(t.Context(), wal.Place{FS: m, Name: name, Store: n.id}, nil)
	check(t, err)
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	reads := 0
	counted := vfs.NewLog(m, func(vfs.Op, error) {
		if reads++; reads == 3 {
			cancel(enough)
		}
	})
	if _, err := blank(ctx, counted, seg); !errors.Is(err, enough) || reads > 4 {
		t.Errorf("%v behind %d reads", err, reads)
	}
}

// TestStopBehindSeal: opening heeds its context as it looks at what stands behind a seal.
func TestStopBehindSeal(t *testing.T) {
	n := novelIn(t, wal.NDJSON, 1)
	name := wal.NDJSON.SegmentName(11)
	m := n.withZeros(t, name)
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	opens, reads := 0, 0
	_, err := Open(ctx, vfs.NewLog(m.Reopen(), func(op vfs.Op, _ error) {
		switch {
		case op.Kind == vfs.OpOpen && op.Name == name:
			opens, reads = opens+1, 0
		case op.Kind == vfs.OpRead && op.Name == name:
			if reads++; reads == 100 { // it is read to its end: nothing but that look does so
				cancel(enough)
			}
			if reads > 110 {
				t.Fatalf("read on: %v", op)
			}
		}
	}), small(5))
	if !errors.Is(err, enough) {
		t.Errorf("%v behind %d openings", err, opens)
	}
}

// withZeros is the closed store with a gigabyte of zeros behind the end of a file.
func (n *novel) withZeros(t *testing.T, name string) *vfs.Mem {
	t.Helper()
	m := n.closed.disk(t)
	f, err := m.Open(name, vfs.ReadWrite)
	check(t, err)
	check(t, f.Truncate(1<<30))
	check(t, f.Close())
	return m
}
