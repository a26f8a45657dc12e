package wal

import (
	"bytes"
	"testing"

	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

func mark(t testing.TB, fsys vfs.FS) (Durable, bool) {
	t.Helper()
	d, ok, err := ReadDurable(fsys, ours)
	check(t, err)
	return d, ok
}

// TestDurableFollowsTheSyncs: log/durable says what was synced, not what was
// appended, and is gone after a clean close.
func TestDurableFollowsTheSyncs(t *testing.T) { both(t, testDurableFollowsTheSyncs) }

func testDurableFollowsTheSyncs(t *testing.T, c Codec) {
	fsys := mem()
	r := newRig(t, fsys, tiny(c))
	want := func(segment, seq Seq) {
		t.Helper()
		if d, ok := mark(t, fsys); !ok || d != (Durable{ours, BootID(fsys.Boot()), segment, seq}) {
			t.Fatalf("%+v %v", d, ok)
		}
	}
	want(0, 0)
	check(t, r.add("one"))
	want(0, 0)
	check(t, r.Sync(t.Context()))
	want(1, 1)
	check(t, r.add("two", "three"))
	want(1, 1)
	check(t, r.Rotate(t.Context()))
	want(1, 3)
	r.put("four")
	want(4, 4)
	check(t, r.Close())
	if _, ok := mark(t, fsys); ok {
		t.Error("log/durable is left by a clean close")
	}
	equal(t, "names", names(t, fsys), []string{base(c, 1), base(c, 4)})
}

// TestDurableThatSaysNothing: absent, short, damaged anywhere, of another store.
func TestDurableThatSaysNothing(t *testing.T) {
	fsys := mem()
	check(t, fsys.Mkdir(Dir))
	if _, ok := mark(t, fsys); ok {
		t.Error("absent, and read")
	}
	d := Durable{Store: ours, Boot: BootID("boot"), Segment: 1, Seq: 9}
	b := d.encode()
	writeFile(t, fsys, DurableName, b)
	if got, ok := mark(t, fsys); !ok || got != d {
		t.Fatalf("%+v %v", got, ok)
	}
	if _, ok, err := ReadDurable(fsys, StoreID{1}); ok || err != nil {
		t.Error("believed by another store", err)
	}
	for i := range b {
		writeFile(t, fsys, DurableName, b[:i])
		if _, ok := mark(t, fsys); ok {
			t.Errorf("believed when cut to %d bytes", i)
		}
		bad := bytes.Clone(b)
		bad[i] ^= 1 << (i % 8)
		writeFile(t, fsys, DurableName, bad)
		if _, ok := mark(t, fsys); ok {
			t.Errorf("believed with byte %d flipped", i)
		}
	}
}

// TestDurableThatCannotBeWritten: the file goes, because what it says must never
// be wrong; where it cannot go either, the log ends.
func TestDurableThatCannotBeWritten(t *testing.T) { both(t, testDurableThatCannotBeWritten) }

func testDurableThatCannotBeWritten(t *testing.T, c Codec) {
	on := func(kinds ...vfs.OpKind) vfs.Injector {
		n := 0
		return vfs.When(vfs.Both(vfs.OnPath(DurableName), vfs.OnKind(kinds...)), vfs.InjectorFunc(func(op vfs.Op) error {
			if n++; op.Kind == vfs.OpWrite && n == 1 { // that of Resume
				return nil
			}
			return fault.ErrIO
		}))
	}
	t.Run("goes", func(t *testing.T) {
		m := mem()
		r := newRig(t, vfs.NewFail(m, on(vfs.OpWrite)), tiny(c))
		r.put("one")
		if _, ok := mark(t, m); ok {
			t.Error("log/durable is there still")
		}
		r.put("two")
		equal(t, "read", list(r.Read(t.Context(), 1)).payloads, []string{"one", "two"})
		check(t, r.Close())
	})
	t.Run("stays", func(t *testing.T) {
		m := mem()
		r := newRig(t, vfs.NewFail(m, on(vfs.OpWrite, vfs.OpRemove)), tiny(c))
		check(t, r.add("one"))
		wantKind(t, r.Sync(t.Context()), fault.ErrAmbiguous)
		wantKind(t, r.add("two"), fault.ErrPoisoned)
		if got := list(r.Read(t.Context(), 1)); len(got.seqs) != 0 || got.err != nil {
			t.Errorf("readers see %v, %v", got.seqs, got.err)
		}
		wantKind(t, r.Close(), fault.ErrPoisoned)
	})
}
