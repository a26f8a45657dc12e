package wal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

// markSight believes log/durable and nothing else.
type markSight struct{ mark *Mark }

func (s markSight) Limit(context.Context) (Seq, error) {
	d, _, err := s.mark.Read()
	return d.Seq, err
}

func (s markSight) ChainOf(Seq) (chain Chain, known bool, err error) { return chain, false, nil }

func (s markSight) Close() error { return s.mark.Close() }

func home(fsys vfs.FS) Home { return Home{FS: fsys, Store: ours} }

// follower follows a log by log/durable.
func follower(fsys vfs.FS) *Follower {
	return NewFollower(home(fsys), func() Sight { return markSight{NewMark(fsys, ours)} })
}

// prefixed is a payload that tells which batch it is.
func prefixed(seq Seq) string { return fmt.Sprintf("%06d", seq) + strings.Repeat("x", 594) }

// fillNamed is fill with payloads that tell which batch they are.
func (r *rig) fillNamed(n int) {
	r.t.Helper()
	for range n {
		r.put(prefixed(r.last + 1))
	}
}

// recycling returns a log of some segments on a disk, and what happens to it while a
// reader is at work: everything but the end is trimmed, files are used again.
func recycling(t testing.TB, m *vfs.Mem) (*rig, func()) {
	t.Helper()
	opts := tiny(Binary)
	opts.Spares = 4
	r := newRig(t, m, opts)
	r.fillNamed(13)
	return r, func() {
		check(t, r.Trim(t.Context(), r.last))
		r.fillNamed(9)
	}
}

// TestReadWhileRecycled lets the whole log be trimmed and written over before each
// single operation of a reader: what it gets is right and in order, and it ends at what
// was durable or because it came too late. Never does it look like damage.
func TestReadWhileRecycled(t *testing.T) {
	compactedN, whole := 0, 0
	for n := 1; ; n++ {
		m := mem()
		r, change := recycling(t, m)
		ops := 0
		f := follower(vfs.NewSlow(m.Reopen(), func(vfs.Op) time.Duration {
			if ops++; ops == n {
				change()
			}
			return 0
		}))
		got := list(f.Read(t.Context(), 1))
		for i, p := range got.payloads {
			if seq := Seq(i + 1); got.seqs[i] != seq || p != prefixed(seq) {
				t.Fatalf("changed before operation %d: batch %d is %v %.10q", n, i+1, got.seqs[i], p)
			}
		}
		switch {
		case errors.Is(got.err, fault.ErrCompacted):
			compactedN++
		case got.err != nil || len(got.seqs) < 13:
			t.Fatalf("changed before operation %d: %d batches, then %v", n, len(got.seqs), got.err)
		default:
			whole++
		}
		check(t, r.Close())
		if ops < n {
			break
		}
	}
	if compactedN < 5 || whole < 2 {
		t.Errorf("compacted %d times, whole %d times", compactedN, whole)
	}
}

// TestFollowerDamage: what is below the limit and not as it was written is damage, with
// its place, however often it is looked at; what is above is nobody's business.
func TestFollowerDamage(t *testing.T) {
	m := mem()
	r, _ := recycling(t, m)
	check(t, r.add("unsynced"))
	second := Binary.SegmentName(4)
	whole := readFile(t, m, second)
	spoil := func(off int) []byte {
		b := append([]byte(nil), whole...)
		b[off] ^= 1
		return b
	}
	for name, tc := range map[string]struct {
		content []byte
		path    string
		off     int64
		last    Seq
		kind    *fault.Kind
	}{
		"payload":      {spoil(512 + 1024 + 100), second, 512 + 1024, 4, fault.ErrCorrupt},
		"frame header": {spoil(512 + 2), second, 512, 3, fault.ErrCorrupt},
		"header":       {spoil(40), second, 0, 3, fault.ErrCorrupt},
		"store":        {(&Header{Store: StoreID{1}, First: 4}).encode(), second, 0, 3, fault.ErrForeign},
		"cut":          {whole[:512+1024], second, 512 + 72 + 600, 4, fault.ErrCorrupt},
		"seal":         {spoil(len(whole) - 512 + 80), "", 0, 13, nil}, // the next file begins where this one ends
	} {
		writeFile(t, m, second, tc.content)
		got := list(follower(m).Read(t.Context(), 1))
		if tc.kind == nil {
			if got.err != nil || len(got.seqs) != 13 {
				t.Errorf("%s: %d batches, %v", name, len(got.seqs), got.err)
			}
			continue
		}
		e, ok := errors.AsType[*fault.Error](got.err)
		if !ok || e.Err != tc.kind || e.At.Path != tc.path || e.At.Offset != tc.off || Seq(len(got.seqs)) != tc.last {
			t.Errorf("%s: %d batches, then %v", name, len(got.seqs), got.err)
		}
	}
	check(t, m.Remove(second))
	got := list(follower(m).Read(t.Context(), 1))
	if wantKind(t, got.err, fault.ErrCorrupt); len(got.seqs) != 3 {
		t.Errorf("missing: %d batches, %v", len(got.seqs), got.err)
	}
	writeFile(t, m, second, whole)
	writeFile(t, m, Binary.SegmentName(14), []byte("above the limit"))
	if got = list(follower(m).Read(t.Context(), 1)); got.err != nil || len(got.seqs) != 13 {
		t.Errorf("above the limit: %d batches, %v", len(got.seqs), got.err)
	}
}

// TestFollowWithoutHints: where the file system tells nothing the poll finds what is
// new, and waits longer while nothing comes.
func TestFollowWithoutHints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mem()
		r := newRig(t, m, tiny(Binary))
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan Seq, 100)
		var ended error
		done := make(chan struct{})
		var looks atomic.Int64
		deaf := &deafFS{FS: vfs.NewLog(m.Reopen(), func(op vfs.Op, _ error) {
			if op.Kind == vfs.OpStat && op.Name == DurableName {
				looks.Add(1)
			}
		})}
		go func() {
			defer close(done)
			for e, err := range follower(deaf).Follow(ctx, 1) {
				if ended = err; err == nil {
					got <- e.Seq
				}
			}
		}()
		synctest.Wait()
		r.put("one")
		time.Sleep(pollMin)
		synctest.Wait()
		r.put("two", "three")
		time.Sleep(pollMin)
		synctest.Wait()
		if len(got) != 3 {
			t.Fatalf("%d batches", len(got))
		}
		before := looks.Load()
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := looks.Load() - before; n < 12 || n > 15 {
			t.Errorf("looked %d times in a minute", n)
		}
		cancel()
		<-done
		if !errors.Is(ended, context.Canceled) || !deaf.asked {
			t.Errorf("ended with %v", ended)
		}
		check(t, r.Close())
	})
}

// TestFollowBesideBeginningHints: what comes while the hints begin is not told by them,
// and yet no time passes.
func TestFollowBesideBeginningHints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mem()
		r := newRig(t, m, tiny(Binary))
		began := time.Now()
		for e, err := range follower(&lateFS{m.Reopen(), func() { r.put("x") }}).Follow(t.Context(), 1) {
			if check(t, err); e.Seq != 1 || time.Since(began) != 0 {
				t.Errorf("got %v after %v", e.Seq, time.Since(began))
			}
			break
		}
		check(t, r.Close())
	})
}

// lateFS does something just before its hints begin.
type lateFS struct {
	vfs.FS
	before func()
}

func (l *lateFS) Hints(dir string) (vfs.Hints, error) {
	l.before()
	return l.FS.Hints(dir)
}

// deafFS is a file system that gives no hints.
type deafFS struct {
	vfs.FS
	asked bool
}

func (d *deafFS) Hints(string) (vfs.Hints, error) {
	d.asked = true
	return nil, &fault.Error{Op: "hints", Err: fault.ErrIO}
}

// TestFollowByHints: a hint is enough, no time passes; hints in plenty change nothing,
// and those of a loop that is broken off end with it.
func TestFollowByHints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mem()
		r := newRig(t, m, tiny(Binary))
		began := time.Now()
		got := make(chan Seq)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for e, err := range follower(m.Reopen()).Follow(t.Context(), 2) {
				if err != nil || e.Seq == 40 {
					return
				}
				got <- e.Seq
			}
		}()
		for seq := Seq(1); seq <= 40; seq++ {
			r.put("x")
			for range 100 {
				writeFile(t, m, Dir+"/noise", nil)
			}
			if seq > 1 && seq < 40 {
				if s := <-got; s != seq {
					t.Fatalf("got %v, want %v", s, seq)
				}
			}
		}
		<-done
		if d := time.Since(began); d != 0 {
			t.Errorf("it took %v: by the poll alone", d)
		}
		check(t, m.Remove(Dir+"/noise"))
		check(t, r.Close())
	})
}

// TestFollowerBounds: what is kept, and the chain value at the end.
func TestFollowerBounds(t *testing.T) {
	m := mem()
	r, change := recycling(t, m)
	for range 3 {
		first, last, chain, err := follower(m).Bounds(t.Context())
		check(t, err)
		f, l, c, err := r.Bounds(t.Context())
		if check(t, err); f != first || l != last || c != chain {
			t.Errorf("%v to %v, the writer says %v to %v", first, last, f, l)
		}
		change()
	}
	e := mem()
	check(t, e.Mkdir(Dir))
	if first, last, _, err := follower(e).Bounds(t.Context()); err != nil || first != 1 || last != 0 {
		t.Errorf("empty: %v to %v, %v", first, last, err)
	}
}

// TestFollowBehindTheNewest: who follows from behind the newest batch knows what comes
// next too: another history in the place of that one is not taken for it.
func TestFollowBehindTheNewest(t *testing.T) {
	both(t, func(t *testing.T, codec Codec) {
		for _, n := range []int{12, 13} { // at the end of a segment, and in one
			m, other := mem(), mem()
			r, o := newRig(t, m, tiny(codec)), newRig(t, other, tiny(codec))
			r.fillNamed(n)
			o.fill(n)
			check(t, r.Rotate(t.Context()))
			var got []Seq
			w := walkerAt(m, codec, r.last+1, &got)
			check(t, w.anchor(t.Context()))
			check(t, r.Close())
			o.put("something else comes", "and more")
			for _, name := range names(t, other) {
				writeFile(t, m, Dir+"/"+name, readFile(t, other, Dir+"/"+name))
			}
			_, err := w.on(t.Context())
			if wantKind(t, err, fault.ErrForeign); len(got) > 0 {
				t.Errorf("behind %d it shows %v", n, got)
			}
			w.close()
			check(t, o.Close())
		}
	})
}

// TestAnchorFindsNothing: where the newest batch is not kept, or there is none, whoever
// follows takes what comes.
func TestAnchorFindsNothing(t *testing.T) {
	m := mem()
	r := newRig(t, m, tiny(Binary))
	var got []Seq
	for _, n := range []int{0, 3} {
		r.fillNamed(n)
		check(t, r.Rotate(t.Context()))
		check(t, r.Trim(t.Context(), r.last+1))
		w := walkerAt(m, Binary, r.last+1, &got)
		check(t, w.anchor(t.Context()))
		r.fillNamed(1)
		_, err := w.on(t.Context())
		check(t, err)
		w.close()
	}
	equal(t, "batches", got, []Seq{1, 5})
	check(t, r.Close())
}

// walkerAt is a reader at work that notes what it shows.
func walkerAt(m *vfs.Mem, codec Codec, from Seq, got *[]Seq) *walker {
	at := Home{FS: m, Store: ours, Codec: codec}
	f := NewFollower(at, func() Sight { return markSight{NewMark(m, ours)} })
	return f.walker(from, func(e Entry, err error) bool {
		if err == nil {
			*got = append(*got, e.Seq)
		}
		return true
	})
}
