package checkpoint

import (
	"bytes"
	"testing"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/internal/vfs"
)

// FuzzLoad loads any bytes: a whole file, or the entries of a file whose checksums
// hold. What loads is written again in the same bytes.
func FuzzLoad(f *testing.F) {
	h := Header{Store: ours, At: state.Position{Seq: 7, Time: 8, Chain: batch.Chain{9}}}
	a, b := entry(1, "a", "1"), entry(7, "b", "2")
	f.Add(file(h, 2, []byte(a), []byte(b)), false)
	f.Add(file(h, 0), false)
	f.Add([]byte(a+b), true)
	f.Add([]byte(b+a), true)
	f.Add([]byte(a[:3]), true)
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), true)
	f.Fuzz(func(t *testing.T, b []byte, entries bool) {
		m := vfs.NewMem(vfs.MemOptions{})
		check(t, m.Mkdir("log"))
		if entries {
			count, ok := countEntries(b)
			if !ok {
				count = 1
			}
			b = file(h, count, b)
		}
		writeFile(t, m, Backup, b)
		p, sum, err := Load(m, Backup, ours)
		if err != nil {
			if k := fault.KindOf(err); k != fault.ErrCorrupt && k != fault.ErrForeign && k != fault.ErrIncompatible {
				t.Fatal(err)
			}
			return
		}
		again, err := Write(m, Name(1), Image{ours, p}, nil)
		check(t, err)
		if sum.Blocks <= 1 && sum.Size <= BlockSize && (again != sum || !bytes.Equal(slurp(t, m, Name(1)), b)) {
			t.Fatalf("read %+v, written %+v", sum, again)
		}
	})
}

// countEntries counts as the loader does not: by taking entries off one by one.
func countEntries(b []byte) (n uint64, ok bool) {
	l := state.NewLoader(state.Position{Seq: 7})
	if l.Add(bytes.Clone(b)) != nil {
		return 0, false
	}
	p, err := l.Picture()
	if err != nil {
		return 0, false
	}
	for range p.Ascend(nil, nil) {
		n++
	}
	return n, true
}

// FuzzFlags reads any bytes as each of the flags.
func FuzzFlags(f *testing.F) {
	f.Add([]byte(promotionLine(ourHex, 7, "ab")))
	f.Add([]byte(tailLine(ourHex)))
	f.Add([]byte(tailLine(otherHex)))
	f.Add([]byte("\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := vfs.NewMem(vfs.MemOptions{})
		check(t, m.Mkdir("log"))
		for _, name := range []string{Recover, Truncate, TruncateFlag} {
			writeFile(t, m, name, b)
		}
		fl, err := ReadFlags(m, ours)
		check(t, err)
		if !fl.Recover || !fl.Truncate || !fl.TruncateFlag {
			t.Fatalf("%+v", fl)
		}
		if p := fl.Promotion; p != nil && (len(b) > maxFlag || b[len(b)-1] != '\n' || len(p.Digest) != 32 || !bytes.Equal(p.Store, ours[:])) {
			t.Fatalf("believed: %q", b)
		}
		if fl.Tail != nil && (len(b) > maxFlag || !bytes.Equal(fl.Tail.Store, ours[:])) {
			t.Fatalf("believed: %q", b)
		}
	})
}
