package checkpoint

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

var update = flag.Bool("update", false, "write the golden files again")

var ours = wal.StoreID{'o', 'u', 'r', 's'}

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

// codecs runs a test under each codec.
func codecs(t *testing.T, test func(t *testing.T, c wal.Codec)) {
	for _, c := range []wal.Codec{wal.Binary, wal.NDJSON} {
		t.Run(c.String(), func(t *testing.T) { test(t, c) })
	}
}

// content is what a picture is made of: key of tenant main → value.
type content map[string]string

// picture makes the picture behind batch seq, as the engine would: by applying a
// batch that was written and read. Times are seconds, to tell them from seqs.
func picture(t testing.TB, seq batch.Seq, c content) *state.Picture {
	t.Helper()
	b := batch.Batch{Counter: uint64(seq)}
	for _, k := range slices.Sorted(maps.Keys(c)) {
		b.Ops = append(b.Ops, batch.Op{Kind: batch.Put, Key: batch.AppendKey(nil, batch.KV, batch.Main, []byte(k)), Value: []byte(c[k])})
	}
	p, err := batch.Append(nil, &b)
	check(t, err)
	var read batch.Batch
	check(t, batch.Decode(&read, p))
	e := state.NewEdit(state.Empty())
	e.Apply(&read, state.Position{Seq: seq, Time: int64(seq) * 1e9, Chain: batch.Chain{byte(seq), 2, 3}})
	return e.Picture()
}

// whole is everything in a picture.
func whole(p *state.Picture) map[string]string {
	all := map[string]string{}
	for e := range p.Ascend(nil, nil) {
		all[string(e.Key)] = e.Seq.String() + string(e.Value)
	}
	return all
}

func dirOnly(t testing.TB) *vfs.Mem {
	t.Helper()
	m := vfs.NewMem(vfs.MemOptions{})
	check(t, m.Mkdir(wal.Dir))
	return m
}

func slurp(t testing.TB, fsys vfs.FS, name string) []byte {
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

// disk is every file in log/ with its bytes.
func disk(t testing.TB, fsys vfs.FS) map[string]string {
	t.Helper()
	entries, err := fsys.ReadDir(wal.Dir)
	check(t, err)
	all := map[string]string{}
	for _, e := range entries {
		all[e.Name] = string(slurp(t, fsys, wal.Dir+"/"+e.Name))
	}
	return all
}

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

// put writes the checkpoint of a small picture under its name.
func put(t testing.TB, fsys vfs.FS, c wal.Codec, seq batch.Seq) Summary {
	t.Helper()
	sum, err := Write(fsys, Name(seq), Image{ours, picture(t, seq, content{"k": "v"}), c}, nil)
	check(t, err)
	return sum
}

// spoil flips a byte in the middle of a file.
func spoil(t testing.TB, fsys vfs.FS, name string) {
	t.Helper()
	b := bytes.Clone(slurp(t, fsys, name))
	b[len(b)/2] ^= 4
	writeFile(t, fsys, name, b)
}

// promoter is a promoter whose log forgets nothing, and tells what it was asked.
func promoter(fsys vfs.FS, c wal.Codec, trimmed *[]wal.Seq) *Promoter {
	return &Promoter{FS: fsys, Store: ours, Codec: c, Now: func() int64 { return 1000e9 }, Known: map[batch.Seq]Header{},
		Trim: func(_ context.Context, before wal.Seq) error {
			*trimmed = append(*trimmed, before)
			return nil
		}}
}
