package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

func TestWriteLoad(t *testing.T) { codecs(t, writeLoad) }

func writeLoad(t *testing.T, codec wal.Codec) {
	many := content{}
	for i := range 40 {
		many[fmt.Sprintf("key %03d", i)] = strings.Repeat(fmt.Sprint(i), 30<<10)
	}
	for name, c := range map[string]struct {
		p      *state.Picture
		blocks uint64
	}{
		"before the first batch": {state.Empty(), 0},
		"one key":                {picture(t, 7, content{"k": "v"}), 1},
		"no value":               {picture(t, 1<<40, content{"k": ""}), 1},
		"several blocks":         {picture(t, 9, many), 5},
		"value above a block":    {picture(t, 9, content{"a": "small", "b": strings.Repeat("b", BlockSize+9), "c": "small"}), 3},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := dirOnly(t)
			var paced int
			sum, err := Write(fsys, Backup, Image{ours, c.p, codec}, func(n int) error { paced += n; return nil })
			check(t, err)
			if sum.Blocks != c.blocks || sum.Entries != uint64(c.p.Len()) || sum.At != c.p.Position() || sum.Store != ours || sum.Codec != codec {
				t.Errorf("%+v", sum)
			}
			size := int64(len(slurp(t, fsys, Backup)))
			if sum.Size != size || int64(paced) != size {
				t.Errorf("size %d, told %d, paced %d", size, sum.Size, paced)
			}
			p, read, err := Load(fsys, Backup, ours)
			check(t, err)
			if read != sum || p.Position() != c.p.Position() || !maps.Equal(whole(p), whole(c.p)) {
				t.Errorf("loaded %+v, written %+v", read, sum)
			}
			verified, err := Verify(fsys, Backup, ours)
			if check(t, err); verified != sum {
				t.Errorf("verified %+v, written %+v", verified, sum)
			}
			_, err = Write(fsys, Name(1), Image{ours, p, codec}, nil)
			if check(t, err); !bytes.Equal(slurp(t, fsys, Name(1)), slurp(t, fsys, Backup)) {
				t.Error("the loaded picture is written in other bytes")
			}
			_, err = Write(fsys, Backup, Image{ours, p, codec}, nil)
			wantKind(t, err, fault.ErrExists)
		})
	}
}

// damaged loads a file in two ways; neither may succeed.
func damaged(t *testing.T, what string, b []byte, kind *fault.Kind) {
	t.Helper()
	fsys := dirOnly(t)
	writeFile(t, fsys, Backup, b)
	p, _, err := Load(fsys, Backup, ours)
	_, err2 := Verify(fsys, Backup, ours)
	q, _, err3 := load(fsys, Backup, ours, 0)
	for _, err := range []error{err, err2, err3} {
		if e, ok := errors.AsType[*fault.Error](err); !ok || e.Err != kind || e.At.Path != Backup || e.Op == "" {
			t.Fatalf("%s: %v", what, err)
		}
	}
	if p != nil || q != nil {
		t.Fatalf("%s: a picture came with the error", what)
	}
}

// TestEveryFlipAndCut: there is no byte that does not count, and none too many or
// too few.
func TestEveryFlipAndCut(t *testing.T) { codecs(t, everyFlipAndCut) }

func everyFlipAndCut(t *testing.T, codec wal.Codec) {
	fsys := dirOnly(t)
	put(t, fsys, codec, 7)
	good := slurp(t, fsys, Name(7))
	for i := range good {
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << bit
			damaged(t, fmt.Sprintf("bit %d of byte %d", bit, i), bad, fault.ErrCorrupt)
		}
		damaged(t, fmt.Sprintf("cut to %d", i), good[:i], fault.ErrCorrupt)
	}
	damaged(t, "a byte behind", append(bytes.Clone(good), 0), fault.ErrCorrupt)
	damaged(t, "twice", append(bytes.Clone(good), good...), fault.ErrCorrupt)
	damaged(t, "zeros", make([]byte, len(good)), fault.ErrCorrupt)
	if _, _, err := Load(fsys, Name(7), wal.StoreID{1}); fault.KindOf(err) != fault.ErrForeign {
		t.Errorf("another store's: %v", err)
	}
}

// TestFuture: a version of the future is told from a damaged one.
func TestFuture(t *testing.T) {
	fsys := dirOnly(t)
	put(t, fsys, wal.Binary, 7)
	good := slurp(t, fsys, Name(7))
	for _, v := range []uint32{1, 2, 1 << 31} {
		future := bytes.Clone(good)
		binary.LittleEndian.PutUint32(future[8:], v)
		damaged(t, "version alone", future, fault.ErrCorrupt)
		binary.LittleEndian.PutUint32(future[508:], batch.Sum(future[:508]))
		damaged(t, fmt.Sprint("version ", v), future, fault.ErrIncompatible)
	}
}

// file makes a checkpoint of any blocks with all its checksums right.
func file(h Header, entries uint64, blocks ...[]byte) []byte {
	s := newSpelling(wal.Binary, h)
	b := s.header()
	for _, block := range blocks {
		b = s.block(b, block)
	}
	return append(b, s.footer(entries)...)
}

func entry(seq byte, key, value string) string {
	full := string(batch.AppendKey(nil, batch.KV, batch.Main, []byte(key)))
	return string([]byte{byte(len(full)), byte(len(value)), seq}) + full + value
}

// TestBlocksThatLie: the checksums hold, and the content cannot be.
func TestBlocksThatLie(t *testing.T) {
	h := Header{Store: ours, At: state.Position{Seq: 7}}
	a, b := entry(1, "a", "1"), entry(7, "b", "2")
	for name, c := range map[string]struct {
		entries uint64
		blocks  []string
		want    *fault.Kind
	}{
		"good":                     {2, []string{a, b}, nil},
		"one block":                {2, []string{a + b}, nil},
		"none":                     {0, nil, nil},
		"footer counts more":       {3, []string{a, b}, fault.ErrCorrupt},
		"footer counts less":       {1, []string{a, b}, fault.ErrCorrupt},
		"keys descend":             {2, []string{b + a}, fault.ErrCorrupt},
		"keys descend over blocks": {2, []string{b, a}, fault.ErrCorrupt},
		"key twice":                {2, []string{a, a}, fault.ErrCorrupt},
		"batch of the future":      {1, []string{entry(8, "a", "1")}, fault.ErrCorrupt},
		"batch 0":                  {1, []string{entry(0, "a", "1")}, fault.ErrCorrupt},
		"entry cut":                {1, []string{a[:len(a)-1]}, fault.ErrCorrupt},
		"entry over two blocks":    {1, []string{a[:2], a[2:]}, fault.ErrCorrupt},
		"key length beyond":        {1, []string{"\xff\xff\xff\xff\x0f" + a[1:]}, fault.ErrCorrupt},
		"varint too long":          {1, []string{"\x83\x00" + a[1:]}, fault.ErrCorrupt},
		"no tenant":                {1, []string{"\x02\x00\x01ab"}, fault.ErrCorrupt},
	} {
		fsys := dirOnly(t)
		var blocks [][]byte
		for _, b := range c.blocks {
			blocks = append(blocks, []byte(b))
		}
		writeFile(t, fsys, Backup, file(h, c.entries, blocks...))
		_, err := Verify(fsys, Backup, ours)
		if check(t, err); err != nil {
			t.Errorf("%s: verify: %v", name, err)
		}
		if _, _, err := Load(fsys, Backup, ours); fault.KindOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLengthsAreNotBelieved: a block that says it is larger than the file.
func TestLengthsAreNotBelieved(t *testing.T) {
	good := file(Header{Store: ours, At: state.Position{Seq: 7}}, 1, []byte(entry(1, "a", "1")))
	for _, n := range []uint32{1<<32 - 1, 1 << 31, uint32(len(good)), uint32(len(good) - headerSize - blockHead - footerSize + 1)} {
		b := bytes.Clone(good)
		binary.LittleEndian.PutUint32(b[headerSize:], n)
		damaged(t, fmt.Sprint("block of ", n), b, fault.ErrCorrupt)
	}
}

// TestWhere: an error names the place of the block.
func TestWhere(t *testing.T) {
	a, b := []byte(entry(1, "a", "1")), []byte(entry(7, "b", "2"))
	good := file(Header{Store: ours, At: state.Position{Seq: 7}}, 2, a, b)
	second := headerSize + blockHead + len(a)
	spoilt := bytes.Clone(good)
	spoilt[second+blockHead] ^= 1
	for _, c := range []struct {
		at int
		b  []byte
	}{
		{second, spoilt},
		{second, file(Header{Store: ours, At: state.Position{Seq: 7}}, 2, b, a)},
		{len(good) - footerSize, append(bytes.Clone(good[:len(good)-1]), good[len(good)-1]^1)},
		{len(good), append(bytes.Clone(good), 0)},
	} {
		fsys := dirOnly(t)
		writeFile(t, fsys, Backup, c.b)
		_, _, err := Load(fsys, Backup, ours)
		if e, ok := errors.AsType[*fault.Error](err); !ok || e.At.Offset != int64(c.at) {
			t.Errorf("%v, want offset %d", err, c.at)
		}
	}
}

// TestReadErrors: an error of the disk is that error, not damage.
func TestReadErrors(t *testing.T) { codecs(t, readErrors) }

func readErrors(t *testing.T, codec wal.Codec) {
	m := dirOnly(t)
	put(t, m, codec, 7)
	for n := 1; ; n++ {
		fail := vfs.NewFail(m, vfs.Nth(n, fault.ErrIO))
		_, _, err := Load(fail, Name(7), ours)
		if fail.Injected() == 0 {
			if n < 5 {
				t.Errorf("%d operations", n-1)
			}
			break
		}
		if !errors.Is(err, fault.ErrIO) || errors.Is(err, fault.ErrCorrupt) {
			t.Errorf("operation %d: %v", n, err)
		}
	}
}

// TestWriteErrors: no failure of a write, a sync or a close is lost.
func TestWriteErrors(t *testing.T) { codecs(t, writeErrors) }

func writeErrors(t *testing.T, codec wal.Codec) {
	p := picture(t, 9, content{"b": strings.Repeat("b", 3*flushSize)})
	for n := 1; ; n++ {
		fail := vfs.NewFail(dirOnly(t), vfs.Nth(n, vfs.Short(fault.ErrNoSpace)))
		_, err := Write(fail, Backup, Image{ours, p, codec}, nil)
		if fail.Injected() == 0 {
			if check(t, err); n < 5 {
				t.Errorf("%d operations", n-1)
			}
			break
		}
		wantKind(t, err, fault.ErrNoSpace)
	}
	stop := errors.New("stop")
	if _, err := Write(dirOnly(t), Backup, Image{ours, p, codec}, func(int) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("paced to a stop: %v", err)
	}
}

// TestStreams: however large a picture is, it is written and read in pieces of about a block.
func TestStreams(t *testing.T) { codecs(t, streams) }

func streams(t *testing.T, codec wal.Codec) {
	all := content{}
	for i := range 6000 {
		all[fmt.Sprintf("key %04d", i)] = strings.Repeat("é", 600)
	}
	var calls, bytes, longest int64
	fsys := vfs.NewLog(dirOnly(t), func(op vfs.Op, _ error) {
		if op.Kind == vfs.OpWrite || op.Kind == vfs.OpRead {
			calls, bytes, longest = calls+1, bytes+op.Len, max(longest, op.Len)
		}
	})
	sum, err := Write(fsys, Backup, Image{ours, picture(t, 7, all), codec}, nil)
	check(t, err)
	_, _, err = Load(fsys, Backup, ours)
	check(t, err)
	if most := int64(flushSize + maxText); longest > most || sum.Size < 6*flushSize || calls < 10 || bytes < 2*sum.Size {
		t.Errorf("%d bytes in %d calls, the longest of %d, at most %d; the file has %d", bytes, calls, longest, most, sum.Size)
	}
}

func TestNames(t *testing.T) {
	for _, seq := range []batch.Seq{1, 42, 1<<64 - 1} {
		base := strings.TrimPrefix(Name(seq), "log/")
		if got, ok := ParseName(base); !ok || got != seq {
			t.Errorf("%s: %v %v", base, got, ok)
		}
	}
	for _, base := range []string{"", "checkpoint-", "checkpoint-1", "checkpoint-00000000000000000000", "checkpoint-99999999999999999999", "checkpoint-0000000000000000001x", "xcheckpoint-00000000000000000001", "checkpoint-+0000000000000000001"} {
		if _, ok := ParseName(base); ok {
			t.Errorf("%q is taken for a checkpoint", base)
		}
	}
}
