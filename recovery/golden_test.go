package recovery

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// goldenDir holds a store of format 0, as it was written when that format was made.
func goldenDir(codec wal.Codec) string {
	if codec == wal.NDJSON {
		return "testdata/format/v0-ndjson"
	}
	return "testdata/format/v0"
}

// goldenStore writes that store: the novel, whose last writer was stopped in the
// middle of a write, so that a tail is kept, and which was closed then.
func goldenStore(t testing.TB, codec wal.Codec) (*novel, files) {
	t.Helper()
	n := novelIn(t, codec, 1)
	m := tornTail(t, n.id, n.crashed, n.crashed.segments()[3]).disk(t)
	a := begin(t, m, making(codec, 2))
	a.close()
	return n, dump(t, m)
}

func readTree(t testing.TB, root string) files {
	t.Helper()
	all := files{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(root, path)
		if rel = filepath.ToSlash(rel); err != nil || rel == "." {
			return err
		}
		if d.IsDir() {
			all[rel+"/"] = ""
			return nil
		}
		b, err := os.ReadFile(path)
		all[rel] = string(b)
		return err
	})
	check(t, err)
	return all
}

func (f files) writeTree(t testing.TB, root string) {
	t.Helper()
	for path, data := range f {
		if strings.HasSuffix(path, "/") {
			continue
		}
		name := filepath.Join(root, filepath.FromSlash(path))
		check(t, os.MkdirAll(filepath.Dir(name), 0o755))
		check(t, os.WriteFile(name, []byte(data), 0o644))
	}
}

// TestFormatGolden: the committed files open, with what was written into them, on a
// real disk too; and writing the same store again gives the same bytes.
func TestFormatGolden(t *testing.T) { both(t, testFormatGolden) }

func testFormatGolden(t *testing.T, codec wal.Codec) {
	n, written := goldenStore(t, codec)
	if *update {
		check(t, os.RemoveAll(goldenDir(codec)))
		written.writeTree(t, goldenDir(codec))
	}
	golden := readTree(t, goldenDir(codec))
	same(t, "written again", written, golden)
	if tails := golden.names(checkpoint.ErrorDir + "/"); len(tails) != 1 {
		t.Errorf("kept: %v", tails)
	}
	if found := findings(t, golden); len(found) != 0 {
		t.Errorf("%+v", found)
	}
	if r := n.opens(t, "golden", golden, 11); !r.Clean || r.Checkpoint != 8 {
		t.Errorf("%+v", r)
	}
	n.opens(t, "the older checkpoint", golden.with(checkpoint.Name(8), gone), 11)

	dir := t.TempDir()
	golden.writeTree(t, dir)
	disk, err := vfs.OpenOS(dir)
	check(t, err)
	n.reads(t, "on a real disk", disk, 11)
	s, err := Open(t.Context(), disk, small(5))
	check(t, err)
	check(t, s.Writer.Close())
	check(t, Release(s.Lock, s.ID, Closed{Seq: 11, Chain: lockChain(t, golden), Time: now()}))
	check(t, disk.Close())
	same(t, "opened and closed on a real disk", readTree(t, dir), golden)
}

// TestCreateTrace: making a store, opening it and closing it, each step in order.
func TestCreateTrace(t *testing.T) { both(t, testCreateTrace) }

func testCreateTrace(t *testing.T, codec wal.Codec) {
	var trace vfs.Trace
	m := vfs.NewMem(vfs.MemOptions{})
	fsys := vfs.NewLog(m, trace.Record)
	for _, note := range []string{"-- make", "-- open again"} {
		trace.Note(note)
		s, err := Open(t.Context(), fsys, making(codec, 1))
		check(t, err)
		trace.Note("-- close")
		check(t, s.Writer.Close())
		check(t, Release(s.Lock, s.ID, Closed{}))
	}
	n := novelIn(t, codec, 1)
	f := tornTail(t, n.id, n.crashed.with("log/durable", gone), n.crashed.segments()[3])
	backup, flag := n.backup(t, n.id, n.pic11)
	f = f.with(checkpoint.Backup, backup).with(checkpoint.Recover, flag).with("log/spare-1", "x")
	trace.Note("-- open after a crash: promotion, torn tail, unproven frames, spare")
	_, err := Open(t.Context(), vfs.NewLog(f.disk(t), trace.Record), small(1))
	check(t, err)
	var lines []string
	for l := range strings.Lines(trace.String()) { // how long the line in LOCK is depends on where this runs
		if strings.HasPrefix(l, "setlock LOCK ") {
			l = "setlock LOCK\n"
		}
		lines = append(lines, l)
	}
	name := map[wal.Codec]string{wal.Binary: "open.trace", wal.NDJSON: "open-ndjson.trace"}[codec]
	goldenText(t, name, strings.Join(lines, ""))
}

func goldenText(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		check(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	check(t, err)
	if got != string(want) {
		t.Errorf("%s is not what was done (-update writes it again):\n%s", path, got)
	}
}

// TestNovelIsTheSame: two stores written alike are alike, to the byte.
func TestNovelIsTheSame(t *testing.T) { both(t, testNovelIsTheSame) }

func testNovelIsTheSame(t *testing.T, codec wal.Codec) {
	same(t, "again", novelIn(t, codec, 1).closed, novelIn(t, codec, 1).closed)
	a, b := novelIn(t, codec, 1).closed, novelIn(t, codec, 2).closed
	if slices.ContainsFunc(a.names("log/"), func(path string) bool { return a[path] == b[path] }) {
		t.Error("two stores have a file in common")
	}
}
