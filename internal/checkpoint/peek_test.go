package checkpoint

import (
	"errors"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// TestPeek: the two ends say what reading all of it says; a bit that is turned over in
// them is seen, one between them is not.
func TestPeek(t *testing.T) {
	for _, codec := range []wal.Codec{wal.Binary, wal.NDJSON} {
		t.Run(codec.String(), func(t *testing.T) { testPeek(t, codec) })
	}
}

func testPeek(t *testing.T, codec wal.Codec) {
	fsys := dirOnly(t)
	want, err := Write(fsys, Backup, Image{Store: ours, Picture: picture(t, 9, content{"a": strings.Repeat("a", BlockSize), "b": "b"}), Codec: codec}, nil)
	check(t, err)
	got, err := Peek(fsys, Backup, ours)
	check(t, err)
	if got != want {
		t.Fatalf("%+v, written %+v", got, want)
	}
	size, head, foot := want.Size, int64(headerSize), int64(footerSize)
	if codec == wal.NDJSON {
		head, foot = 200, 130
	}
	for _, c := range []struct {
		off  int64
		seen bool
	}{{3, true}, {40, true}, {150, true}, {head + 100, false}, {size / 2, false}, {size - foot, true}, {size - 40, true}, {size - 1, true}} {
		flipAt(t, fsys, c.off)
		if _, err := Peek(fsys, Backup, ours); errors.Is(err, fault.ErrCorrupt) != c.seen {
			t.Errorf("bit at %d: %v", c.off, err)
		}
		flipAt(t, fsys, c.off)
	}
	_, err = Peek(fsys, Backup, [16]byte{'a'})
	wantKind(t, err, fault.ErrForeign)
	_, err = Peek(fsys, Recover, ours)
	wantKind(t, err, fault.ErrNotFound)
}

func flipAt(t testing.TB, fsys vfs.FS, off int64) {
	t.Helper()
	f, err := fsys.Open(Backup, vfs.ReadWrite)
	check(t, err)
	b := make([]byte, 1)
	_, err = f.ReadAt(b, off)
	check(t, err)
	b[0] ^= 1
	_, err = f.WriteAt(b, off)
	check(t, errors.Join(err, f.Close()))
}
