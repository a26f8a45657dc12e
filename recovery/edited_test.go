package recovery

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// edits are what people and their editors do to line i of a text.
var edits = map[string]func(lines []string, i int) []string{
	"a value":          func(l []string, i int) []string { return with(l, i, strings.Replace(l[i], "vvv", "vvw", 1)) },
	"a longer value":   func(l []string, i int) []string { return with(l, i, strings.Replace(l[i], "vvv", "vvvw", 1)) },
	"a shorter value":  func(l []string, i int) []string { return with(l, i, strings.Replace(l[i], "vvv", "v", 1)) },
	"a key":            func(l []string, i int) []string { return with(l, i, strings.Replace(l[i], `"k":"key`, `"k":"kex`, 1)) },
	"a number":         func(l []string, i int) []string { return with(l, i, strings.Replace(l[i], `"seq":`, `"seq":1`, 1)) },
	"the sum":          func(l []string, i int) []string { return with(l, i, strings.Replace(l[i], `,"sum":"`, `,"sum":"0`, 1)) },
	"a space":          func(l []string, i int) []string { return with(l, i, strings.Replace(l[i], ":", ": ", 1)) },
	"CRLF":             func(l []string, i int) []string { return with(l, i, strings.Replace(l[i], "\n", "\r\n", 1)) },
	"a line end less":  func(l []string, i int) []string { return with(l, i, strings.TrimSuffix(l[i], "\n")) },
	"a line end more":  func(l []string, i int) []string { return with(l, i, strings.Replace(l[i], "vvv", "vvv\n", 1)) },
	"an empty line":    func(l []string, i int) []string { return with(l, i, "\n"+l[i]) },
	"deleted":          func(l []string, i int) []string { return with(l, i, "") },
	"doubled":          func(l []string, i int) []string { return with(l, i, l[i]+l[i]) },
	"swapped":          func(l []string, i int) []string { return with(with(l, i, l[i-1]), i-1, l[i]) },
	"moved to the end": func(l []string, i int) []string { return append(with(l, i, ""), l[i]) },
}

func with(lines []string, i int, line string) []string {
	l := append([]string(nil), lines...)
	l[i] = line
	return l
}

func linesOf(text string) []string {
	l := strings.SplitAfter(text, "\n")
	return l[:len(l)-1]
}

// edited is one line of a store of lines, and the store with it edited.
type edited struct {
	f    files
	name string
	line int // of the segment; 0 is its header
	text string
}

// edit returns the segment with an edit done.
func (e edited) edit(do func([]string, int) []string) edited {
	e.text = strings.Join(do(linesOf(e.f[e.name]), e.line), "")
	return e
}

func (e edited) files() files { return e.f.with(e.name, e.text) }

// first returns the offset of the first line that is not as it was, and its seq.
func (e edited) first() (off int64, seq uint64) {
	was := linesOf(e.f[e.name])
	for i, l := range was {
		if !strings.HasPrefix(e.text[off:], l) {
			return off, e.seq(i)
		}
		off += int64(len(l))
	}
	return off, e.seq(len(was))
}

// seq is the number of the batch that line i should hold.
func (e edited) seq(i int) uint64 {
	first, _, _ := wal.ParseSegment(strings.TrimPrefix(e.name, wal.Dir+"/"))
	return uint64(first) + uint64(max(i-1, 0))
}

// refused opens the store and checks it: the error and a finding name the line.
func (e edited) refused(t *testing.T, what string) {
	t.Helper()
	off, seq := e.first()
	for _, opts := range []Options{small(5), readOnly()} {
		err := refuses(t, what, e.files(), fault.ErrCorrupt, opts)
		if err.At.Path != e.name || err.At.Offset != off || err.At.Seq != seq {
			t.Errorf("%s: %v, want it at %s %d #%d", what, err, e.name, off, seq)
		}
	}
	for _, f := range findings(t, e.files()) {
		if f.Severity == SeverityError && f.File == e.name && f.Offset == off && f.Seq == seq {
			return
		}
	}
	t.Errorf("%s: not found at %d #%d: %+v", what, off, seq, findings(t, e.files()))
}

// cut opens the store, which ends before the line then; what stood there is kept.
func (e edited) cut(t *testing.T, n *novel, what string) {
	t.Helper()
	off, seq := e.first()
	m := e.files().disk(t)
	s, err := Open(t.Context(), m.Reopen(), small(5))
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	last := int(seq) - 1
	if c := s.Report.Cut; c == nil || c.File != e.name || c.Offset != off || int(s.Picture.Seq()) != last || !maps.Equal(contentOf(s.Picture), n.hist[last]) {
		t.Errorf("%s: %+v, want a cut at %d before #%d", what, s.Report, off, seq)
	} else if kept := slurp(t, m, c.Kept); kept != e.text[off:] || Classify(c.Kept, false) != ClassKept {
		t.Errorf("%s: %q is kept of %q", what, kept, e.text[off:])
	}
	check(t, s.Lock.Close())
	n.opens(t, what, e.files(), last)
}

// TestEdited: lines that were edited by hand are an error that names them, and
// nothing is changed, where anything proves that they were durable: a newer segment,
// LOCK or log/durable.
func TestEdited(t *testing.T) {
	n := novelIn(t, wal.NDJSON, 1)
	nine, eleven := wal.NDJSON.SegmentName(9), wal.NDJSON.SegmentName(11)
	for where, e := range map[string]edited{
		"in the middle":           {f: n.closed, name: nine, line: 1},
		"before a seal":           {f: n.closed, name: nine, line: 2},
		"closed":                  {f: n.closed, name: eleven, line: 1},
		"closed, no line in LOCK": {f: n.closed.with(LockName, ""), name: nine, line: 1},
		"killed":                  {f: n.crashed, name: eleven, line: 1},
	} {
		for name, do := range edits {
			what := where + ": " + name
			e := e.edit(do)
			switch {
			case e.text == e.f[e.name]: // moved to the end, where it was
			case name == "swapped" && e.line == 1:
				e.headless(t, what)
			case name == "doubled" && e.name == eleven: // all that is proven is there
				e.cut(t, n, what)
			default:
				e.refused(t, what)
			}
		}
	}
}

// proven says whether a line behind the edited one stands where it was written.
func (e edited) proven() bool {
	was := linesOf(e.f[e.name])
	behind := strings.Join(was[:e.line+1], "")
	return e.line+1 < len(was) && len(e.text) > len(behind) && e.text[len(behind):] == e.f[e.name][len(behind):]
}

// headless: what is no longer a segment is damage, whatever else is known.
func (e edited) headless(t *testing.T, what string) {
	t.Helper()
	if err := refuses(t, what, e.files(), fault.ErrCorrupt, small(5)); err.At.Path != e.name || err.At.Offset != 0 {
		t.Errorf("%s: %v", what, err)
	}
}

// threeLines is a store of three batches in one segment, stopped by a power cut that
// took log/durable; only the lines prove each other.
func threeLines(t *testing.T) (files, *novel) {
	t.Helper()
	m := vfs.NewMem(vfs.MemOptions{})
	opts := making(wal.NDJSON, 1)
	opts.SegmentSize = 8 << 10
	a := begin(t, m, opts)
	n := &novel{codec: wal.NDJSON, id: a.s.ID, hist: []content{{}}}
	for seq := 1; seq <= 3; seq++ {
		a.put(fmt.Sprint("key", seq), value(seq))
		n.hist = append(n.hist, maps.Clone(a.keep))
	}
	return dump(t, m).with(wal.DurableName, gone).with(LockName, ""), n
}

// TestEditedUnproven: where only lines prove each other, an edited one is an error as
// long as one behind it stands where it was written. A line that moved checks out no
// more and proves nothing: it is a torn tail then, cut and kept, with all behind it.
func TestEditedUnproven(t *testing.T) {
	three, n := threeLines(t)
	for line := 1; line <= 3; line++ {
		for name, do := range edits {
			e := edited{f: three, name: wal.NDJSON.SegmentName(1), line: line}.edit(do)
			off, seq := e.first()
			what := fmt.Sprintf("%s, line %d", name, line)
			switch {
			case name == "swapped" && line == 1:
				e.headless(t, what)
			case e.text == e.f[e.name]: // moved to the end, where it was
			case off == int64(len(e.text)): // the last line has gone
				n.opens(t, what, e.files(), int(seq)-1)
			case e.proven():
				e.refused(t, what)
			default:
				e.cut(t, n, what)
			}
		}
	}
}

// TestEditedHarmless: what editors add behind the end is no damage: it is cut.
func TestEditedHarmless(t *testing.T) {
	n := novelIn(t, wal.NDJSON, 1)
	nine, eleven := wal.NDJSON.SegmentName(9), wal.NDJSON.SegmentName(11)
	for name, f := range map[string]files{
		"a line end behind the seal":            n.closed.with(eleven, n.closed[eleven]+"\n"),
		"a line end behind an older seal":       n.closed.with(nine, n.closed[nine]+"\n"),
		"a line end behind the last line":       n.crashed.with(eleven, n.crashed[eleven]+"\n"),
		"the line end of the seal taken off it": n.closed.with(eleven, strings.TrimSuffix(n.closed[eleven], "\n")),
		"zeros behind the last line":            n.crashed.with(eleven, n.crashed[eleven]+strings.Repeat("\x00", 9000)),
		"a line among zeros":                    n.crashed.with(eleven, n.crashed[eleven]+strings.Repeat("\x00", 900)+`{"seq":12}`+"\n"+strings.Repeat("\x00", 900)),
		"megabytes without a line end":          n.crashed.with(eleven, n.crashed[eleven]+`{"seq":12,`+strings.Repeat("x", 3<<20)),
	} {
		r := n.opens(t, name, f, 11)
		uncut := strings.HasPrefix(name, "zeros")
		if r.Clean || (r.Cut == nil) != uncut {
			t.Errorf("%s: %+v", name, r)
		}
	}
	for name, text := range map[string]string{
		"a BOM":      "\ufeff" + n.closed[eleven],
		"CRLF":       strings.ReplaceAll(n.closed[eleven], "\n", "\r\n"),
		"UTF-16":     strings.Join(strings.Split(n.closed[eleven], ""), "\x00"),
		"no header":  n.closed[eleven][strings.IndexByte(n.closed[eleven], '\n')+1:],
		"a space":    strings.Replace(n.closed[eleven], ":", ": ", 1),
		"half of it": n.closed[eleven][:50],
	} {
		for _, f := range []files{n.closed, n.crashed.with(wal.DurableName, gone)} {
			edited{f: f, name: eleven, text: text}.headless(t, name)
		}
	}
}

// resum spells the sums of lines of a segment again, by docs/FORMAT.md, as somebody
// would who wants an edit to go unnoticed.
func resum(t *testing.T, id wal.StoreID, text string, which func(i int) bool) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, `"epoch":"`)
	epoch, err := hex.DecodeString(rest[:16])
	if check(t, err); !ok {
		t.Fatal("no epoch")
	}
	le := binary.LittleEndian
	salt := batch.Sum(le.AppendUint64(id[:], binary.BigEndian.Uint64(epoch)))
	var b strings.Builder
	for i, l := range linesOf(text) {
		if which(i) && i > 0 {
			l = l[:strings.LastIndex(l, `,"sum":"`)]
			sum := batch.SumMore(batch.SumMore(salt, le.AppendUint64(nil, uint64(b.Len()))), []byte(l))
			l += fmt.Sprintf(`,"sum":"%08x"}`+"\n", sum)
		}
		b.WriteString(l)
	}
	return b.String()
}

// TestEditedWithSum: who edits a line and makes its sum right again is found by the
// chain: the next group, or the seal, was written behind another batch.
func TestEditedWithSum(t *testing.T) {
	n := novelIn(t, wal.NDJSON, 1)
	three, _ := threeLines(t)
	nine, eleven, one := wal.NDJSON.SegmentName(9), wal.NDJSON.SegmentName(11), wal.NDJSON.SegmentName(1)
	id3, err := wal.ReadHeader(three.disk(t), one, storeOf(t, three))
	check(t, err)
	for where, e := range map[string]edited{
		"in the middle":            {f: n.closed, name: nine, line: 1},
		"before a seal":            {f: n.closed, name: nine, line: 2},
		"closed":                   {f: n.closed, name: eleven, line: 1},
		"closed, LOCK says naught": {f: n.closed.with(LockName, ""), name: eleven, line: 1},
		"before a last line":       {f: three, name: one, line: 2},
		"before later lines":       {f: three, name: one, line: 1},
	} {
		id := n.id
		if e.name == one {
			id = id3.Store
		}
		for _, name := range []string{"a value", "a longer value", "a key"} {
			done := e.edit(edits[name])
			for what, which := range map[string]func(int) bool{"its sum": func(i int) bool { return i == e.line }, "all sums": func(int) bool { return true }} {
				if what == "its sum" && name == "a longer value" {
					continue // what is behind it moved and checks out no more
				}
				done.text = resum(t, id, done.text, which)
				what = where + ": " + name + ", " + what
				err := refuses(t, what, done.files(), fault.ErrCorrupt, small(5))
				behind := int64(len(strings.Join(linesOf(done.text)[:e.line+1], "")))
				at := behind
				if where == "closed" { // LOCK knows the chain value behind the line itself
					at, _ = done.first()
				}
				if err.At.Path != e.name || err.At.Offset != at || err.At.Seq != e.seq(e.line) {
					t.Errorf("%s: %v, want it at %d", what, err, at)
				}
				if found := findings(t, done.files()); len(found) == 0 || found[0].Severity != SeverityError || found[0].File != e.name || found[0].Offset != behind {
					t.Errorf("%s: %+v", what, found)
				}
				salvages(t, what, done.files())
			}
		}
	}
}

// salvages: a salvage keeps what reads, and the store opens.
func salvages(t *testing.T, what string, f files) {
	t.Helper()
	m := f.disk(t)
	sum, err := salvaged(t, m, SalvageOptions{})
	if check(t, err); sum.Whole || len(sum.Aside) == 0 {
		t.Errorf("%s: salvaged: %+v", what, sum)
	}
	s, err := Open(t.Context(), m.Reopen(), small(6))
	if check(t, err); s.Picture.Seq() != sum.Last {
		t.Errorf("%s: salvaged %+v, opens at %v", what, sum, s.Picture.Seq())
	}
}

func storeOf(t *testing.T, f files) wal.StoreID {
	t.Helper()
	format, err := ReadFormat(f.disk(t))
	check(t, err)
	id, err := format.Store()
	check(t, err)
	return id
}
