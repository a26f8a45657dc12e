package recovery

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// short is a small store, closed cleanly, that has everything: two checkpoints, two
// segments between them and one behind them.
func short(t testing.TB, codec wal.Codec) *novel {
	t.Helper()
	m := vfs.NewMem(vfs.MemOptions{})
	a := begin(t, m, making(codec, 1))
	n := &novel{codec: codec, hist: []content{{}}, id: a.s.ID}
	add := func(key, value string) {
		a.append(key, value)
		n.hist = append(n.hist, maps.Clone(a.keep))
	}
	add("a", "1")
	a.checkpoint()
	add("b", "2")
	check(t, a.s.Writer.Rotate(t.Context()))
	add("c", "3")
	a.checkpoint()
	add("a", "4")
	a.close()
	n.closed = dump(t, m)
	return n
}

// TestEveryFlip damages every byte of a cleanly closed store, one at a time. Each is
// found by Check, as an error that names the file and the place; and opening gives
// what was written or an error, never anything else.
//
// The bytes that do not count, all of them: LOCK. Its line is a second proof of how
// far the log reaches; damaged, it says nothing, and nothing else is lost.
func TestEveryFlip(t *testing.T) { both(t, testEveryFlip) }

func testEveryFlip(t *testing.T, codec wal.Codec) {
	n := short(t, codec)
	last := len(n.hist) - 1
	uncounted := map[string]bool{LockName: true}
	flips := 0
	for _, path := range n.closed.names("") {
		for off := range len(n.closed[path]) {
			flips++
			f := n.closed.flip(path, off)
			what := fmt.Sprintf("%s at %d", path, off)
			if s, err := Open(t.Context(), f.disk(t), small(9)); err == nil {
				if int(s.Picture.Seq()) != last || !maps.Equal(contentOf(s.Picture), n.hist[last]) {
					t.Fatalf("%s: opens with other content at %v", what, s.Picture.Seq())
				}
			} else if k := fault.KindOf(err); k != fault.ErrCorrupt && k != fault.ErrForeign && k != fault.ErrIncompatible {
				t.Fatalf("%s: %v", what, err)
			}
			if uncounted[path] {
				for _, found := range findings(t, f) {
					if found.Severity != SeverityWarning || found.File != path {
						t.Fatalf("%s counts after all: %+v", what, found)
					}
				}
				continue
			}
			n.flipFound(t, path, off, findings(t, f))
		}
	}
	if flips < 3000 {
		t.Errorf("only %d bytes", flips)
	}
}

// flipFound looks for the finding of one flip: at the sector of the flip, or at the
// frame, block or header that the flip lies in; of a line, at its first byte.
func (n *novel) flipFound(t *testing.T, path string, off int, found []Finding) {
	t.Helper()
	near := func(f Finding) bool {
		switch Classify(path, false) {
		case ClassFormat:
			return f.Offset == 0
		case ClassCheckpoint:
			return f.Offset <= int64(off)
		}
		if n.codec == wal.NDJSON {
			return f.Offset == int64(strings.LastIndexByte(n.closed[path][:off], '\n')+1)
		}
		// A frame whose header is gone is missed where the one before it ends.
		return f.Offset/512*512-512 <= int64(off) && int64(off) < f.Offset+1024
	}
	for _, f := range found {
		if f.Severity == SeverityError && f.File == path && near(f) {
			return
		}
	}
	t.Fatalf("%s at %d: %+v", path, off, found)
}

// TestFindings checks stores with one thing wrong each.
func TestFindings(t *testing.T) { both(t, testFindings) }

func testFindings(t *testing.T, codec wal.Codec) {
	n, other := novelIn(t, codec, 1), novelIn(t, codec, 2)
	five, nine, eleven := codec.SegmentName(5), codec.SegmentName(9), codec.SegmentName(11)
	c4, c8 := checkpoint.Name(4), checkpoint.Name(8)
	kept := checkpoint.ErrorDir + "/" + strings.TrimPrefix(eleven, "log/") + "-1024-0123456789abcdef"
	torn := tornTail(t, n.id, n.crashed, eleven)
	at11 := n.frames(t, n.closed, eleven)[0]
	for name, c := range map[string]struct {
		f    files
		want []string // severity kind file #seq
	}{
		"clean":                    {n.closed, nil},
		"crashed":                  {n.crashed, []string{"warning torn " + eleven + " #12"}},
		"torn tail":                {torn, []string{"warning torn " + eleven + " #12"}},
		"not sealed and not known": {n.crashed.with(LockName, "").with(wal.DurableName, gone), []string{"warning torn " + eleven + " #12"}},
		"leftovers":                {n.closed.with("log/spare-1", "x").with(checkpoint.Backup, "x").with(checkpoint.Truncate, "x").with(".FORMAT.tmp", ""), []string{"warning leftover .FORMAT.tmp #0", "warning leftover log/backup #0", "warning leftover log/spare-1 #0", "warning leftover log/truncate #0"}},
		"unknown":                  {n.closed.with("log/notes", "x"), []string{"warning unknown log/notes #0"}},
		"behind the seal":          {n.closed.with(nine, n.closed[nine]+"x"), []string{"warning leftover " + nine + " #0"}},
		"kept tail":                {n.closed.with(checkpoint.ErrorDir+"/", "").with(kept, "x"), []string{"warning checksum " + kept + " #0"}},
		"newer checkpoint":         {n.closed.with(c8, "x"), []string{"error checksum " + c8 + " #8"}},
		"older checkpoint":         {n.closed.with(c4, "x"), []string{"error checksum " + c4 + " #4"}},
		"both":                     {n.closed.with(c8, "x").with(c4, ""), []string{"error checksum " + c4 + " #4", "error checksum " + c8 + " #8", "error missing " + codec.SegmentName(1) + " #1"}},
		"checkpoint of another":    {n.closed.with(c8, other.closed[c8]), []string{"error foreign " + c8 + " #8"}},
		"segment of another":       {n.closed.with(five, other.closed[five]), []string{"error foreign " + five + " #5"}},
		"segment missing":          {n.closed.with(nine, gone), []string{"error missing " + nine + " #9"}},
		"first segment missing":    {n.closed.with(five, gone), []string{"error missing " + five + " #5"}},
		"last segment missing":     {n.closed.with(eleven, gone), []string{"error missing log #11"}},
		"all segments missing":     {n.closed.with(five, gone).with(codec.SegmentName(7), gone).with(nine, gone).with(eleven, gone), []string{"error missing log #9", "error missing " + five + " #5"}},
		"segments to #8 missing":   {n.before.with(five, gone).with(codec.SegmentName(7), gone).with(c8, n.closed[c8]), []string{"error missing " + five + " #5"}},
		"log ends before #8":       {n.before.with(codec.SegmentName(7), gone).with(c8, n.closed[c8]), []string{"error missing " + codec.SegmentName(7) + " #7"}},
		"other history":            {n.rechained(t, eleven), []string{"error chain " + eleven + " #11"}},
		"checkpoint of others":     {n.closed.with(c8, forged(t, n)), []string{"error chain " + c8 + " #8"}},
		"FORMAT":                   {n.closed.flip(FormatName, 30), []string{"error checksum FORMAT #0"}},
		"log/ missing":             {files{FormatName: n.closed[FormatName]}, []string{"error missing log #0"}},
		"last batch, LOCK knows":   {n.closed.flip(eleven, at11+188), []string{"error checksum " + eleven + " #11"}},
		"last batch, durable does": {n.crashed.flip(eleven, at11+188), []string{"error checksum " + eleven + " #11"}},
		"last batch, nobody does":  {n.crashed.with(wal.DurableName, gone).flip(eleven, at11+188), []string{"warning torn " + eleven + " #11"}},
		"seal lost":                {n.closed.with(eleven, n.closed[eleven][:n.frames(t, n.closed, eleven)[1]]), []string{"error checksum " + eleven + " #12"}},
	} {
		var got []string
		for _, f := range findings(t, c.f) {
			got = append(got, fmt.Sprintf("%s %s %s #%d", f.Severity, f.Kind, f.File, f.Seq))
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s:\n got %v\nwant %v", name, strings.Join(got, ", "), strings.Join(c.want, ", "))
		}
	}
	for name, c := range map[string]struct {
		f    files
		kind *fault.Kind
	}{
		"no store": {files{"x": ""}, fault.ErrNotStore},
		"format 1": {n.closed.with(FormatName, line(`{"format":1}`)), fault.ErrIncompatible},
	} {
		_, err := Check(t.Context(), c.f.disk(t), CheckOptions{Now: now}, func(f Finding) { t.Errorf("%s: %+v", name, f) })
		wantKind(t, err, c.kind)
	}
}

// TestCheckDuringPromotion: while the flag is up, what a promotion was dropping is
// not missed.
func TestCheckDuringPromotion(t *testing.T) { both(t, testCheckDuringPromotion) }

func testCheckDuringPromotion(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	backup, flag := n.backup(t, n.id, n.pic8)
	f := n.before.with(checkpoint.Name(8), backup).with(checkpoint.Recover, flag).with(codec.SegmentName(5), gone)
	if found := findings(t, f); len(found) != 1 || found[0].Kind != "leftover" || found[0].File != checkpoint.Recover {
		t.Errorf("%+v", found)
	}
}

// TestCheckReadErrors: an error of the disk is told or returned, never passed over.
func TestCheckReadErrors(t *testing.T) { both(t, testCheckReadErrors) }

func testCheckReadErrors(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	m := n.closed.disk(t)
	for i := 1; ; i++ {
		fail := vfs.NewFail(m, vfs.Nth(i, fault.ErrIO))
		found := 0
		_, err := Check(t.Context(), fail, CheckOptions{Now: now}, func(f Finding) {
			if found++; f.Kind != "io" {
				t.Errorf("operation %d: %+v", i, f)
			}
		})
		if fail.Injected() == 0 {
			if check(t, err); i < 40 {
				t.Errorf("only %d operations", i-1)
			}
			break
		}
		if err == nil && found == 0 {
			t.Errorf("operation %d: nobody was told", i)
		}
	}
}

// TestCheckTellsTheFirst: what was found is told also where it cannot be looked at whether
// somebody writes meanwhile.
func TestCheckTellsTheFirst(t *testing.T) { both(t, testCheckTellsTheFirst) }

func testCheckTellsTheFirst(t *testing.T, codec wal.Codec) {
	m := novelIn(t, codec, 1).closed.disk(t)
	name := ""
	fail := vfs.NewFail(m, vfs.InjectorFunc(func(op vfs.Op) error {
		if op.Kind == vfs.OpRead && name == "" && Classify(op.Name, false) == ClassSegment {
			name = op.Name
			return fault.ErrIO
		}
		if name != "" && op.Name == LockName {
			return fault.ErrIO
		}
		return nil
	}))
	var files []string
	_, err := Check(t.Context(), fail, CheckOptions{Now: now}, func(f Finding) { files = append(files, f.File) })
	if !slices.Contains(files, name) {
		t.Errorf("%s cannot be read; found was %v: %v", name, files, err)
	}
}

// TestCheckCounts: every byte of the files that count is read once.
func TestCheckCounts(t *testing.T) { both(t, testCheckCounts) }

func testCheckCounts(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	var want, done, total int64
	for path, data := range n.closed {
		if c := Classify(path, false); c == ClassSegment || c == ClassCheckpoint {
			want += int64(len(data))
		}
	}
	sum, err := Check(t.Context(), n.closed.disk(t), CheckOptions{Now: now, Progress: func(d, all int64) { done, total = d, all }}, func(Finding) {})
	if check(t, err); sum != (CheckSummary{Segments: 4, Checkpoints: 2, Batches: 7, Bytes: want}) || done != want || total != want {
		t.Errorf("%+v, progress %d of %d", sum, done, total)
	}
}
