package backup_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantKind(t testing.TB, what string, err error, kind *engine.Kind) {
	t.Helper()
	if e, ok := errors.AsType[*engine.Error](err); !ok || e.Err != kind {
		t.Fatalf("%s: got %v, want %v", what, err, kind)
	}
}

// start is the time of every test; each call of clock is a second later.
var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func clock() func() time.Time {
	now := start
	return func() time.Time {
		now = now.Add(time.Second)
		return now
	}
}

func counting(seed uint64) func() uint64 {
	return func() uint64 { seed++; return seed * 0x9e3779b97f4a7c15 }
}

// under runs a test under each codec.
func under(t *testing.T, test func(t *testing.T, opts engine.Options)) {
	t.Helper()
	for _, codec := range []engine.Codec{engine.Binary, engine.NDJSON} {
		t.Run(codec.String(), func(t *testing.T) { test(t, engine.Options{Codec: codec}) })
	}
}

// content is what a store holds in tenant main.
type content map[string]string

func contentOf(t testing.TB, db *engine.DB) content {
	t.Helper()
	c := content{}
	for e, err := range db.Scan(context.Background(), engine.Range{}) {
		check(t, err)
		c[string(e.Key)] = string(e.Value)
	}
	return c
}

// author writes a store of small segments and keeps what it was behind each batch.
type author struct {
	t    testing.TB
	mem  *vfs.Mem
	db   *engine.DB
	hist []content
	opts engine.Options
}

func newAuthor(t testing.TB, opts engine.Options) *author {
	t.Helper()
	opts.SegmentSize, opts.CheckpointAfter, opts.NoPrepare = 2<<10, -1, true
	opts.Clock, opts.Random = clock(), counting(7)
	a := &author{t: t, mem: vfs.NewMem(vfs.MemOptions{}), hist: []content{{}}, opts: opts}
	a.open()
	return a
}

func (a *author) open() {
	a.t.Helper()
	db, err := engine.OpenFS(a.t.Context(), a.mem.Reopen(), a.opts)
	check(a.t, err)
	a.db = db
	a.t.Cleanup(func() { _ = db.Close() })
}

// put writes some batches: puts, and now and then a deletion.
func (a *author) put(n int) {
	a.t.Helper()
	for range n {
		seq := len(a.hist)
		next := maps.Clone(a.hist[seq-1])
		key := fmt.Sprint("key", seq%7)
		var err error
		if seq%5 == 0 {
			delete(next, key)
			err = a.db.Delete(a.t.Context(), []byte(key))
		} else {
			next[key] = fmt.Sprint(seq, strings.Repeat("v", 300))
			err = a.db.Put(a.t.Context(), []byte(key), []byte(next[key]))
		}
		check(a.t, err)
		a.hist = append(a.hist, next)
		if a.db.Durable() != uint64(seq) {
			a.t.Fatalf("batch %d has number %d", seq, a.db.Durable())
		}
	}
}

func (a *author) checkpoint() {
	a.t.Helper()
	_, err := a.db.Checkpoint(a.t.Context())
	check(a.t, err)
}

func (a *author) last() uint64 { return uint64(len(a.hist) - 1) }

// backup backs up the open store.
func (a *author) backup(place vfs.FS, opts engine.BackupOptions) engine.BackupResult {
	a.t.Helper()
	opts.Clock = clock()
	res, err := a.db.BackupFS(a.t.Context(), place, opts)
	check(a.t, err)
	a.leads(place, res.Seq)
	return res
}

// leads fails unless the place, opened for reading, is the store as it was at a seq,
// and check finds nothing.
func (a *author) leads(place vfs.FS, seq uint64) {
	a.t.Helper()
	got, c, err := look(a.t, place)
	check(a.t, err)
	if got != seq || !maps.Equal(c, a.hist[seq]) {
		a.t.Fatalf("leads to #%d with %d keys, not to #%d with %d", got, len(c), seq, len(a.hist[seq]))
	}
	spotless(a.t, place)
}

// look opens a directory for reading and says what it holds.
func look(t testing.TB, fsys vfs.FS) (seq uint64, c content, err error) {
	t.Helper()
	db, err := engine.OpenFS(context.Background(), kept{fsys}, engine.Options{ReadOnly: true})
	if err != nil {
		return 0, nil, err
	}
	seq, c = db.Stats().Seq, contentOf(t, db)
	return seq, c, db.Close()
}

// spotless fails where check finds anything at all.
func spotless(t testing.TB, fsys vfs.FS) {
	t.Helper()
	_, err := engine.CheckFS(context.Background(), fsys, engine.CheckOptions{}, func(f engine.Finding) {
		t.Errorf("check: %+v", f)
	})
	check(t, err)
	if t.Failed() {
		t.FailNow()
	}
}

// kept is a file system that outlives the DB on it.
type kept struct{ vfs.FS }

func (kept) Close() error { return nil }

// files is a whole directory: path → bytes.
func files(t testing.TB, fsys vfs.FS) map[string]string {
	t.Helper()
	all := map[string]string{}
	dirs := []string{"."}
	for len(dirs) > 0 {
		dir := dirs[0]
		dirs = dirs[1:]
		entries, err := fsys.ReadDir(dir)
		check(t, err)
		for _, e := range entries {
			path := strings.TrimPrefix(dir+"/"+e.Name, "./")
			if e.Dir {
				all[path+"/"] = ""
				dirs = append(dirs, path)
				continue
			}
			all[path] = slurp(t, fsys, path)
		}
	}
	return all
}

func slurp(t testing.TB, fsys vfs.FS, name string) string {
	t.Helper()
	f, err := fsys.Open(name, vfs.ReadOnly)
	check(t, err)
	st, err := f.Stat()
	check(t, err)
	b := make([]byte, st.Size)
	if _, err := f.ReadAt(b, 0); err != io.EOF {
		check(t, err)
	}
	check(t, f.Close())
	return string(b)
}

// spoil overwrites bytes of a file.
func spoil(t testing.TB, fsys vfs.FS, name string, off int64) {
	t.Helper()
	f, err := fsys.Open(name, vfs.ReadWrite)
	check(t, err)
	_, err = f.WriteAt([]byte("spoilt spoilt spoilt"), off)
	check(t, errors.Join(err, f.Close()))
}

// place returns a disk that can crash.
func place() *vfs.Mem { return vfs.NewMem(vfs.MemOptions{Track: true}) }

// untouched shows a disk to which nobody may write, not even a lock.
func untouched(t testing.TB, fsys vfs.FS) vfs.FS {
	return vfs.NewLog(fsys, func(op vfs.Op, _ error) {
		if !op.Kind.Reads() {
			t.Errorf("the source was touched: %v", op)
		}
	})
}

// backerEnv makes the test binary back up and end: source, a newline, place.
const backerEnv = "VLOG_BACKUP_TEST"

// TestMain fails where a goroutine is left when all tests have ended. As a child it backs
// up.
func TestMain(m *testing.M) {
	if args := os.Getenv(backerEnv); args != "" {
		src, dest, _ := strings.Cut(args, "\n")
		if _, err := engine.Backup(context.Background(), src, dest, engine.BackupOptions{}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}
