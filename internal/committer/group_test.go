package committer

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
)

func bubble(t *testing.T, opts Options, fn func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { fn(newWorld(t, opts)) })
}

var synced = Options{SyncEach: true}

// TestGroupsForm: those who come while a sync is in flight share the next one, and
// nobody is answered, nor anything shown, before the sync that covers it.
func TestGroupsForm(t *testing.T) {
	bubble(t, synced, func(w *world) {
		syncs := newGate()
		w.log.onSync = syncs.wait
		first := w.goCommit(w.Context(), w.blind("first", "1"))
		synctest.Wait()
		const n = 10
		var answers []<-chan answer
		for i := range n {
			answers = append(answers, w.goCommit(w.Context(), w.blind(key(i), "x")))
			synctest.Wait() // so that they queue up in order
		}
		if got := w.log.sizes(); !slices.Equal(got, []int{1}) {
			t.Fatalf("groups %v were appended while the first is synced", got)
		}
		mute(w, "answered before the sync", first)
		if p := w.c.Published(); p.Seq() != 0 || w.c.Durable() != 0 {
			t.Fatalf("%v is shown before the sync, durable %v", p.Seq(), w.c.Durable())
		}
		if p := w.c.Pending().Picture; value(p, "first") != "1" {
			t.Fatal("what is being written is not pending")
		}
		syncs.let(nil)
		synctest.Wait()
		if a := <-first; a != (answer{1, nil}) || w.c.Published().Seq() != 1 {
			t.Fatalf("the first got %+v, published %v", a, w.c.Published().Seq())
		}
		for _, a := range answers {
			mute(w, "answered before its sync", a)
		}
		syncs.let(nil)
		for i, a := range answers {
			if got := <-a; got != (answer{uint64Seq(i + 2), nil}) {
				t.Fatalf("writer %d got %+v", i, got)
			}
		}
		if got := w.log.sizes(); !slices.Equal(got, []int{1, n}) || w.log.syncs != 2 {
			t.Fatalf("groups %v, %d syncs", got, w.log.syncs)
		}
		w.sound()
		w.end()
	})
}

// TestLoneWriter: one who is alone never waits for company.
func TestLoneWriter(t *testing.T) {
	bubble(t, synced, func(w *world) {
		w.log.onSync = func() error { time.Sleep(5 * time.Millisecond); return nil }
		began := time.Now()
		for i := range 20 {
			if seq := w.put("a", "x"); seq != uint64Seq(i+1) {
				t.Fatalf("seq %v", seq)
			}
		}
		if took := time.Since(began); took != 100*time.Millisecond {
			t.Errorf("20 commits took %v", took)
		}
		w.end()
	})
}

// TestGathers: with many writers on a slow disk nearly all of them are in each group.
func TestGathers(t *testing.T) {
	bubble(t, synced, func(w *world) {
		w.log.onSync = func() error { time.Sleep(5 * time.Millisecond); return nil }
		const writers, each = 50, 10
		began := time.Now()
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() {
				for range each {
					w.put(key(i), "x")
				}
			})
		}
		wg.Wait()
		s, took := w.c.Stats(), time.Since(began)
		if s.Commits != writers*each || s.Groups > each+each/2 {
			t.Errorf("%d commits in %d groups, %v", s.Commits, s.Groups, w.log.sizes())
		}
		// Once all are back nobody waits any longer.
		if most := 5*time.Millisecond*time.Duration(s.Groups) + 5*time.Millisecond; took > most {
			t.Errorf("%d groups took %v, at most %v", s.Groups, took, most)
		}
		w.sound()
		w.end()
	})
}

// TestOneAtATime: whatever comes when, the log hears of it in order, one call at a
// time, and every answer is durable. The fake log checks the first half.
func TestOneAtATime(t *testing.T) {
	bubble(t, synced, func(w *world) {
		delay := func() error { time.Sleep(time.Millisecond); return nil }
		w.log.onAppend, w.log.onSync = delay, delay
		var wg sync.WaitGroup
		for i := range 30 {
			wg.Go(func() {
				for j := range 10 {
					time.Sleep(time.Duration(i*j%7) * 300 * time.Microsecond)
					w.one(i, j)
				}
			})
		}
		wg.Wait()
		w.sound()
		if last, durable := w.log.ends(); last != 300 || durable != 300 || w.c.Durable() != 300 {
			t.Errorf("the log ends at %v, durable %v, told %v", last, durable, w.c.Durable())
		}
		w.end()
	})
}

// one writes once, in one of the three ways.
func (w *world) one(i, j int) {
	ctx := context.Background()
	var seq, durable = uint64Seq(0), uint64Seq(0)
	var err error
	switch (i + j) % 3 {
	case 0:
		seq, err = w.c.Commit(ctx, w.blind(key(i), "x"))
	case 1:
		var b Base
		b, err = w.c.Take(ctx)
		w.check(err)
		t := begin(b)
		w.check(t.Put(full(key(i)), nil))
		seq, err = w.c.CommitHeld(ctx, w.request(t))
	default:
		var p Pending
		p, err = w.c.Submit(ctx, w.blind(key(i), "x"))
		w.check(err)
		seq, err = p.Wait(ctx)
	}
	if _, durable = w.log.ends(); err != nil || seq == 0 || durable < seq || w.c.Published().Seq() < seq {
		w.Errorf("answer %v %v, the log is durable up to %v, published %v", seq, err, durable, w.c.Published().Seq())
	}
}

// TestCancelQueued: who gives up before being sequenced is taken out, also where
// all of them do and one had the lead coming.
func TestCancelQueued(t *testing.T) {
	for _, leave := range []int{0, 1} {
		t.Run(fmt.Sprint(leave, " stay"), func(t *testing.T) {
			bubble(t, synced, func(w *world) {
				syncs := newGate()
				w.log.onSync = syncs.wait
				first := w.goCommit(w.Context(), w.blind("first", "1"))
				synctest.Wait()
				ctx, cancel := context.WithCancel(w.Context())
				var gone []<-chan answer
				for i := range 3 {
					gone = append(gone, w.goCommit(ctx, w.blind(key(i), "gone")))
				}
				var stay []<-chan answer
				for range leave {
					stay = append(stay, w.goCommit(w.Context(), w.blind("stay", "1")))
				}
				synctest.Wait()
				cancel()
				for _, a := range gone {
					if got := <-a; got.err != context.Canceled || got.seq != 0 {
						t.Fatalf("cancelled: %+v", got)
					}
				}
				syncs.open()
				<-first
				for _, a := range stay {
					w.check((<-a).err)
				}
				w.put("later", "1")
				if got := value(w.c.Published(), key(0)); got != "-" {
					t.Errorf("a withdrawn request was written: %v", got)
				}
				w.sound()
				w.end()
			})
		})
	}
}

// TestCancelWritten: who gives up while being written does not know; asking again
// tells. A request that was handed the lead is written although nobody waits.
func TestCancelWritten(t *testing.T) {
	bubble(t, synced, func(w *world) {
		syncs := newGate()
		w.log.onSync = syncs.wait
		p, err := w.c.Submit(w.Context(), w.blind("a", "1"))
		w.check(err)
		q, err := w.c.Submit(w.Context(), w.blind("b", "2"))
		w.check(err)
		ctx, cancel := context.WithCancelCause(w.Context())
		done := make(chan answer, 1)
		go func() {
			seq, err := q.Wait(ctx)
			done <- answer{seq, err}
		}()
		synctest.Wait()
		cancel(fmt.Errorf("enough: %w", fault.ErrIO))
		got := <-done
		w.want(got.err, fault.ErrAmbiguous)
		if e := got.err.(*fault.Error); e.Cause == nil || e.Cause.Error() != "enough: "+fault.ErrIO.Error() {
			t.Errorf("the cause is not told: %v", got.err)
		}
		syncs.open()
		synctest.Wait()
		if value(w.c.Published(), "b") != "2" {
			t.Error("what was accepted was not written")
		}
		for want, p := range map[uint64]Pending{1: p, 2: q} {
			seq, err := p.Wait(ctx)
			if err != nil || uint64(seq) != want || p.Seq() != seq {
				t.Errorf("asked again: %v %v, want %d", seq, err, want)
			}
		}
		w.end()
	})
}

// TestCancelAnswered: the answer comes at the moment at which its context ends. Whoever
// was written is told so, whichever of the two he looked at first.
func TestCancelAnswered(t *testing.T) {
	bubble(t, synced, func(w *world) {
		p, err := w.c.Submit(w.Context(), w.blind("a", "1"))
		w.check(err)
		synctest.Wait()
		ctx, cancel := context.WithCancel(w.Context())
		cancel()
		w.c.mu.Lock()
		p.w.waits++ // as Wait does before it looks at both
		w.c.mu.Unlock()
		if err, gone := w.c.depart(ctx, p.w); gone || err != nil {
			t.Errorf("it was written, and who waits is told %v", err)
		}
		w.end()
	})
}

// TestLeadNotLost: a leader ends right behind somebody in the writer's place who
// submits. The only one who waits on the open round was refused at that moment and
// goes away, and with it must not go the lead.
func TestLeadNotLost(t *testing.T) {
	bubble(t, synced, func(w *world) {
		w.put("a", "0")
		old := w.c.Latest()
		w.put("a", "1")
		_, err := w.c.Take(w.Context())
		w.check(err)
		loser := begin(old)
		loser.Get(full("a"))
		w.check(loser.Put(full("b"), nil))
		refused := w.goCommit(w.Context(), w.request(loser))
		synctest.Wait()
		last := w.blind("c", "1")
		// What SubmitHeld and a leader's end do, with nobody in between.
		w.c.mu.Lock()
		w.c.leading.Store(true)
		_, err = w.c.orderLocked(last)
		w.c.passLocked()
		w.c.mu.Unlock()
		w.check(err)
		w.want((<-refused).err, fault.ErrConflict)
		synctest.Wait()
		if value(w.c.Published(), "c") != "1" {
			t.Error("what was submitted is not written: nobody leads")
		}
		w.end()
	})
}

// TestLeadNotLostByGivingUp: the same, and the only one who waits gives up at that
// moment, on a request that is going to be written.
func TestLeadNotLostByGivingUp(t *testing.T) {
	bubble(t, synced, func(w *world) {
		first := w.blind("a", "1")
		ctx, cancel := context.WithCancel(w.Context())
		w.c.mu.Lock()
		w.c.leading.Store(true)
		w.c.place.held = true
		submitted, err := w.c.orderLocked(first)
		w.c.mu.Unlock()
		w.check(err)
		gone := make(chan error, 1)
		go func() {
			_, err := Pending{w.c, submitted}.Wait(ctx)
			gone <- err
		}()
		synctest.Wait()
		w.c.mu.Lock()
		cancel()
		w.c.passLocked()
		w.c.mu.Unlock()
		w.want(<-gone, fault.ErrAmbiguous)
		synctest.Wait()
		if value(w.c.Published(), "a") != "1" {
			t.Error("what was submitted is not written: nobody leads")
		}
		w.end()
	})
}

// TestSubmit: nobody waits, and it is written; order is the order of submitting.
func TestSubmit(t *testing.T) {
	bubble(t, synced, func(w *world) {
		syncs := newGate()
		w.log.onSync = syncs.wait
		var pendings []Pending
		for i := range 5 {
			p, err := w.c.Submit(w.Context(), w.blind("a", fmt.Sprint(i)))
			w.check(err)
			if p.Seq() != uint64Seq(i+1) {
				t.Fatalf("seq %v", p.Seq())
			}
			pendings = append(pendings, p)
		}
		synctest.Wait()
		if value(w.c.Published(), "a") != "-" || value(w.c.Pending().Picture, "a") != "4" {
			t.Error("shown before it is durable, or not pending")
		}
		syncs.open()
		synctest.Wait()
		if value(w.c.Published(), "a") != "4" {
			t.Error("not written although nobody is in the way")
		}
		for _, p := range pendings {
			seq, err := p.Wait(w.Context())
			if err != nil || seq != p.Seq() {
				t.Errorf("wait: %v %v", seq, err)
			}
		}
		w.end()
	})
}

// TestSubmitBehind: what is submitted while others are written is written next,
// though nobody waits for it.
func TestSubmitBehind(t *testing.T) {
	bubble(t, synced, func(w *world) {
		syncs := newGate()
		w.log.onSync = syncs.wait
		first := w.goCommit(w.Context(), w.blind("a", ""))
		synctest.Wait()
		_, err := w.c.Submit(w.Context(), w.blind("b", ""))
		w.check(err)
		syncs.open()
		w.check((<-first).err)
		synctest.Wait()
		if seq := w.c.Published().Seq(); seq != 2 {
			t.Errorf("published is %v", seq)
		}
		w.end()
	})
}

// TestShown: who asks for a batch that is being written waits until it is shown, and no
// longer; nobody waits for one that is not being written.
func TestShown(t *testing.T) {
	bubble(t, synced, func(w *world) {
		w.check(w.c.Shown(w.Context(), 5)) // nothing is written
		syncs := newGate()
		w.log.onSync = syncs.wait
		first := w.goCommit(w.Context(), w.blind("a", "1"))
		synctest.Wait()
		ctx, cancel := context.WithCancelCause(w.Context())
		cancel(fault.ErrIO)
		w.want(w.c.Shown(ctx, 1), fault.ErrIO)
		shown := make(chan batch.Seq)
		wait := func(seq batch.Seq) {
			w.check(w.c.Shown(w.Context(), seq))
			shown <- w.c.Published().Seq()
		}
		go wait(1)
		go wait(5) // behind all that is written: until nothing is
		synctest.Wait()
		mute(w, "shown before it is durable", shown)
		w.c.Poison(fault.ErrIO)
		syncs.let(nil)
		w.check((<-first).err)
		for range 2 {
			if seq := <-shown; seq != 1 {
				t.Errorf("published is %v", seq)
			}
		}
		w.check(w.c.Shown(w.Context(), 5))
		w.want(w.c.Close(), nil)
	})
}

// TestSyncNever: answers come with the append, Sync makes durable.
func TestSyncNever(t *testing.T) {
	bubble(t, Options{}, func(w *world) {
		for i := range 5 {
			w.put(key(i), "x")
		}
		if w.log.syncs != 0 || w.c.Durable() != 0 || w.c.Published().Seq() != 5 {
			t.Fatalf("%d syncs, durable %v, published %v", w.log.syncs, w.c.Durable(), w.c.Published().Seq())
		}
		w.check(w.c.Sync(w.Context()))
		if w.log.syncs != 1 || w.c.Durable() != 5 {
			t.Fatalf("%d syncs, durable %v", w.log.syncs, w.c.Durable())
		}
		w.put("more", "x")
		if w.c.Durable() != 5 {
			t.Errorf("durable %v without a sync", w.c.Durable())
		}
		w.end()
	})
}

// TestSyncBesidePlace: Sync syncs what was committed also while somebody holds the
// writer's place and others queue behind.
func TestSyncBesidePlace(t *testing.T) {
	bubble(t, Options{}, func(w *world) {
		w.put("a", "1")
		_, err := w.c.Take(w.Context())
		w.check(err)
		queued := w.goCommit(w.Context(), w.blind("b", "2"))
		synctest.Wait()
		w.check(w.c.Sync(w.Context()))
		if _, durable := w.log.ends(); durable != 1 || w.c.Durable() != 1 {
			t.Errorf("synced, and durable is %v, told %v", durable, w.c.Durable())
		}
		mute(w, "written past the place", queued)
		w.c.Give()
		w.check((<-queued).err)
		w.end()
	})
}

// TestCounts: Stats and Wrote tell what was written.
func TestCounts(t *testing.T) {
	var wrote []int
	bubble(t, Options{SyncEach: true, Wrote: func(n int) { wrote = append(wrote, n) }}, func(w *world) {
		old := w.c.Latest()
		req := w.blind("a", "1")
		_, err := w.c.Commit(w.Context(), req)
		w.check(err)
		loser := begin(old)
		loser.Get(full("a"))
		w.check(loser.Put(full("b"), nil))
		_, err = w.c.Commit(w.Context(), w.request(loser))
		w.want(err, fault.ErrConflict)
		w.check(w.c.Sync(w.Context()))
		n := len(req.Record.Payload)
		if got, want := w.c.Stats(), (Stats{Commits: 1, Groups: 1, Syncs: 2, Conflicts: 1, Bytes: uint64(n)}); got != want || !slices.Equal(wrote, []int{n}) {
			t.Errorf("%+v, wrote %v, want %+v", got, wrote, want)
		}
		w.end()
	})
}

// TestClockJumps: the clock of the options dates batches and decides nothing; one
// sync that hung makes nobody wait long afterwards.
func TestClockJumps(t *testing.T) {
	for _, hangs := range []time.Duration{time.Millisecond, time.Hour} {
		now := time.Unix(0, 0)
		opts := synced
		opts.Now = func() time.Time { now = now.Add(time.Hour); return now }
		bubble(t, opts, func(w *world) {
			w.log.onSync = func() error { time.Sleep(hangs); hangs = time.Millisecond; return nil }
			w.put("a", "")
			began := time.Now()
			var wg sync.WaitGroup
			for i := range 3 {
				wg.Go(func() {
					for range 10 + i {
						w.put(key(i), "")
					}
				})
			}
			wg.Wait()
			if took := time.Since(began); took > time.Second {
				t.Errorf("some 12 groups took %v", took)
			}
			w.end()
		})
	}
}

// TestDiskGetsSlow: how long is waited follows the disk, so that a group is full also
// where its writers take a moment to come back.
func TestDiskGetsSlow(t *testing.T) {
	bubble(t, synced, func(w *world) {
		const writers, each = 20, 20
		delay := 60 * time.Microsecond
		w.log.onSync = func() error { time.Sleep(delay); delay = 5 * time.Millisecond; return nil }
		w.put("first", "")
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() {
				for range each {
					w.put(key(i), "x")
					time.Sleep(time.Duration(i) * 40 * time.Microsecond)
				}
			})
		}
		wg.Wait()
		if s := w.c.Stats(); s.Groups > each+each/2 {
			t.Errorf("%d groups, %v", s.Groups, w.log.sizes())
		}
		w.end()
	})
}

// TestLogSyncsItself: a log that finishes a segment syncs it, whatever the policy,
// and Durable tells.
func TestLogSyncsItself(t *testing.T) {
	bubble(t, Options{}, func(w *world) {
		w.put("a", "")
		w.log.onAppend = func() error {
			w.log.mu.Lock()
			defer w.log.mu.Unlock()
			w.log.synced = w.log.last
			return nil
		}
		w.put("b", "")
		if w.c.Durable() != 1 || w.c.Published().Seq() != 2 {
			t.Errorf("durable %v of %v", w.c.Durable(), w.c.Published().Seq())
		}
		w.end()
	})
}
