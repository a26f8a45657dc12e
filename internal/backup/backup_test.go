package backup_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// TestIncremental: the first backup copies all, a later one what is new: the segment
// that was open, longer now, and those that came. The bytes up to where a copy ends
// are those of the source.
func TestIncremental(t *testing.T) {
	a := newAuthor(t, engine.Options{})
	p := place()
	a.put(1)
	res := a.backup(p, engine.BackupOptions{})
	if res.Seq != 1 || res.Segments != 1 || res.There != 0 || res.Bytes == 0 || res.Time.IsZero() || len(res.Chain) != 64 {
		t.Errorf("first: %+v", res)
	}
	const first = "log/00000000000000000001.vlog"
	sealed := slurp(t, p, first)
	if got, src := sealed[:len(sealed)-512], slurp(t, a.mem, first); !strings.HasPrefix(src, got) {
		t.Error("the copy is not what stands in the source")
	}
	if res = a.backup(p, engine.BackupOptions{}); res.Segments != 0 || res.There != 1 || res.Bytes != 0 {
		t.Errorf("nothing new: %+v", res)
	}
	a.put(11)
	a.checkpoint()
	a.put(2)
	res = a.backup(p, engine.BackupOptions{})
	all := len(segments(t, p))
	if res.Seq != 14 || res.Segments != all || res.Checkpoints != 1 || res.There != 0 {
		t.Errorf("grown: %+v with %d segments", res, all)
	}
	if slurp(t, p, first) != slurp(t, a.mem, first) {
		t.Error("a sealed segment is not copied byte for byte")
	}
	a.put(1)
	res = a.backup(p, engine.BackupOptions{Verify: true})
	if res.Segments != 1 || res.There != all+1 || !res.Verified {
		t.Errorf("one more: %+v", res)
	}
	dry, err := a.db.BackupFS(t.Context(), place(), engine.BackupOptions{DryRun: true})
	check(t, err)
	if dry.Segments != all+1 || dry.Checkpoints != 1 || dry.Bytes == 0 {
		t.Errorf("rehearsed: %+v", dry)
	}
}

func segments(t testing.TB, fsys vfs.FS) (names []string) {
	t.Helper()
	for name := range files(t, fsys) {
		if strings.HasSuffix(name, ".vlog") || strings.HasSuffix(name, ".ndjson") {
			names = append(names, name)
		}
	}
	return names
}

// TestGap: where the source has dropped what lies behind the place's end, the place
// goes on from a checkpoint and forgets what no longer leads anywhere; without a gap
// it keeps what the source has dropped, unless that is to be pruned.
func TestGap(t *testing.T) { under(t, testGap) }

func testGap(t *testing.T, opts engine.Options) {
	a := newAuthor(t, opts)
	p := place()
	a.put(6)
	a.backup(p, engine.BackupOptions{})
	a.put(6)
	a.checkpoint()
	a.backup(p, engine.BackupOptions{})
	old := len(segments(t, p))
	a.put(6)
	a.checkpoint() // drops what is up to #12
	a.put(1)
	res := a.backup(p, engine.BackupOptions{})
	if res.Removed != 0 || len(segments(t, p)) <= old || res.Checkpoints != 1 {
		t.Errorf("without a gap: %+v", res)
	}
	restores(t, a, p, 1) // the place reaches further back than the source
	if res = a.backup(p, engine.BackupOptions{Prune: true}); res.Removed != old || len(segments(t, p)) != len(segments(t, a.mem)) {
		t.Errorf("pruned: %+v, %d segments, %d before", res, len(segments(t, p)), old)
	}
	had := files(t, p)
	for range 3 {
		a.put(6)
		a.checkpoint()
	}
	a.put(1)
	res = a.backup(p, engine.BackupOptions{})
	for name := range files(t, p) {
		if had[name] != "" && strings.HasPrefix(name, "log/") && name != "log/" {
			t.Errorf("%s is left, %+v", name, res)
		}
	}
	if res.Removed == 0 || res.Checkpoints != 2 {
		t.Errorf("across a gap: %+v", res)
	}
	if !maps.Equal(mapOf(segments(t, p)), mapOf(segments(t, a.mem))) {
		t.Error("the segments are not those of the source")
	}
}

func mapOf(names []string) map[string]bool {
	m := map[string]bool{}
	for _, n := range names {
		m[n] = true
	}
	return m
}

// restores restores a place to a seq and looks.
func restores(t testing.TB, a *author, p vfs.FS, seq uint64) {
	t.Helper()
	m := vfs.NewMem(vfs.MemOptions{})
	before := files(t, p)
	res, err := engine.RestoreFS(t.Context(), untouched(t, p), m, engine.RestoreOptions{Seq: seq, Clock: clock()})
	check(t, err)
	if res.Seq != seq || !res.Checked {
		t.Fatalf("restored to %+v, not to #%d", res, seq)
	}
	if !maps.Equal(files(t, p), before) {
		t.Fatal("the place has changed")
	}
	opensClean(t, m, a.hist[seq], seq)
}

// opensClean opens a restored store for writing: nothing to repair, and it goes on.
func opensClean(t testing.TB, m *vfs.Mem, want content, seq uint64) {
	t.Helper()
	db, err := engine.OpenFS(t.Context(), m.Reopen(), engine.Options{MustExist: true, CheckpointAfter: -1, SegmentSize: 2 << 10, NoPrepare: true})
	check(t, err)
	if got := contentOf(t, db); !db.Report().Clean || db.Durable() != seq || !maps.Equal(got, want) {
		t.Fatalf("opens at #%d with %d keys, not at #%d with %d: %+v", db.Durable(), len(got), seq, len(want), db.Report())
	}
	check(t, db.Put(t.Context(), []byte("more"), []byte("of it")))
	check(t, db.Close())
	spotless(t, m)
}

// TestClosedSource: a closed store is backed up without anything written to it, and so
// is one that a crash left: what is proven of it.
func TestClosedSource(t *testing.T) { under(t, testClosedSource) }

func testClosedSource(t *testing.T, opts engine.Options) {
	a := newAuthor(t, opts)
	a.put(7)
	a.checkpoint()
	a.put(4)
	crashed := vfs.NewMem(vfs.MemOptions{})
	for name, data := range files(t, a.mem) {
		put(t, crashed, name, data)
	}
	check(t, a.db.Close())
	for what, src := range map[string]*vfs.Mem{"closed": a.mem, "crashed": crashed} {
		before := files(t, src)
		p := place()
		res, err := engine.BackupFS(t.Context(), untouched(t, src), p, engine.BackupOptions{Clock: clock()})
		check(t, err)
		if res.Seq != 11 || !maps.Equal(files(t, src), before) {
			t.Errorf("%s: %+v", what, res)
		}
		a.leads(p, 11)
		restores(t, a, p, 9)
		restores(t, a, src, 8)
	}
}

// put writes a file, and makes the directories on the way.
func put(t testing.TB, fsys vfs.FS, name, data string) {
	t.Helper()
	if i := strings.IndexByte(name, '/'); i >= 0 {
		_ = fsys.Mkdir(name[:i])
	}
	if strings.HasSuffix(name, "/") {
		return
	}
	f, err := fsys.Open(name, vfs.Create)
	check(t, err)
	_, err = f.WriteAt([]byte(data), 0)
	check(t, err)
	check(t, f.Close())
}

// TestEmpty: a store without a batch has a place, and comes back.
func TestEmpty(t *testing.T) {
	a := newAuthor(t, engine.Options{Documentation: "nothing yet"})
	p := place()
	if res := a.backup(p, engine.BackupOptions{}); res.Seq != 0 || !res.Time.IsZero() {
		t.Errorf("%+v", res)
	}
	m := vfs.NewMem(vfs.MemOptions{})
	_, err := engine.RestoreFS(t.Context(), p, m, engine.RestoreOptions{})
	check(t, err)
	opensClean(t, m, content{}, 0)
	a.put(2)
	a.backup(p, engine.BackupOptions{})
}

// TestPlaceOfAPlace: a place is a source like any other.
func TestPlaceOfAPlace(t *testing.T) {
	a := newAuthor(t, engine.Options{})
	a.put(5)
	p, q := place(), place()
	a.backup(p, engine.BackupOptions{})
	_, err := engine.BackupFS(t.Context(), untouched(t, p), q, engine.BackupOptions{})
	check(t, err)
	a.leads(q, 5)
	db, err := engine.OpenFS(t.Context(), q.Reopen(), engine.Options{ReadOnly: true})
	check(t, err)
	again := place()
	_, err = db.BackupFS(t.Context(), again, engine.BackupOptions{})
	check(t, errors.Join(err, db.Close()))
	a.leads(again, 5)
	_, err = engine.OpenFS(t.Context(), q.Reopen(), engine.Options{})
	wantKind(t, "open a place for writing", err, engine.ErrIncompatible)
	if e, _ := errors.AsType[*engine.Error](err); !strings.Contains(e.Advice(), "restore it") {
		t.Errorf("%v", err)
	}
}
