package wal

import (
	"errors"
	"testing"
	"time"

	"github.com/vlogdb/vlog/internal/vfs"
)

// TestMark reads log/durable while it is written over, removed and made again.
func TestMark(t *testing.T) {
	m := mem()
	check(t, m.Mkdir(Dir))
	mark := NewMark(m, ours)
	expect := func(what string, want Seq, there bool) {
		t.Helper()
		d, ok, err := mark.Read()
		if check(t, err); ok != there || ok && d.Seq != want {
			t.Errorf("%s: %v %v", what, d, ok)
		}
		if d, ok := mark.Peek(); ok != there || ok && d.Seq != want {
			t.Errorf("%s: peek %v %v", what, d, ok)
		}
	}
	expect("nothing", 0, false)
	if !mark.Absent() {
		t.Error("it is absent")
	}
	say := func(d Durable) { writeFile(t, m, DurableName, d.encode()) }
	say(Durable{Store: ours, Seq: 7})
	expect("there", 7, true)
	if mark.Absent() {
		t.Error("it is there")
	}
	say(Durable{Store: ours, Seq: 8})
	expect("written over", 8, true)
	check(t, m.Remove(DurableName))
	if _, ok := mark.Peek(); ok {
		t.Error("a removed file is believed")
	}
	expect("removed", 0, false)
	say(Durable{Store: ours, Seq: 9})
	expect("made again", 9, true)
	check(t, m.Remove(DurableName))
	say(Durable{Store: ours, Seq: 10})
	expect("in its place", 10, true)
	say(Durable{Store: StoreID{1}, Seq: 11})
	expect("of another store", 0, false)
	writeFile(t, m, DurableName, []byte("short"))
	expect("short", 0, false)
	torn := (&Durable{Store: ours, Seq: 12}).encode()
	torn[50] ^= 1
	writeFile(t, m, DurableName, torn)
	expect("torn", 0, false)
	reads := 0
	again := NewMark(vfs.NewSlow(m, func(op vfs.Op) time.Duration { // it is being written over at this moment
		if op.Kind == vfs.OpRead {
			if reads++; reads == 3 {
				say(Durable{Store: ours, Seq: 13})
			}
		}
		return 0
	}), ours)
	if d, ok, err := again.Read(); !ok || err != nil || d.Seq != 13 {
		t.Errorf("torn, then whole: %v %v %v", d, ok, err)
	}
	check(t, errors.Join(mark.Close(), again.Close(), mark.Close()))
}
