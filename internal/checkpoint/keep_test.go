package checkpoint

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

func TestKeepCheck(t *testing.T) {
	for _, c := range []struct {
		keep Keep
		ok   bool
	}{
		{Keep{}, false},
		{DefaultKeep(), true},
		{Keep{Checkpoints: 1}, true},
		{Keep{Batches: 1}, true},
		{Keep{Batches: math.MaxUint64}, true},
		{Keep{For: 1}, true},
		{Keep{All: true}, true},
		{Keep{Checkpoints: -1}, false},
		{Keep{Checkpoints: -1, All: true}, false},
		{Keep{For: -1}, false},
		{Keep{For: -1, Batches: 2}, false},
		{Keep{Checkpoints: 1, Batches: 1}, false},
		{Keep{For: time.Hour, All: true}, false},
	} {
		err := c.keep.Check()
		if (err == nil) != c.ok || err != nil && fault.KindOf(err) != fault.ErrBadName {
			t.Errorf("%+v: %v", c.keep, err)
		}
		if !c.ok {
			continue
		}
		v, err := c.keep.Encode()
		check(t, err)
		if got, err := KeepOf(set(t, string(v))); err != nil || got != c.keep {
			t.Errorf("%+v is stored as %s and read as %+v, %v", c.keep, v, got, err)
		}
	}
	if got, err := KeepOf(state.Empty()); err != nil || got != DefaultKeep() {
		t.Errorf("nothing stored: %+v, %v", got, err)
	}
	for _, v := range []string{"", "null", "{}", "[]", `{"checkpoints":0}`, `{"versions":3}`, `{"checkpoints":2,"all":true}`, `{"checkpoints":2}x`, `{"batches":-1}`, `{"for":1.5}`} {
		if _, err := KeepOf(set(t, v)); fault.KindOf(err) != fault.ErrIncompatible {
			t.Errorf("%q: %v", v, err)
		}
	}
}

// set is a picture with a value under KeepKey.
func set(t *testing.T, value string) *state.Picture {
	t.Helper()
	e := state.NewEdit(state.Empty())
	e.Apply(&batch.Batch{Ops: []batch.Op{{Kind: batch.Put, Key: KeepKey(), Value: []byte(value)}}}, state.Position{Seq: 1})
	return e.Picture()
}

// TestBase asks for the base among checkpoints of #10, #20, #30 and #40, the time of
// each in seconds its seq. The last batch is #45, and it is second 45.
func TestBase(t *testing.T) { codecs(t, base) }

func base(t *testing.T, codec wal.Codec) {
	for _, c := range []struct {
		keep    Keep
		whole   batch.Seq // all good
		spoilt3 batch.Seq // #30 damaged
		spoilt4 batch.Seq // #40 damaged
	}{
		{Keep{Checkpoints: 1}, 40, 40, 30},
		{Keep{Checkpoints: 2}, 30, 20, 20},
		{Keep{Checkpoints: 4}, 10, 0, 0},
		{Keep{Checkpoints: 5}, 0, 0, 0},
		{Keep{Batches: 1}, 40, 40, 30},
		{Keep{Batches: 5}, 40, 40, 30},
		{Keep{Batches: 6}, 30, 20, 30},
		{Keep{Batches: 16}, 20, 20, 20},
		{Keep{Batches: 36}, 0, 0, 0},
		{Keep{Batches: math.MaxUint64}, 0, 0, 0},
		{Keep{Batches: math.MaxUint64 - 20}, 0, 0, 0},
		{Keep{For: 5 * time.Second}, 40, 40, 30},
		{Keep{For: 5*time.Second + 1}, 30, 20, 30},
		{Keep{For: 35 * time.Second}, 10, 10, 10},
		{Keep{For: 36 * time.Second}, 0, 0, 0},
		{Keep{For: math.MaxInt64}, 0, 0, 0},
		{Keep{All: true}, 0, 0, 0},
	} {
		for spoilt, want := range map[batch.Seq]batch.Seq{0: c.whole, 30: c.spoilt3, 40: c.spoilt4} {
			fsys := dirOnly(t)
			for _, seq := range []batch.Seq{10, 20, 30, 40} {
				put(t, fsys, codec, seq)
			}
			if spoilt != 0 {
				spoil(t, fsys, Name(spoilt))
			}
			got, err := Base(fsys, ours, Floor{Keep: c.keep, Last: 45, Now: 45e9}, nil)
			if check(t, err); got != want {
				t.Errorf("%+v, damaged %v: base %v, want %v", c.keep, spoilt, got, want)
			}
		}
	}
}

// TestBaseOfOthers: a checkpoint of another store, or under another name, is none.
func TestBaseOfOthers(t *testing.T) { codecs(t, baseOfOthers) }

func baseOfOthers(t *testing.T, codec wal.Codec) {
	fsys := dirOnly(t)
	put(t, fsys, codec, 10)
	b := slurp(t, fsys, Name(10))
	writeFile(t, fsys, Name(30), b)
	_, err := Write(fsys, Name(20), Image{[16]byte{1}, picture(t, 20, nil), codec}, nil)
	check(t, err)
	got, err := Base(fsys, ours, Floor{Keep: Keep{Checkpoints: 1}, Last: 45, Now: 0}, nil)
	if check(t, err); got != 10 {
		t.Errorf("base %v", got)
	}
	known := map[batch.Seq]Header{20: {}}
	if got, err := Base(fsys, ours, Floor{Keep: Keep{Checkpoints: 1}, Last: 45, Now: 0}, known); err != nil || got != 20 {
		t.Errorf("a known one is read again: %v %v", got, err)
	}
	fail := vfs.NewFail(fsys, vfs.When(vfs.OnKind(vfs.OpRead), vfs.Always(fault.ErrIO)))
	_, err = Base(fail, ours, Floor{Keep: Keep{Checkpoints: 1}, Last: 45, Now: 0}, nil)
	wantKind(t, err, fault.ErrIO)
}

func TestListAndDrop(t *testing.T) {
	fsys := dirOnly(t)
	all := []batch.Seq{1, 2, 10, 1 << 62, 1<<63 + 5, 1<<64 - 1}
	for _, seq := range all {
		writeFile(t, fsys, Name(seq), nil)
	}
	writeFile(t, fsys, "log/checkpoint-x", nil)
	got, err := List(fsys)
	check(t, err)
	slices.Reverse(got)
	if fmt.Sprint(got) != fmt.Sprint(all) {
		t.Errorf("listed %v", got)
	}
	n, err := DropCheckpoints(fsys, 10)
	check(t, err)
	if got, _ := List(fsys); n != 2 || len(got) != 4 || got[3] != 10 {
		t.Errorf("%d dropped, left %v", n, got)
	}
}

// TestKeepForAtTheFirstMoment: a clock that stands far back must not come out far ahead.
func TestKeepForAtTheFirstMoment(t *testing.T) {
	for _, now := range []int64{math.MinInt64, math.MinInt64 + 1, 0, math.MaxInt64} {
		f := Floor{Keep: Keep{For: time.Hour}, Now: now}
		h := Header{At: state.Position{Time: max(now, math.MinInt64+int64(time.Hour)) - int64(time.Hour)}}
		if old := now >= math.MinInt64+int64(time.Hour); f.reached(h, 1) != old {
			t.Errorf("at %d: reached %v", now, !old)
		}
		if h.At.Time = now; f.reached(h, 1) {
			t.Errorf("at %d: of now, and taken for an hour old", now)
		}
	}
}
