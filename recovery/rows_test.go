package recovery

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// TestNovel checks that the store of these tests is what they take it for.
func TestNovel(t *testing.T) { both(t, testNovel) }

func testNovel(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	want := []string{"FORMAT", "LOCK", codec.SegmentName(5), codec.SegmentName(7), codec.SegmentName(9), codec.SegmentName(11),
		"log/checkpoint-00000000000000000004", "log/checkpoint-00000000000000000008"}
	if got := n.closed.names(""); !slices.Equal(got, want) {
		t.Fatalf("closed: %v", got)
	}
	if got := n.before.names("log/"); len(got) != 6 || !slices.Contains(got, "log/durable") {
		t.Fatalf("before: %v", got)
	}
	r := n.opens(t, "closed", n.closed, 11)
	if !r.Clean || r.Checkpoint != 8 || r.Segments != 2 || r.Replayed != 3 || r.LastTime != now() || r.Created || r.Took != 0 {
		t.Errorf("%+v", r)
	}
	r = n.opens(t, "crashed", n.crashed, 11)
	if r.Cut != nil || r.Rewritten != 0 || r.Replayed != 3 {
		t.Errorf("%+v", r)
	}
}

// TestPromotionRows puts each row of the first table of docs/CRASH.md on a disk.
func TestPromotionRows(t *testing.T) { both(t, testPromotionRows) }

func testPromotionRows(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	backup, flag := n.backup(t, n.id, n.pic8)
	foreign, foreignFlag := n.backup(t, wal.StoreID{1}, n.pic8)
	final := checkpoint.Name(8)
	is := func(path, data string) func(files) files { return func(f files) files { return f.with(path, data) } }
	enter := func(data string) func(files) files { return is(final, data) }
	for _, c := range []struct {
		name     string
		change   []func(files) files
		promoted batch.Seq
		removed  []string
	}{
		{"nothing", nil, 0, nil},
		{"p1: backup absent, torn", []func(files) files{is(checkpoint.Backup, backup[:700])}, 0, []string{checkpoint.Backup}},
		{"p1: empty", []func(files) files{is(checkpoint.Backup, "")}, 0, []string{checkpoint.Backup}},
		{"p1: whole, no flag", []func(files) files{is(checkpoint.Backup, backup)}, 0, []string{checkpoint.Backup}},
		{"p3: flag empty", []func(files) files{is(checkpoint.Backup, backup), is(checkpoint.Recover, "")}, 0, []string{checkpoint.Recover, checkpoint.Backup}},
		{"p3: flag torn", []func(files) files{is(checkpoint.Backup, backup), is(checkpoint.Recover, flag[:60])}, 0, []string{checkpoint.Recover, checkpoint.Backup}},
		{"p3: flag of another store", []func(files) files{is(checkpoint.Backup, backup), is(checkpoint.Recover, foreignFlag)}, 0, []string{checkpoint.Recover, checkpoint.Backup}},
		{"p3: backup of another store", []func(files) files{is(checkpoint.Backup, foreign), is(checkpoint.Recover, flag)}, 0, []string{checkpoint.Recover, checkpoint.Backup}},
		{"p3: flag, backup gone", []func(files) files{is(checkpoint.Recover, flag)}, 0, []string{checkpoint.Recover}},
		{"p3: flag, backup torn", []func(files) files{is(checkpoint.Backup, backup[:len(backup)-1]), is(checkpoint.Recover, flag)}, 0, []string{checkpoint.Recover, checkpoint.Backup}},
		{"p3: flag and whole backup", []func(files) files{is(checkpoint.Backup, backup), is(checkpoint.Recover, flag)}, 8, nil},
		{"p3: and a damaged file under the final name", []func(files) files{is(checkpoint.Backup, backup), is(checkpoint.Recover, flag), enter("junk")}, 8, nil},
		{"p4: new name", []func(files) files{enter(backup), is(checkpoint.Recover, flag)}, 8, nil},
		{"p6: flag gone", []func(files) files{enter(backup)}, 0, nil},
		{"p6: flag back, next backup torn", []func(files) files{enter(backup), is(checkpoint.Recover, flag), is(checkpoint.Backup, backup[:600])}, 8, nil},
		{"p6: flag torn, next backup torn", []func(files) files{enter(backup), is(checkpoint.Recover, flag[:9]), is(checkpoint.Backup, backup[:600])}, 0, []string{checkpoint.Recover, checkpoint.Backup}},
	} {
		f := n.before
		for _, change := range c.change {
			f = change(f)
		}
		r := n.opens(t, c.name, f, 8)
		if r.Promoted != c.promoted || !slices.Equal(r.Removed, c.removed) || len(r.Skipped) != 0 || r.Cut != nil {
			t.Errorf("%s: %+v", c.name, r)
		}
	}
}

// TestRecoverFlagBack: a power cut brings the flag of a finished promotion back, with
// what the next promotion had begun to write, or an older flag beside a newer
// checkpoint. The files say that it is finished.
func TestRecoverFlagBack(t *testing.T) { both(t, testRecoverFlagBack) }

func testRecoverFlagBack(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	backup, flag := n.backup(t, n.id, n.pic11)
	sum, err := checkpoint.Verify(n.closed.disk(t), checkpoint.Name(8), n.id)
	check(t, err)
	old := promotionLine(n.id, 8, sum.Digest)
	for name, c := range map[string]struct {
		f        files
		promoted batch.Seq
		removed  []string
	}{
		"nothing of the next":            {n.crashed.with(checkpoint.Recover, old), 8, nil},
		"the next one torn":              {n.crashed.with(checkpoint.Recover, old).with(checkpoint.Backup, backup[:900]), 8, nil},
		"the next one whole":             {n.crashed.with(checkpoint.Recover, old).with(checkpoint.Backup, backup), 8, nil},
		"beside a newer checkpoint":      {n.crashed.with(checkpoint.Recover, old).with(checkpoint.Name(11), backup), 8, nil},
		"the newer flag, new name taken": {n.crashed.with(checkpoint.Recover, flag).with(checkpoint.Name(11), backup), 11, nil},
		"its checkpoint has gone":        {n.crashed.with(checkpoint.Recover, old).with(checkpoint.Name(8), gone), 0, []string{checkpoint.Recover}},
		"its digest is another":          {n.crashed.with(checkpoint.Recover, promotionLine(n.id, 8, batch.Digest{1})), 0, []string{checkpoint.Recover}},
		"its seq is another":             {n.crashed.with(checkpoint.Recover, reseal(strings.Replace(flag, `"seq":11`, `"seq":9`, 1))).with(checkpoint.Backup, backup), 0, []string{checkpoint.Recover, checkpoint.Backup}},
	} {
		r := n.opens(t, name, c.f, 11)
		if r.Promoted != c.promoted || !slices.Equal(r.Removed, c.removed) || len(r.Skipped) != 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestPromotionDrops: p5 interrupted, with any subset of what goes gone already.
func TestPromotionDrops(t *testing.T) { both(t, testPromotionDrops) }

func testPromotionDrops(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	backup, flag := n.backup(t, n.id, n.pic8)
	f := n.before.with(checkpoint.Name(8), backup).with(checkpoint.Recover, flag)
	// What the first promotion dropped has come back: its unlinks were not durable.
	old := n.oldest(t)
	goes := slices.Sorted(maps.Keys(old))
	if len(goes) != 3 {
		t.Fatalf("goes: %v", goes)
	}
	var want files
	for subset := range 1 << len(goes) {
		g := maps.Clone(f)
		for i, path := range goes {
			if subset&(1<<i) == 0 {
				g[path] = old[path]
			}
		}
		what := fmt.Sprintf("gone: %03b of %v", subset, goes)
		if r := n.opens(t, what, g, 8); r.Promoted != 8 || r.Checkpoint != 8 {
			t.Errorf("%s: %+v", what, r)
		}
		m := g.disk(t)
		_, err := Open(t.Context(), m, small(97))
		check(t, err)
		got := dump(t, m)
		if want == nil {
			want = got
		}
		same(t, what, got, want)
	}
}

// oldest returns what the promotion of #8 drops, together with a checkpoint of #2.
func (n *novel) oldest(t testing.TB) files {
	t.Helper()
	m := n.early(t)
	old := files{}
	for path, data := range m {
		if path == n.codec.SegmentName(1) || path == n.codec.SegmentName(3) {
			old[path] = data
		}
	}
	file, _ := n.backup(t, n.id, n.pic2)
	old[checkpoint.Name(2)] = file
	return old
}

// early is the same store behind #4, before its first checkpoint; written again, it
// has the same bytes.
func (n *novel) early(t testing.TB) files {
	t.Helper()
	a := begin(t, files{}.disk(t), making(n.codec, 1))
	for seq := 1; seq <= 4; seq++ {
		a.put(fmt.Sprint("key", seq%7), value(seq))
	}
	check(t, a.s.Writer.Rotate(t.Context()))
	return dump(t, a.fs)
}

// TestCutRows: a torn tail with everything that a cut may have left, in any
// combination: the end is always the same.
func TestCutRows(t *testing.T) { both(t, testCutRows) }

func testCutRows(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	newest := n.crashed.segments()[3]
	torn := tornTail(t, n.id, n.crashed, newest)
	copyName, copyData := keptCopy(t, torn)
	tail := flagLine(`{"store":"%x","segment":11,"epoch":5,"offset":1024,"digest":"00"`, n.id[:])
	raise := flagLine(`{"store":"%x"`, n.id[:])
	foreign := func(line string) string { return otherStore(line, n.id) }
	var want files
	for _, c := range []string{"no copy", "copy", "torn copy"} {
		for _, truncate := range []string{gone, "", tail[:20], tail, foreign(tail)} {
			for _, up := range []string{gone, "", raise[:5], raise, foreign(raise)} {
				f := torn.with(checkpoint.Truncate, truncate).with(checkpoint.TruncateFlag, up)
				switch c {
				case "copy":
					f = f.with(checkpoint.ErrorDir+"/", "").with(copyName, copyData)
				case "torn copy":
					f = f.with(checkpoint.ErrorDir+"/", "").with(copyName, copyData[:5]+strings.Repeat("x", 900))
				}
				what := fmt.Sprintf("%s, truncate %.20q, flag %.20q", c, truncate, up)
				r := n.opens(t, what, f, 11)
				if r.Cut == nil || r.Cut.File != newest || r.Cut.After != 11 || r.Cut.Kept != copyName || !r.Cut.Whole || r.Cut.Why == "" || len(r.Removed) != 0 {
					t.Fatalf("%s: %+v", what, r.Cut)
				}
				m := f.disk(t)
				_, err := Open(t.Context(), m, small(97))
				check(t, err)
				got := dump(t, m)
				if want == nil {
					want = got
				}
				same(t, what, got, want)
			}
		}
	}
	if want[copyName] != copyData || want[newest] != n.closed[newest] {
		t.Errorf("kept %d bytes, %d in the log", len(want[copyName]), len(want[newest]))
	}
}

// TestTailCopyIsWhole: the tail is in the page cache alone when opening copies it, and
// a power cut takes it, at any moment: then nobody writes the copy again, so what stands
// under its name must be all of it, or nothing.
func TestTailCopyIsWhole(t *testing.T) { both(t, testTailCopyIsWhole) }

func testTailCopyIsWhole(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	newest := n.crashed.segments()[3]
	m := n.crashed.tracked(t)
	f, err := m.Open(newest, vfs.ReadWrite)
	check(t, err)
	_, err = f.WriteAt([]byte(tornTail(t, n.id, n.crashed, newest)[newest]), 0)
	check(t, errors.Join(err, f.Close()))
	m = m.Crash(vfs.Kill, 1)
	looked := 0
	m.OnOp(func(op vfs.Op) {
		for _, model := range vfs.Models() {
			m.Snapshot().Images(model, 30, func(img *vfs.Image) bool {
				s, err := Open(t.Context(), img.Mem(false), small(3))
				check(t, err)
				check(t, errors.Join(s.Writer.Close(), Release(s.Lock, s.ID, Closed{Seq: 11})))
				_, err = Check(t.Context(), img.Mem(false), CheckOptions{Now: now}, func(f Finding) {
					if strings.HasPrefix(f.File, checkpoint.ErrorDir) && f.Kind != "leftover" {
						t.Errorf("after %v, %v: %+v", op, model, f)
					}
				})
				looked++
				check(t, err)
				return true
			})
		}
	})
	s, err := Open(t.Context(), m.Reopen(), small(2))
	if check(t, err); s.Report.Cut == nil || looked < 100 {
		t.Errorf("%+v, looked at %d disks", s.Report, looked)
	}
}

// keptCopy opens a torn store and returns what is then kept of the tail.
func keptCopy(t testing.TB, f files) (name, data string) {
	t.Helper()
	m := f.disk(t)
	s, err := Open(t.Context(), m, small(96))
	check(t, err)
	return s.Report.Cut.Kept, dump(t, m)[s.Report.Cut.Kept]
}

// TestFlagsWithoutATail: flags that came back alone are ignored and removed; what
// they say is never a reason to cut.
func TestFlagsWithoutATail(t *testing.T) { both(t, testFlagsWithoutATail) }

func testFlagsWithoutATail(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	tail := flagLine(`{"store":"%x","segment":11,"epoch":5,"offset":512,"digest":"00"`, n.id[:])
	raise := flagLine(`{"store":"%x"`, n.id[:])
	for name, f := range map[string]files{"closed": n.closed, "crashed": n.crashed} {
		r := n.opens(t, name, f.with(checkpoint.Truncate, tail).with(checkpoint.TruncateFlag, raise), 11)
		if r.Cut != nil || !slices.Equal(r.Removed, []string{checkpoint.TruncateFlag, checkpoint.Truncate}) {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestFlagsInEveryCombination: backup, recover, truncate, truncate_flag and error/,
// each absent, junk, whole or of another store.
func TestFlagsInEveryCombination(t *testing.T) { both(t, testFlagsInEveryCombination) }

func testFlagsInEveryCombination(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	backup, flag := n.backup(t, n.id, n.pic11)
	foreignBackup, foreignFlag := n.backup(t, wal.StoreID{1}, n.pic11)
	tail := flagLine(`{"store":"%x","segment":11,"epoch":5,"offset":512,"digest":"00"`, n.id[:])
	raise := flagLine(`{"store":"%x"`, n.id[:])
	foreign := func(s string) string { return otherStore(s, n.id) }
	bases := map[string]files{"closed": n.closed, "crashed": n.crashed, "torn": tornTail(t, n.id, n.crashed, n.crashed.segments()[3])}
	opened := 0
	for base, f := range bases {
		for _, b := range []string{gone, "junk", backup, foreignBackup} {
			for _, r := range []string{gone, "junk\n", flag, foreignFlag} {
				for i, tr := range []string{gone, "junk\n", tail, foreign(tail)} {
					for j, up := range []string{gone, "junk\n", raise, foreign(raise)} {
						g := f.with(checkpoint.Backup, b).with(checkpoint.Recover, r).with(checkpoint.Truncate, tr).with(checkpoint.TruncateFlag, up)
						if (i+j)%2 == 1 {
							g = g.with(checkpoint.ErrorDir+"/", "").with(checkpoint.ErrorDir+"/junk", "kept")
						}
						what := fmt.Sprintf("%s, backup %.4q, recover %.50q, truncate %.20q, flag %.20q", base, b, r, tr, up)
						report := n.opens(t, what, g, 11)
						if promoted := b == backup && r == flag; promoted != (report.Promoted == 11) || (report.Cut != nil) != (base == "torn") {
							t.Fatalf("%s: %+v", what, report)
						}
						opened++
					}
				}
			}
		}
	}
	if opened != 3*256 {
		t.Errorf("%d opened", opened)
	}
}

// TestTailThatWasDurable is no tail: damage, and nothing is cut.
func TestTailThatWasDurable(t *testing.T) { both(t, testTailThatWasDurable) }

func testTailThatWasDurable(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	newest := n.crashed.segments()[3]
	torn := n.crashed.with(newest, n.crashed[newest][:n.frames(t, n.crashed, newest)[0]+188]) // #11 is gone, log/durable knows it
	e := refuses(t, "log/durable", torn, fault.ErrCorrupt, small(9))
	if e.At.Path != newest || e.At.Seq != 11 {
		t.Errorf("%+v", e)
	}
	refuses(t, "read-only", torn, fault.ErrCorrupt, readOnly())
	torn = torn.with(wal.DurableName, gone)
	if r := n.opens(t, "nobody knows", torn, 10); r.Cut == nil || r.Cut.After != 10 {
		t.Errorf("%+v", r)
	}
	torn = torn.with(wal.DurableName, strings.Repeat("\x00", 64))
	n.opens(t, "log/durable says nothing", torn, 10)
}

// TestUnprovenIsWrittenAgain: frames that nothing proves durable are written again
// and reported.
func TestUnprovenIsWrittenAgain(t *testing.T) { both(t, testUnprovenIsWrittenAgain) }

func testUnprovenIsWrittenAgain(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	f := n.crashed.with(wal.DurableName, gone)
	r := n.opens(t, "no log/durable", f, 11)
	if r.Rewritten == 0 || !r.Sealed || r.Clean {
		t.Errorf("%+v", r)
	}
	if r := n.opens(t, "log/durable", n.crashed, 11); r.Rewritten != 0 {
		t.Errorf("%+v", r)
	}
}

// TestFlagIsDurableBeforeDropping: the last writer was killed between writing the
// flag of a promotion and its sync. Opening sees the flag, and must not drop anything
// under it before a power cut could no longer take it.
func TestFlagIsDurableBeforeDropping(t *testing.T) { both(t, testFlagIsDurableBeforeDropping) }

func testFlagIsDurableBeforeDropping(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	backup, flag := n.backup(t, n.id, n.pic8)
	m := n.before.with(checkpoint.Backup, backup).tracked(t)
	file, err := m.Open(checkpoint.Recover, vfs.CreateNew)
	check(t, err)
	_, err = file.WriteAt([]byte(flag), 0)
	check(t, errors.Join(err, file.Close()))
	check(t, m.SyncDir("log"))
	killed := m.Crash(vfs.Kill, 1)
	looked := 0
	killed.OnOp(func(op vfs.Op) {
		if op.Kind != vfs.OpRename && (op.Kind != vfs.OpRemove || Classify(op.Name, false) != ClassSegment) {
			return
		}
		looked++
		if fl, err := checkpoint.ReadFlags(killed.Crash(vfs.Lost, 1), n.id); err != nil || fl.Promotion == nil {
			t.Errorf("after %v a power cut leaves no flag: %v", op, err)
		}
	})
	s, err := Open(t.Context(), killed.Reopen(), small(4))
	if check(t, err); s.Report.Promoted != 8 || looked < 1 {
		t.Errorf("%+v, looked %d times", s.Report, looked)
	}
}
