package recovery

import (
	"testing"

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
