package wal

import (
	"errors"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

// TestCursorWhileRecycled keeps a cursor in the middle of a segment, as one that
// follows does, while each step of trimming and of using files again is taken.
func TestCursorWhileRecycled(t *testing.T) {
	for stop := range Seq(13) {
		for n := 1; ; n++ {
			m := mem()
			_, change := recycling(t, m)
			c := NewCursor(home(m), 1)
			next := Seq(1)
			on := func(to Seq) error {
				return c.To(t.Context(), to, func(e Entry) error {
					if e.Seq != next || string(e.Payload) != prefixed(next) {
						t.Fatalf("got %v %.10q, want %v", e.Seq, e.Payload, next)
					}
					next++
					return nil
				})
			}
			check(t, on(stop))
			steps := 0
			var err error
			m.OnOp(func(op vfs.Op) {
				if steps++; steps == n {
					err = on(13)
				}
			})
			change()
			m.OnOp(nil)
			if steps < n {
				break
			}
			if next != 14 && !errors.Is(err, fault.ErrCompacted) || err != nil && next == 14 {
				t.Fatalf("stopped at %v, step %d of recycling: at %v: %v", stop, n, next, err)
			}
			check(t, c.Close())
		}
	}
}

// TestFollowerOtherLog: an older copy that takes the place of the log while it is
// followed has other chain values.
func TestFollowerOtherLog(t *testing.T) {
	m := mem()
	r, _ := recycling(t, m)
	c := NewCursor(home(m), 1)
	none := func(Entry) error { return nil }
	for _, at := range []Seq{12, 11, 10} { // in a segment, and at its end
		check(t, c.To(t.Context(), at, none))
		other := mem()
		check(t, other.Mkdir(Dir))
		l, err := Resume(other, tiny(Binary), Start{Last: 9})
		check(t, err)
		_, err = l.Append(t.Context(), 9, records("another", "history", "of the store", "it", "goes on"))
		check(t, err)
		check(t, l.Sync(t.Context()))
		d := &Cursor{home: home(other), next: c.next, chain: c.chain, known: c.known}
		e, ok := errors.AsType[*fault.Error](d.To(t.Context(), 14, none))
		if !ok || e.Err != fault.ErrForeign || e.Hint == "" {
			t.Errorf("behind %v: %v", at, e)
		}
	}
	check(t, errors.Join(c.Close(), r.Close()))
}

// TestCursorTellsDamage: only what is still under its name, with its epoch, is damage.
func TestCursorTellsDamage(t *testing.T) {
	m := mem()
	r, _ := recycling(t, m)
	name := Binary.SegmentName(4)
	h, err := ReadHeader(m, name, ours)
	check(t, err)
	c := NewCursor(home(m), 4)
	bad := damage("bad")
	for what, tc := range map[string]struct {
		m    missed
		want error
	}{
		"the same":            {missed{name: name, epoch: h.Epoch, err: bad}, bad},
		"another epoch":       {missed{name: name, epoch: h.Epoch + 1, err: bad}, nil},
		"a header that heals": {missed{name: name, head: true, err: bad}, nil},
		"gone":                {missed{name: Binary.SegmentName(5), epoch: h.Epoch, err: bad}, nil},
	} {
		if err := c.damage(&tc.m); err != tc.want {
			t.Errorf("%s: %v", what, err)
		}
	}
	writeFile(t, m, name, []byte("junk"))
	if err := c.damage(&missed{name: name, head: true, err: bad}); err != bad {
		t.Errorf("a header that stays: %v", err)
	}
	if err := c.damage(&missed{name: name, epoch: h.Epoch, err: bad}); err != nil {
		t.Errorf("a header that goes: %v", err)
	}
	c = NewCursor(home(vfs.NewFail(m, vfs.Always(fault.ErrIO))), 4)
	wantKind(t, c.damage(&missed{name: name, err: bad}), fault.ErrIO)
	check(t, r.Close())
}

// TestCursorReadsWhatIsNew: going on costs what is new, not the whole segment again.
func TestCursorReadsWhatIsNew(t *testing.T) {
	m := mem()
	opts := tiny(Binary)
	opts.SegmentSize = 8 << 20
	opts.Grow = 4 << 20
	r := newRig(t, m, opts)
	read := int64(0)
	opens := 0
	fsys := vfs.NewLog(m.Reopen(), func(op vfs.Op, _ error) {
		if op.Kind == vfs.OpRead {
			read += op.Len
		}
		if op.Kind == vfs.OpOpen {
			opens++
		}
	})
	c := NewCursor(home(fsys), 1)
	for i := range 500 {
		r.put(strings.Repeat("x", 1000))
		if i == 100 {
			read, opens = 0, 0
		}
		check(t, c.To(t.Context(), r.last, func(Entry) error { return nil }))
	}
	if read > 400*4*cursorStep || opens != 0 {
		t.Errorf("%d bytes read for 400 KiB that were new, %d files opened", read, opens)
	}
	check(t, c.Close())
}

// TestCursorRests: who has caught up keeps no large buffer, and goes on.
func TestCursorRests(t *testing.T) {
	m := mem()
	opts := tiny(Binary)
	opts.SegmentSize = 8 << 20
	r := newRig(t, m, opts)
	for range 20 {
		r.put(strings.Repeat("x", 100<<10))
	}
	c := NewCursor(home(m), 1)
	for range 2 {
		check(t, c.To(t.Context(), r.last, func(Entry) error { return nil }))
		if room := cap(c.seg.r.win.buf); room > restMax || c.next != r.last+1 {
			t.Errorf("it waits behind %v with a buffer of %d bytes", c.next-1, room)
		}
		r.put("one more")
	}
	check(t, c.Close())
}
