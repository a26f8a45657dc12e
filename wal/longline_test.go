package wal

import (
	"bytes"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/fuzz/cost"
)

// TestLongLines: a line of many windows is read; one that was lost in part is told from a
// torn one, whatever stands in its place; and what is no line takes no memory.
func TestLongLines(t *testing.T) {
	const long = 5 * windowSize / 2
	good, at := buildLines(head(7), false, grouped{0, []string{written("a", strings.Repeat("1", long))}}, grouped{1, []string{written("b", "2")}})
	fill := func(from, to int64, with string) []byte {
		b := bytes.Clone(good)
		copy(b[from:to], strings.Repeat(with, int(to-from)/len(with)+1))
		return b
	}
	for name, c := range map[string]struct {
		b    []byte
		want string
		most int
	}{
		"good":                           {good, "end", 6 * long},
		"torn":                           {good[:at[1]+2*windowSize], "torn", 2 * windowSize},
		"torn, zeros":                    {append(bytes.Clone(good[:at[1]+100]), make([]byte, 64*windowSize)...), "torn", 2 * windowSize},
		"torn, zeros and text":           {append(bytes.Clone(good[:at[1]+100]), strings.Repeat("a\x00", 16*windowSize)...), "torn", 2 * windowSize},
		"zeros in it":                    {fill(at[1]+100, at[2]-100, "\x00"), "damaged", 2 * windowSize},
		"zeros in place of it":           {fill(at[1], at[2], "\x00"), "damaged", 2 * windowSize},
		"zeros and text in it":           {fill(at[1], at[2], "a\x00"), "damaged", 2 * windowSize},
		"line ends and zeros in it":      {fill(at[1], at[2], "\n\x00"), "damaged", 2 * windowSize},
		"text in it":                     {fill(at[1]+long/2, at[2]-100, "a"), "damaged", 4 * long},
		"no end":                         {fill(at[2]-1, at[2], "a"), "damaged", 4 * long},
		"zeros at its end, nothing else": {fill(at[2]-100, at[2], "\x00")[:at[2]], "torn", 2 * windowSize},
	} {
		var seg *Segment
		var err error
		fsys := dirOnly(t)
		writeFile(t, fsys, NDJSON.SegmentName(1), c.b)
		got := cost.Of(func() { seg, err = Scan(t.Context(), Place{fsys, NDJSON.SegmentName(1), ours}, nil) })
		check(t, err)
		if is := verdict(seg); is != c.want || got > uint64(c.most)+1<<20 {
			t.Errorf("%s: %s, not %s; %d bytes allocated, at most %d", name, is, c.want, got, c.most)
		}
	}
}
