package checkpoint

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// severalBlocks is a checkpoint of several blocks.
func severalBlocks(t *testing.T) []byte {
	c := content{}
	for i := range 4000 {
		c[fmt.Sprintf("key %05d", i)] = strings.Repeat("v", 900)
	}
	fsys := dirOnly(t)
	sum, err := Write(fsys, Backup, Image{ours, picture(t, 7, c), wal.Binary}, nil)
	if check(t, err); sum.Blocks < blocksAhead+3 {
		t.Fatalf("%d blocks", sum.Blocks)
	}
	return slurp(t, fsys, Backup)
}

// TestAhead: blocks that are read at once make the same picture, in the same order.
func TestAhead(t *testing.T) {
	fsys := dirOnly(t)
	writeFile(t, fsys, Backup, severalBlocks(t))
	p, sum, err := load(fsys, Backup, ours, 1<<40)
	check(t, err)
	q, beside, err := load(fsys, Backup, ours, 0)
	check(t, err)
	if sum != beside || p.Len() != q.Len() || !state.Same(p, q, nil, nil) || p.Position() != q.Position() {
		t.Errorf("%+v, one by one %+v", beside, sum)
	}
}

// TestAheadDamage: whatever is wrong with a block is told of the first such, at its place,
// and nothing goes on behind the answer.
func TestAheadDamage(t *testing.T) {
	good := severalBlocks(t)
	spoil := func(at int) []byte {
		b := bytes.Clone(good)
		b[at] ^= 1
		return b
	}
	for what, b := range map[string][]byte{
		"first head": spoil(headerSize), "first entry": spoil(headerSize + blockHead + 2), "middle": spoil(len(good) / 2), "both": append(spoil(len(good) / 3)[:len(good)/2], spoil(len(good) - 100)[len(good)/2:]...),
		"end": spoil(len(good) - footerSize - 2), "footer": spoil(len(good) - 3), "header": spoil(20), "cut": good[:len(good)/2], "cut footer": good[:len(good)-9], "longer": append(bytes.Clone(good), 0),
	} {
		fsys := dirOnly(t)
		writeFile(t, fsys, Backup, b)
		_, _, one := load(fsys, Backup, ours, 1<<40)
		_, _, err := load(fsys, Backup, ours, 0)
		if one == nil || err == nil || fault.KindOf(err) != fault.KindOf(one) {
			t.Errorf("%s: %v, one by one %v", what, err, one)
		}
		if what != "cut" && what != "first head" && fmt.Sprint(err) != fmt.Sprint(one) { // a file that ends early is noticed a block earlier or later
			t.Errorf("%s: %v, one by one %v", what, err, one)
		}
	}
}

// TestAheadUnreadable: a read that fails is told as it is.
func TestAheadUnreadable(t *testing.T) {
	m := dirOnly(t)
	writeFile(t, m, Backup, severalBlocks(t))
	for n := 1; ; n++ {
		f := vfs.NewFail(m, vfs.When(vfs.OnKind(vfs.OpRead), vfs.Nth(n, fault.ErrIO)))
		_, _, err := load(f, Backup, ours, 0)
		if f.Injected() == 0 {
			check(t, err)
			if n < 10 {
				t.Errorf("only %d reads", n)
			}
			return
		}
		if fault.KindOf(err) != fault.ErrIO {
			t.Fatalf("read %d: %v", n, err)
		}
	}
}
