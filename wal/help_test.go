package wal

import (
	"errors"
	"flag"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

var update = flag.Bool("update", false, "write the golden files again")

// ours is the store of these tests.
var ours = StoreID{'o', 'u', 'r', 's'}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantKind(t testing.TB, err error, kind *fault.Kind) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("got %v, want %v", err, kind)
	}
}

func record(payload string) Record {
	r := batch.NewRecord([]byte(payload))
	r.Time = 1000
	return r
}

func records(payloads ...string) []Record {
	var all []Record
	for _, p := range payloads {
		all = append(all, record(p))
	}
	return all
}

// counting returns different epochs, the same ones in every run.
func counting() func() uint64 {
	n := uint64(0)
	return func() uint64 { n++; return n * 0x9e3779b97f4a7c15 }
}

// both runs a test under each codec.
func both(t *testing.T, test func(*testing.T, Codec)) {
	for _, c := range []Codec{Binary, NDJSON} {
		t.Run(c.String(), func(t *testing.T) { test(t, c) })
	}
}

func tiny(c Codec) Options {
	return Options{Store: ours, Codec: c, SegmentSize: 4 << 10, Rand: counting(), Now: func() int64 { return 7 }}
}

func mem() *vfs.Mem { return vfs.NewMem(vfs.MemOptions{}) }

// rig is a log under test.
type rig struct {
	t testing.TB
	*Local
	fs   vfs.FS
	last Seq
}

func newRig(t testing.TB, fsys vfs.FS, opts Options) *rig {
	t.Helper()
	check(t, fsys.Mkdir(Dir))
	l, err := Resume(fsys, opts, Start{})
	check(t, err)
	return &rig{t: t, Local: l, fs: fsys}
}

// add appends one group.
func (r *rig) add(payloads ...string) error {
	last, err := r.Append(r.t.Context(), r.last, records(payloads...))
	if err == nil {
		r.last = last
	}
	return err
}

// put appends a group and syncs.
func (r *rig) put(payloads ...string) {
	r.t.Helper()
	check(r.t, r.add(payloads...))
	check(r.t, r.Sync(r.t.Context()))
}

// fill puts n records that take two sectors each: three of them and a seal fill a
// segment of tiny.
func (r *rig) fill(n int) {
	r.t.Helper()
	for range n {
		r.put(strings.Repeat("x", 600))
	}
}

// listed is what a reader got: seqs and payloads, and how it ended.
type listed struct {
	seqs     []Seq
	payloads []string
	err      error
}

func list(entries iter.Seq2[Entry, error]) (l listed) {
	for e, err := range entries {
		if err != nil {
			l.err = err
			continue
		}
		l.seqs = append(l.seqs, e.Seq)
		l.payloads = append(l.payloads, string(e.Payload))
	}
	return l
}

func seqs(from, to Seq) (all []Seq) {
	for s := from; s <= to; s++ {
		all = append(all, s)
	}
	return all
}

// onDisk scans every segment in order and returns the payloads of good frames and
// the segments. It fails where the segments do not follow each other.
func onDisk(t testing.TB, fsys vfs.FS) (payloads []string, segments []*Segment) {
	t.Helper()
	next, chain := Seq(0), Chain{}
	for _, name := range names(t, fsys) {
		first, _, ok := ParseSegment(name)
		if !ok {
			continue
		}
		seg, err := Scan(t.Context(), Place{fsys, Dir + "/" + name, ours}, func(e Entry, _ int64) error {
			payloads = append(payloads, string(e.Payload))
			return nil
		})
		check(t, err)
		if next != 0 && (first != next || seg.Header.Chain != chain) {
			t.Fatalf("segment %s does not follow", name)
		}
		next, chain = seg.Last+1, seg.ChainEnd
		segments = append(segments, seg)
	}
	return payloads, segments
}

func names(t testing.TB, fsys vfs.FS) (all []string) {
	t.Helper()
	entries, err := fsys.ReadDir(Dir)
	check(t, err)
	for _, e := range entries {
		all = append(all, e.Name)
	}
	return all
}

func readFile(t testing.TB, fsys vfs.FS, name string) []byte {
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
	return b
}

// writeFile makes a file be exactly b.
func writeFile(t testing.TB, fsys vfs.FS, name string, b []byte) {
	t.Helper()
	f, err := fsys.Open(name, vfs.Create)
	check(t, err)
	check(t, f.Truncate(0))
	_, err = f.WriteAt(b, 0)
	check(t, err)
	check(t, f.Close())
}

// golden compares text with a file in testdata.
func golden(t *testing.T, name, got string) {
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

func equal[T comparable](t testing.TB, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

// base is the name of a segment without its directory.
func base(c Codec, first Seq) string { return strings.TrimPrefix(c.SegmentName(first), Dir+"/") }
