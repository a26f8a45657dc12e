package wal

import (
	"strings"
	"testing"

	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

// heavy are options of lines with room kept for those who delete.
func heavy() Options {
	o := tiny(NDJSON)
	o.SegmentSize, o.Reserve = 256<<10, 32<<10
	return o
}

// TestBallast: on a full disk those who delete get the room that a log of lines keeps
// beside its segments, and nobody else does; closing works, and where there is space
// again the room is kept again.
func TestBallast(t *testing.T) {
	m := mem()
	m.SetCapacity(50 * 4096)
	r := newRig(t, m, heavy())
	full := func() {
		t.Helper()
		for n := 0; ; n++ {
			if err := r.add(strings.Repeat("x", 2000)); err != nil {
				wantKind(t, err, fault.ErrNoSpace)
				if !spaceless(err) || n > 100 {
					t.Fatalf("put %d: %v", n, err)
				}
				return
			}
		}
	}
	full()
	size := func() int { return len(readFile(t, m, r.ballast.name)) }
	if r.ballast.size != 32<<10+sealRoom || int(r.ballast.size) != size() {
		t.Errorf("the ballast has %d bytes, there are %d", r.ballast.size, size())
	}
	frees := record(strings.Repeat("y", 100))
	frees.Frees = true
	for n := range 60 {
		last, err := r.Append(t.Context(), r.last, []Record{frees})
		if err != nil {
			t.Fatalf("deleting, %d: %v", n, err)
		}
		r.last = last
		if r.ballast.size == sealRoom { // before, there was room in the last block
			wantKind(t, r.add("put"), fault.ErrNoSpace)
		}
	}
	if r.ballast.size != sealRoom || size() != sealRoom {
		t.Errorf("the ballast has %d bytes, there are %d", r.ballast.size, size())
	}
	check(t, r.Sync(t.Context()))
	m.SetCapacity(100 * 4096)
	r.put("put")
	if size() != 32<<10+sealRoom {
		t.Errorf("with space again the ballast has %d bytes", size())
	}
	full()
	check(t, r.Close())
	payloads, segs := onDisk(t, m)
	if len(payloads) != int(r.last) || len(segs) != len(names(t, m)) || !segs[len(segs)-1].Sealed {
		t.Errorf("%d of %v are there, %v", len(payloads), r.last, names(t, m))
	}
}

// TestBallastFails: an operation of keeping room, or of giving it back, that fails is told
// to those who wanted it; nothing is written and the log goes on.
func TestBallastFails(t *testing.T) {
	for _, kind := range []vfs.OpKind{vfs.OpCreate, vfs.OpWrite} {
		armed := false
		m := mem()
		r := newRig(t, vfs.NewFail(m, vfs.When(func(op vfs.Op) bool {
			return armed && op.Kind == kind && strings.HasPrefix(op.Name, Dir+"/"+sparePrefix) && op.Offset == 0
		}, vfs.Always(vfs.Short(fault.ErrIO)))), heavy())
		r.put("one")
		check(t, m.Remove(r.ballast.name))
		r.ballast.size-- // as if some had been given back
		armed = true
		err := r.add("two")
		wantKind(t, err, fault.ErrIO)
		if len(names(t, m)) != 2 {
			t.Errorf("%v: %v", kind, names(t, m))
		}
		armed = false
		r.put("two")
		check(t, r.Close())
		if payloads, _ := onDisk(t, m); len(payloads) != 2 {
			t.Errorf("%v: %v", kind, payloads)
		}
	}
}
