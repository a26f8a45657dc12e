package recovery

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

var update = flag.Bool("update", false, "write the golden files again")

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

// now is the time of every test.
func now() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

// counting returns different numbers, the same ones in every run with a seed.
func counting(seed uint64) func() uint64 {
	return func() uint64 { seed++; return seed * 0x9e3779b97f4a7c15 }
}

func small(seed uint64) Options {
	return Options{SegmentSize: 2 << 10, Rand: counting(seed), Now: now}
}

// making are options for a store that has to be made.
func making(codec wal.Codec, seed uint64) Options {
	o := small(seed)
	o.Codec = codec
	return o
}

// otherThan returns the other codec.
func otherThan(c wal.Codec) wal.Codec {
	if c == wal.NDJSON {
		return wal.Binary
	}
	return wal.NDJSON
}

// both runs a test under each codec.
func both(t *testing.T, test func(*testing.T, wal.Codec)) {
	for _, c := range []wal.Codec{wal.Binary, wal.NDJSON} {
		t.Run(c.String(), func(t *testing.T) { test(t, c) })
	}
}

func readOnly() Options {
	o := small(1)
	o.ReadOnly = true
	return o
}

// content is what a store holds in tenant main.
type content map[string]string

func contentOf(p *state.Picture) content {
	c := content{}
	for e := range p.Ascend([]byte{byte(batch.KV)}, []byte{byte(batch.KV) + 1}) {
		_, _, key, err := batch.SplitKey(e.Key)
		if err != nil {
			panic(err)
		}
		c[string(key)] = string(e.Value)
	}
	return c
}

// author writes to a store as the engine does.
type author struct {
	t    testing.TB
	fs   *vfs.Mem
	s    *Store
	last batch.Seq
	edit *state.Edit
	keep content
}

func begin(t testing.TB, fsys *vfs.Mem, opts Options) *author {
	t.Helper()
	s, err := Open(t.Context(), fsys.Reopen(), opts)
	check(t, err)
	return &author{t: t, fs: fsys, s: s, last: s.Picture.Seq(), edit: state.NewEdit(s.Picture), keep: contentOf(s.Picture)}
}

func putOp(key, value string) batch.Op {
	return batch.Op{Kind: batch.Put, Key: batch.AppendKey(nil, batch.KV, batch.Main, []byte(key)), Value: []byte(value)}
}

// record makes the record of a batch.
func record(t testing.TB, b *batch.Batch) batch.Record {
	t.Helper()
	p, err := batch.Append(nil, b)
	check(t, err)
	r := batch.NewRecord(p)
	r.Time = now().UnixNano()
	return r
}

// append adds a batch of one put and does not sync.
func (a *author) append(key, value string) {
	a.t.Helper()
	a.commit(putOp(key, value))
	a.keep[key] = value
}

// commit adds a batch of some ops and does not sync.
func (a *author) commit(ops ...batch.Op) {
	a.t.Helper()
	b := batch.Batch{Counter: uint64(a.last) + 1, Ops: ops}
	r := record(a.t, &b)
	pos := a.edit.Picture().Position()
	last, err := a.s.Writer.Append(a.t.Context(), a.last, []batch.Record{r})
	check(a.t, err)
	a.last = last
	a.edit.Apply(&b, state.Position{Seq: last, Time: r.Time, Chain: pos.Chain.Next(r.Hash)})
}

func (a *author) put(key, value string) {
	a.t.Helper()
	a.append(key, value)
	check(a.t, a.s.Writer.Sync(a.t.Context()))
}

func (a *author) checkpoint() {
	a.t.Helper()
	check(a.t, a.s.Writer.Rotate(a.t.Context()))
	p := checkpoint.Promoter{FS: a.s.FS, Store: a.s.ID, Codec: a.s.Format.LogCodec(), Now: func() int64 { return now().UnixNano() }, Trim: a.s.Writer.Trim, Known: a.s.Known}
	_, err := p.Run(a.t.Context(), a.edit.Picture())
	check(a.t, err)
}

func (a *author) close() {
	a.t.Helper()
	check(a.t, a.s.Writer.Close())
	check(a.t, Release(a.s.Lock, a.s.ID, Closed{Seq: a.last, Chain: chainOf(a.edit), Time: now()}))
}

func chainOf(e *state.Edit) []byte {
	c := e.Picture().Chain()
	return c[:]
}

// files is a whole store: path → bytes; directories end in a slash.
type files map[string]string

func dump(t testing.TB, fsys vfs.FS) files {
	t.Helper()
	all := files{}
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

// disk returns a fresh disk with the files on it.
func (f files) disk(t testing.TB) *vfs.Mem {
	t.Helper()
	return f.on(t, vfs.NewMem(vfs.MemOptions{}))
}

// tracked returns a fresh disk that can crash, with the files on it, durable.
func (f files) tracked(t testing.TB) *vfs.Mem {
	t.Helper()
	return f.on(t, vfs.NewMem(vfs.MemOptions{Track: true})).Crash(vfs.Kept, 1)
}

// on puts the files on a disk.
func (f files) on(t testing.TB, m *vfs.Mem) *vfs.Mem {
	t.Helper()
	for _, path := range slices.Sorted(maps.Keys(f)) {
		if dir, ok := strings.CutSuffix(path, "/"); ok {
			check(t, m.Mkdir(dir))
			continue
		}
		file, err := m.Open(path, vfs.CreateNew)
		check(t, err)
		_, err = file.WriteAt([]byte(f[path]), 0)
		check(t, err)
		check(t, file.Close())
	}
	return m
}

// with returns the files with one put in place, or taken away where data is gone.
func (f files) with(path, data string) files {
	g := maps.Clone(f)
	if g[path] = data; data == gone {
		delete(g, path)
	}
	return g
}

const gone = "\x00gone"

// flip returns the files with one bit of one byte changed.
func (f files) flip(path string, off int) files {
	b := []byte(f[path])
	b[off] ^= 1 << (off % 8)
	return f.with(path, string(b))
}

// names lists the paths that begin with a prefix.
func (f files) names(prefix string) (all []string) {
	for path := range f {
		if strings.HasPrefix(path, prefix) && !strings.HasSuffix(path, "/") {
			all = append(all, path)
		}
	}
	slices.Sort(all)
	return all
}

func (f files) segments() []string {
	return slices.DeleteFunc(f.names("log/0"), func(s string) bool { return Classify(s, false) != ClassSegment })
}

// same fails where two directories differ.
func same(t testing.TB, what string, got, want files) {
	t.Helper()
	if maps.Equal(got, want) {
		return
	}
	for path := range got {
		if w, ok := want[path]; !ok || w != got[path] {
			t.Errorf("%s: %s is new or changed: %d bytes", what, path, len(got[path]))
		}
	}
	for path := range want {
		if _, ok := got[path]; !ok {
			t.Errorf("%s: %s has gone", what, path)
		}
	}
	t.FailNow()
}

// novel is the store of these tests: eleven batches of one put each, checkpoints
// behind #4 and #8, two batches to a segment; #1 to #4 are no longer in the log.
type novel struct {
	codec   wal.Codec
	hist    []content // after each batch
	id      wal.StoreID
	before  files // rotated behind #8, before the second promotion
	crashed files // behind #11, the process gone
	closed  files // behind #11, closed cleanly
	pic2    *state.Picture
	pic8    *state.Picture
	pic11   *state.Picture
}

func value(seq int) string {
	return fmt.Sprint(seq, strings.Repeat("v", 300))
}

func write(t testing.TB, seed uint64) *novel { return novelIn(t, wal.Binary, seed) }

// novelIn is the same under a codec.
func novelIn(t testing.TB, codec wal.Codec, seed uint64) *novel {
	t.Helper()
	m := vfs.NewMem(vfs.MemOptions{})
	a := begin(t, m, making(codec, seed))
	n := &novel{codec: codec, hist: []content{{}}, id: a.s.ID}
	for seq := 1; seq <= 11; seq++ {
		a.put(fmt.Sprint("key", seq%7), value(seq))
		n.hist = append(n.hist, maps.Clone(a.keep))
		if seq == 2 {
			n.pic2 = a.edit.Picture()
		}
		if seq == 8 {
			check(t, a.s.Writer.Rotate(t.Context()))
			n.before, n.pic8 = dump(t, m), a.edit.Picture()
		}
		if seq%4 == 0 {
			a.checkpoint()
		}
	}
	n.crashed, n.pic11 = dump(t, m), a.edit.Picture()
	a.close()
	n.closed = dump(t, m)
	return n
}

// opens opens a store, which must hold exactly what the novel tells up to last; then
// writes, closes, finds nothing to complain about, and opens it again, clean.
func (n *novel) opens(t testing.TB, what string, f files, last int) Report {
	t.Helper()
	m := f.disk(t)
	s, err := Open(t.Context(), m.Reopen(), small(99))
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if got := contentOf(s.Picture); int(s.Picture.Seq()) != last || int(s.Report.Last) != last || !maps.Equal(got, n.hist[last]) {
		t.Fatalf("%s: opens at %v with %d keys, not at #%d with %d", what, s.Picture.Seq(), len(got), last, len(n.hist[last]))
	}
	a := &author{t: t, fs: m, s: s, last: s.Picture.Seq(), edit: state.NewEdit(s.Picture), keep: contentOf(s.Picture)}
	a.put("more", "of it")
	a.close()
	clean(t, what, m)
	again, err := Open(t.Context(), m.Reopen(), small(98))
	if err != nil {
		t.Fatalf("%s: again: %v", what, err)
	}
	if !again.Report.Clean && len(s.Report.Skipped) == 0 || !maps.Equal(contentOf(again.Picture), a.keep) {
		t.Fatalf("%s: again: %+v", what, again.Report)
	}
	return s.Report
}

// clean fails where a closed store has anything that should not be there.
func clean(t testing.TB, what string, m *vfs.Mem) {
	t.Helper()
	for path := range dump(t, m) {
		if class := Classify(strings.TrimSuffix(path, "/"), strings.HasSuffix(path, "/")); class == ClassDurable || class == ClassBackup || class == ClassFlag || class == ClassSpare || class == ClassTemp {
			t.Errorf("%s: %s is left", what, path)
		}
	}
	// A damaged checkpoint that opening went past stays, and is told.
	_, err := Check(context.Background(), m.Reopen(), CheckOptions{Now: now}, func(f Finding) {
		if f.Severity == SeverityError && Classify(f.File, false) != ClassCheckpoint {
			t.Errorf("%s: check: %+v", what, f)
		}
	})
	check(t, err)
}

// refuses opens a store, which must be an error of a kind and change nothing.
func refuses(t testing.TB, what string, f files, kind *fault.Kind, opts Options) *fault.Error {
	t.Helper()
	m := f.disk(t)
	_, err := Open(t.Context(), m.Reopen(), opts)
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || e.Err != kind {
		t.Fatalf("%s: got %v, want %v", what, err, kind)
	}
	same(t, what, dump(t, m), f)
	if held, err := m.Held(LockName); held || err != nil {
		t.Fatalf("%s: the lock is held: %v", what, err)
	}
	return e
}

// backup is the file of a checkpoint and the flag that names it.
func (n *novel) backup(t testing.TB, id wal.StoreID, p *state.Picture) (file, flag string) {
	t.Helper()
	m := files{"log/": ""}.disk(t)
	sum, err := checkpoint.Write(m, checkpoint.Backup, checkpoint.Image{Store: id, Picture: p, Codec: n.codec}, nil)
	check(t, err)
	return slurp(t, m, checkpoint.Backup), promotionLine(id, p.Seq(), sum.Digest)
}

func promotionLine(id wal.StoreID, seq batch.Seq, digest batch.Digest) string {
	return flagLine(`{"store":"%x","seq":%d,"digest":"%x","time":%d`, id[:], uint64(seq), digest[:], now().UnixNano())
}

// flagLine spells a flag file by docs/FORMAT.md: what it says, and the sum of that.
func flagLine(format string, args ...any) string {
	text := fmt.Sprintf(format, args...)
	return fmt.Sprintf("%s,\"sum\":\"%08x\"}\n", text, batch.Sum([]byte(text)))
}

// otherStore returns a flag as another store would have written it.
func otherStore(flag string, id wal.StoreID) string {
	if flag == gone || flag == "" {
		return flag
	}
	return reseal(strings.Replace(flag, fmt.Sprintf("%x", id[:]), strings.Repeat("01", 16), 1))
}

// reseal gives a flag that was changed the sum of what it says now.
func reseal(flag string) string {
	text, _, _ := strings.Cut(flag, `,"sum":`)
	return flagLine("%s", text)
}

// tornTail is a group that was written behind the end of a segment and got torn: a
// whole header whose payload is not there.
func tornTail(t testing.TB, id wal.StoreID, f files, name string) files {
	t.Helper()
	m := f.disk(t)
	seg, err := wal.Scan(t.Context(), wal.Place{FS: m, Name: name, Store: id}, nil)
	check(t, err)
	s, err := Open(t.Context(), m.Reopen(), readOnly())
	check(t, err)
	if s.Picture.Seq() != seg.Last {
		t.Fatalf("%s is not the newest segment", name)
	}
	return f.with(name, f[name][:seg.Space()]+torn(seg))
}

// torn is what is left of a group behind the end of a segment: of a frame the header
// and some of its payload, of a line the half.
func torn(seg *wal.Segment) string {
	if seg.Codec == wal.NDJSON {
		return fmt.Sprintf(`{"seq":%d,"time":"2026-01-02T03:04:05Z","synced":0,"prev":"%x","writer":"0000`, uint64(seg.Last)+1, seg.ChainEnd[:])
	}
	return frameHeader(seg, 300) + "torn payload"
}

// frames are the offsets of the frames of a segment that is whole, and behind them
// that of its seal, or where it would stand.
func (n *novel) frames(t testing.TB, f files, name string) (offs []int) {
	t.Helper()
	seg, err := wal.Scan(t.Context(), wal.Place{FS: f.disk(t), Name: name, Store: n.id}, func(_ wal.Entry, off int64) error {
		offs = append(offs, int(off))
		return nil
	})
	check(t, err)
	switch {
	case !seg.Sealed:
		return append(offs, int(seg.Space()))
	case seg.Codec == wal.NDJSON:
		return append(offs, strings.LastIndex(f[name], `{"seal":`))
	}
	return append(offs, int(seg.End)-vfs.SectorSize)
}

// frameHeader spells a frame header that opens a group at the end of a segment, by
// docs/FORMAT.md.
func frameHeader(seg *wal.Segment, length uint32) string {
	le := binary.LittleEndian
	h := []byte{'v', 'F', 1, 128}
	h = le.AppendUint32(h, length)
	h = le.AppendUint64(h, uint64(seg.Last)+1)
	h = le.AppendUint64(h, 0)
	h = le.AppendUint64(h, 0) // nothing was known to be synced
	h = le.AppendUint32(h, 0)
	h = le.AppendUint32(h, 0)
	h = append(h, seg.ChainEnd[:]...)
	sum := batch.Sum(le.AppendUint64(append([]byte{}, seg.Header.Store[:]...), seg.Header.Epoch))
	sum = batch.SumMore(sum, le.AppendUint64(nil, uint64(seg.Space())))
	sum = batch.SumMore(batch.SumMore(sum, h[:36]), h[40:])
	le.PutUint32(h[36:], sum)
	return string(h)
}
