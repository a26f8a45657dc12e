package committer

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
)

// TestNothingWritten: where an append wrote nothing, the group and what was
// sequenced behind it are refused, the line goes back, and writing goes on.
func TestNothingWritten(t *testing.T) {
	for _, kind := range []*fault.Kind{fault.ErrNoSpace, fault.ErrTooLarge} {
		t.Run(kind.Code(), func(t *testing.T) {
			bubble(t, synced, func(w *world) { w.nothingWritten(kind) })
		})
	}
}

func (w *world) nothingWritten(kind *fault.Kind) {
	w.put("a", "1")
	appends := newGate()
	w.log.onAppend = appends.wait
	doomed := w.goCommit(w.Context(), w.blind("a", "2"))
	synctest.Wait()
	behind, err := w.c.Submit(w.Context(), w.blind("b", "2"))
	w.check(err)
	onPending := w.c.Pending()
	if value(onPending.Picture, "a") != "2" || value(onPending.Picture, "b") != "2" {
		w.Fatal("the pending picture lacks what is sequenced")
	}
	onPublished := begin(w.c.Latest())
	onPublished.Get(full("a"))
	w.check(onPublished.Put(full("c"), []byte("good")))
	queued := w.goCommit(w.Context(), w.request(onPublished))
	settled := make(chan error, 1)
	go func() { settled <- w.c.Settle(w.Context(), onPending) }()
	synctest.Wait()

	appends.let(kind)
	appends.open()
	w.want((<-doomed).err, kind)
	_, err = behind.Wait(w.Context())
	w.want(err, kind)
	w.want(<-settled, fault.ErrConflict)
	if a := <-queued; a != (answer{2, nil}) {
		w.Fatalf("the one based on what is published got %+v", a)
	}
	loser := begin(onPending)
	w.check(loser.Put(full("d"), nil))
	_, err = w.c.Commit(w.Context(), w.request(loser))
	w.want(err, fault.ErrConflict)
	w.want(w.c.Settle(w.Context(), onPending), fault.ErrConflict)
	w.check(w.c.Err())
	if seq := w.put("e", "1"); seq != 3 {
		w.Errorf("the next is %v", seq)
	}
	p := w.c.Published()
	if value(p, "a") != "1" || value(p, "b") != "-" || value(p, "c") != "good" || value(p, "d") != "-" || w.c.Pending().Picture.Seq() != 3 {
		w.Errorf("after the failure: a %s b %s c %s d %s, pending %v", value(p, "a"), value(p, "b"), value(p, "c"), value(p, "d"), w.c.Pending().Picture.Seq())
	}
	w.sound()
	w.end()
}

// TestNoSpaceHeld: who holds the writer's place on a picture that is taken back
// conflicts; who waits for the place gets the right picture.
func TestNoSpaceHeld(t *testing.T) {
	bubble(t, synced, func(w *world) {
		appends := newGate()
		w.log.onAppend = appends.wait
		doomed := w.goCommit(w.Context(), w.blind("a", "1"))
		synctest.Wait()
		b, err := w.c.Take(w.Context())
		w.check(err)
		holder := begin(b)
		w.check(holder.Put(full("b"), nil))
		next := make(chan Base, 1)
		go func() {
			b, err := w.c.Take(w.Context())
			if err != nil {
				t.Error(err)
			}
			next <- b
		}()
		synctest.Wait()
		appends.let(fault.ErrNoSpace)
		w.want((<-doomed).err, fault.ErrNoSpace)
		_, err = w.c.CommitHeld(w.Context(), w.request(holder))
		w.want(err, fault.ErrConflict)
		if got := <-next; got.Picture.Seq() != 0 || value(got.Picture, "a") != "-" {
			t.Errorf("the next holder sees %v", got.Picture.Seq())
		}
		appends.open()
		w.c.Give()
		w.sound()
		w.end()
	})
}

// TestFailureEndsWriting: any other failure leaves unknown what is on disk. The
// group is told so, everybody else that writing has ended; readers go on.
func TestFailureEndsWriting(t *testing.T) {
	ambiguous := &fault.Error{Op: "append", Err: fault.ErrAmbiguous, Cause: fault.ErrNoSpace}
	for name, tc := range map[string]struct {
		append, sync error
	}{
		"append":                {append: fault.ErrIO},
		"append not taken back": {append: ambiguous},
		"sync":                  {sync: fault.ErrIO},
		"sync without space":    {sync: fault.ErrNoSpace},
		"sync of an ended log":  {sync: &fault.Error{Op: "log", Err: fault.ErrPoisoned, Cause: fault.ErrIO}},
		"sync ambiguous":        {sync: &fault.Error{Op: "sync", Err: fault.ErrAmbiguous, Cause: fault.ErrIO}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, synced, func(w *world) { w.endsWriting(tc.append, tc.sync) })
		})
	}
}

func (w *world) endsWriting(appendErr, syncErr error) {
	w.put("a", "1")
	calls, fail := newGate(), appendErr
	if appendErr != nil {
		w.log.onAppend = calls.wait
	} else {
		w.log.onSync, fail = calls.wait, syncErr
	}
	group := []<-chan answer{w.goCommit(w.Context(), w.blind("a", "2"))}
	synctest.Wait()
	onPending := w.c.Pending()
	queued := w.goCommit(w.Context(), w.blind("b", "2"))
	behind, err := w.c.Submit(w.Context(), w.blind("c", "2"))
	w.check(err)
	synctest.Wait()
	calls.let(fail)
	for _, a := range group {
		got := (<-a).err
		w.want(got, fault.ErrAmbiguous)
		if cause := errors.Unwrap(fail); !errors.Is(got, fail) && !errors.Is(got, cause) {
			w.Errorf("the cause is lost: %v", got)
		}
	}
	w.poisonedNow(onPending, fail)
	w.want((<-queued).err, fault.ErrPoisoned)
	_, err = behind.Wait(w.Context())
	w.want(err, fault.ErrPoisoned)
	if p := w.c.Published(); value(p, "a") != "1" || value(p, "b") != "-" || p.Seq() != 1 || w.c.Durable() != 1 {
		w.Errorf("shown after the failure: a %s, %v, durable %v", value(p, "a"), p.Seq(), w.c.Durable())
	}
	n := len(w.log.sizes())
	w.check(w.c.Close())
	if len(w.log.sizes()) != n {
		w.Error("something was appended after the failure")
	}
}

// poisonedNow tries every way to write.
func (w *world) poisonedNow(onPending Base, cause error) {
	w.Helper()
	_, commit := w.c.Commit(w.Context(), w.blind("x", ""))
	_, take := w.c.Take(w.Context())
	_, submit := w.c.Submit(w.Context(), w.blind("x", ""))
	for what, err := range map[string]error{
		"err": w.c.Err(), "commit": commit, "take": take, "submit": submit, "sync": w.c.Sync(w.Context()),
		"settle": w.c.Settle(w.Context(), onPending),
	} {
		if fault.KindOf(err) != fault.ErrPoisoned || !errors.Is(err, cause) {
			w.Errorf("%s: %v, want poisoned by %v", what, err, cause)
		}
	}
}

// TestPoison: a failure elsewhere ends writing too; the first cause is kept.
func TestPoison(t *testing.T) {
	bubble(t, synced, func(w *world) {
		b, err := w.c.Take(w.Context())
		w.check(err)
		queued := w.goCommit(w.Context(), w.blind("q", ""))
		synctest.Wait()
		w.c.Poison(fault.ErrIO)
		w.c.Poison(fault.ErrDenied)
		holder := begin(b)
		w.check(holder.Put(full("a"), nil))
		_, err = w.c.CommitHeld(w.Context(), w.request(holder))
		w.want(err, fault.ErrPoisoned)
		w.want((<-queued).err, fault.ErrPoisoned)
		if err := w.c.Err(); !errors.Is(err, fault.ErrIO) || errors.Is(err, fault.ErrDenied) {
			t.Errorf("cause %v, want the first", err)
		}
		w.check(w.c.Close())
		if len(w.log.sizes()) != 0 {
			t.Error("something was written")
		}
	})
}

// TestSettle: who read what is not durable yet learns the outcome only then.
func TestSettle(t *testing.T) {
	bubble(t, synced, func(w *world) {
		w.put("a", "1")
		w.check(w.c.Settle(w.Context(), w.c.Latest()))
		w.check(w.c.Settle(w.Context(), w.c.Pending()))
		syncs := newGate()
		w.log.onSync = syncs.wait
		first := w.goCommit(w.Context(), w.blind("a", "2"))
		synctest.Wait()
		b := w.c.Pending()
		settled := make(chan error, 1)
		go func() { settled <- w.c.Settle(w.Context(), b) }()
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		w.want(w.c.Settle(ctx, b), fault.ErrAmbiguous)
		mute(w, "settled before the sync", settled)
		w.check(w.c.Settle(w.Context(), w.c.Latest()))
		syncs.let(nil)
		w.check(<-settled)
		w.check((<-first).err)
		if w.log.syncs != 2 || len(w.log.sizes()) != 2 {
			t.Errorf("%d syncs of %v: settling wrote", w.log.syncs, w.log.sizes())
		}
		syncs.open()
		w.end()
	})
}

// TestSettleKept: what was read is durable, and stays so when something later is
// taken back.
func TestSettleKept(t *testing.T) {
	bubble(t, synced, func(w *world) {
		syncs := newGate()
		w.log.onSync = syncs.wait
		first := w.goCommit(w.Context(), w.blind("a", "1"))
		synctest.Wait()
		b := w.c.Pending()
		syncs.open()
		w.check((<-first).err)
		w.log.onAppend = func() error { return fault.ErrNoSpace }
		_, err := w.c.Commit(w.Context(), w.blind("a", "2"))
		w.want(err, fault.ErrNoSpace)
		if err := w.c.Settle(w.Context(), b); err != nil {
			t.Errorf("what was read is durable: %v", err)
		}
		w.end()
	})
}

// TestSettleBesideFailure: who only waits for what it read is told of that, and not
// of the group that it waits with.
func TestSettleBesideFailure(t *testing.T) {
	bubble(t, synced, func(w *world) {
		appends := newGate()
		w.log.onAppend = appends.wait
		one := w.goCommit(w.Context(), w.blind("a", "1"))
		synctest.Wait()
		b := w.c.Pending()
		settled := make(chan error, 1)
		go func() { settled <- w.c.Settle(w.Context(), b) }()
		two := w.goCommit(w.Context(), w.blind("a", "2"))
		synctest.Wait()
		appends.let(nil)
		w.check((<-one).err)
		synctest.Wait()
		appends.let(fault.ErrNoSpace)
		w.want((<-two).err, fault.ErrNoSpace)
		w.check(<-settled)
		appends.open()
		w.end()
	})
}

// TestLongLife: many failures and successes in turn leave line and log alike.
func TestLongLife(t *testing.T) {
	bubble(t, synced, func(w *world) {
		n := 0
		w.log.onAppend = func() error {
			time.Sleep(time.Millisecond)
			if n++; n%3 == 0 {
				return fault.ErrNoSpace
			}
			return nil
		}
		done := make(chan int)
		for i := range 20 {
			go func() {
				good := 0
				for range 10 {
					seq, err := w.c.Commit(context.Background(), w.blind(key(i), "x"))
					if err == nil {
						good++
					} else if !errors.Is(err, fault.ErrNoSpace) || seq != 0 {
						t.Errorf("%v %v", seq, err)
					}
				}
				done <- good
			}()
		}
		good := 0
		for range 20 {
			good += <-done
		}
		w.log.onAppend = nil
		w.sound()
		if last := w.c.Published().Seq(); good == 0 || good == 200 || last != batch.Seq(good) {
			t.Errorf("%d of 200 answered well, the log ends at %v", good, last)
		}
		w.end()
	})
}
