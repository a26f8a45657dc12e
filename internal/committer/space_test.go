package committer

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
)

// deletes is a request that deletes a key and read nothing.
func (w *world) deletes(key string) *Request {
	t := begin(w.c.Latest())
	w.check(t.Delete(full(key)))
	return w.request(t)
}

// TestFreesFirst: on a full log, those that only delete go through though many that
// put fail in every group, again and again, by themselves and in the writer's place;
// then those that put do too.
func TestFreesFirst(t *testing.T) {
	bubble(t, synced, func(w *world) {
		for i := range 10 {
			w.put(key(i), "1")
		}
		w.log.onAppend = func() error { time.Sleep(time.Millisecond); return nil }
		w.log.full = true
		var putters, deleters sync.WaitGroup
		stop := make(chan struct{})
		for i := range 8 {
			putters.Go(func() {
				for open := true; open; {
					if err := w.more(i%2 == 0); !errors.Is(err, fault.ErrConflict) {
						w.want(err, fault.ErrNoSpace)
					}
					select {
					case <-stop:
						open = false
					default:
					}
				}
			})
		}
		for i := range 10 {
			deleters.Go(func() {
				_, err := w.c.Commit(context.Background(), w.deletes(key(i)))
				w.check(err)
			})
		}
		deleters.Wait()
		close(stop)
		putters.Wait()
		w.log.full = false
		w.put("more", "2")
		if n := w.c.Published().Len(); n != 2 { // and the writer's counter
			t.Errorf("%d keys are left", n)
		}
		w.sound()
		w.end()
	})
}

// more puts a key, by itself or in the writer's place.
func (w *world) more(held bool) error {
	if !held {
		_, err := w.c.Commit(context.Background(), w.blind("more", ""))
		return err
	}
	b, err := w.c.Take(context.Background())
	w.check(err)
	t := begin(b)
	w.check(t.Put(full("more"), nil))
	_, err = w.c.CommitHeld(context.Background(), w.request(t))
	return err
}

// TestFreesAgain: one that only deletes, in a group that finds no space, is tried
// again and not refused; one that was told its number is.
func TestFreesAgain(t *testing.T) {
	bubble(t, synced, func(w *world) {
		w.put("a", "1")
		w.put("b", "1")
		appends := newGate()
		w.log.onAppend = appends.wait
		first := w.goCommit(w.Context(), w.deletes("none"))
		synctest.Wait()
		put := w.goCommit(w.Context(), w.blind("c", "1"))
		del := w.goCommit(w.Context(), w.deletes("a"))
		synctest.Wait()
		told, err := w.c.Submit(w.Context(), w.deletes("b"))
		w.check(err)
		w.log.full = true
		appends.open()
		w.check((<-first).err)
		w.want((<-put).err, fault.ErrNoSpace)
		w.check((<-del).err)
		_, err = told.Wait(w.Context())
		w.want(err, fault.ErrNoSpace)
		if p := w.c.Published(); value(p, "a") != "-" || value(p, "b") != "1" || p.Seq() != 4 {
			t.Errorf("a %s, b %s at %v", value(p, "a"), value(p, "b"), p.Seq())
		}
		w.sound()
		w.end()
	})
}

// TestFreesBehind: one that only deletes and was sequenced behind a group that finds
// no space is not refused with it, though somebody holds the writer's place on a
// picture with both; nor is one that what gathers meanwhile stands behind.
func TestFreesBehind(t *testing.T) {
	bubble(t, synced, func(w *world) {
		w.put("a", "1")
		appends := newGate()
		w.log.onAppend = appends.wait
		w.log.full = true
		put := w.goCommit(w.Context(), w.blind("c", "1"))
		synctest.Wait()
		del := w.goCommit(w.Context(), w.deletes("a"))
		synctest.Wait()
		b, err := w.c.Take(w.Context()) // sequences what was queued
		w.check(err)
		late := w.goCommit(w.Context(), w.deletes("b"))
		synctest.Wait()
		appends.open()
		w.want((<-put).err, fault.ErrNoSpace)
		if a := <-del; a != (answer{2, nil}) {
			t.Errorf("the one behind got %+v", a)
		}
		holder := begin(b)
		w.check(holder.Put(full("d"), nil))
		_, err = w.c.CommitHeld(w.Context(), w.request(holder))
		w.want(err, fault.ErrConflict)
		w.check((<-late).err)
		if p := w.c.Published(); value(p, "a") != "-" || p.Seq() != 3 {
			t.Errorf("a %s at %v", value(p, "a"), p.Seq())
		}
		w.sound()
		w.end()
	})
}

// TestFreesBeyondLimit: those that are spared may be more than one group holds; the
// others, and who came meanwhile, follow.
func TestFreesBeyondLimit(t *testing.T) {
	bubble(t, synced, func(w *world) {
		appends := newGate()
		w.log.onAppend = appends.wait
		w.log.full = true
		first := w.goCommit(w.Context(), w.deletes("none"))
		synctest.Wait()
		put := w.goCommit(w.Context(), w.blind("c", "1"))
		synctest.Wait()
		var answers []<-chan answer
		add := func() {
			answers = append(answers, w.goCommit(w.Context(), w.deletes(strings.Repeat("x", 20<<10))))
			synctest.Wait()
		}
		for range 8 {
			add()
		}
		w.c.mu.Lock()
		w.c.limit = 1 << 20 // so that all of them are in one group
		w.c.mu.Unlock()
		appends.let(nil)
		w.check((<-first).err)
		synctest.Wait()
		w.c.mu.Lock()
		w.c.limit = limits.Group
		w.c.mu.Unlock()
		add() // in the queue behind
		appends.open()
		w.want((<-put).err, fault.ErrNoSpace)
		for i, a := range answers {
			if a := <-a; a.err != nil {
				t.Errorf("%d: %v", i, a.err)
			}
		}
		w.sound()
		w.end()
	})
}

// TestPutsNotShutOut: those that only delete may come without end while the log is
// full; one that puts gets its answer all the same.
func TestPutsNotShutOut(t *testing.T) {
	bubble(t, synced, func(w *world) {
		w.log.full = true
		_, err := w.c.Commit(w.Context(), w.blind("x", ""))
		w.want(err, fault.ErrNoSpace)
		w.log.full = false
		appends := newGate()
		w.log.onAppend = appends.wait
		last := w.goCommit(w.Context(), w.deletes("none"))
		synctest.Wait()
		put := w.goCommit(w.Context(), w.blind("y", ""))
		for range 3 {
			next := w.goCommit(w.Context(), w.deletes("none"))
			synctest.Wait()
			appends.let(nil)
			w.check((<-last).err)
			synctest.Wait()
			last = next
		}
		if len(put) != 1 {
			t.Error("a put waits behind those that delete")
		}
		appends.open()
		w.check((<-put).err)
		w.check((<-last).err)
		w.end()
	})
}

// TestFreesWhileClosing: a group that finds no space while the committer is being
// closed leaves nobody without an answer, and nothing that was accepted undone.
func TestFreesWhileClosing(t *testing.T) {
	bubble(t, synced, func(w *world) {
		appends := newGate()
		w.log.onAppend = appends.wait
		first := w.goCommit(w.Context(), w.deletes("none"))
		synctest.Wait()
		put := w.goCommit(w.Context(), w.blind("c", "1"))
		del := w.goCommit(w.Context(), w.deletes("a"))
		synctest.Wait()
		w.log.full = true
		appends.let(nil)
		w.check((<-first).err)
		synctest.Wait()
		closed := make(chan error, 1)
		go func() { closed <- w.c.Close() }()
		synctest.Wait()
		appends.let(nil)
		synctest.Wait()
		mute(w, "closed while one is tried again", closed)
		appends.open()
		w.want((<-put).err, fault.ErrNoSpace)
		w.check((<-del).err)
		w.check(<-closed)
	})
}

// TestCloseBeyondLimit: Close answers also what is more than one group holds.
func TestCloseBeyondLimit(t *testing.T) {
	bubble(t, synced, func(w *world) {
		appends := newGate()
		w.log.onAppend = appends.wait
		answers := []<-chan answer{w.goCommit(w.Context(), w.blind("first", ""))}
		synctest.Wait()
		for i := range 12 {
			answers = append(answers, w.goCommit(w.Context(), w.blind(key(i), strings.Repeat("x", 20<<10))))
		}
		synctest.Wait()
		closed := make(chan error, 1)
		go func() { closed <- w.c.Close() }()
		synctest.Wait()
		mute(w, "closed while requests are queued", closed)
		appends.open()
		w.check(<-closed)
		synctest.Wait()
		for i, a := range answers {
			if len(a) == 0 {
				t.Fatalf("closed, and %d has no answer", i)
			}
			w.check((<-a).err)
		}
		w.sound()
	})
}

// TestGroupLimit: a group holds no more than the log wants, but for a single record
// above that; all are written, in order.
func TestGroupLimit(t *testing.T) {
	bubble(t, synced, func(w *world) {
		appends := newGate()
		w.log.onAppend = appends.wait
		first := w.goCommit(w.Context(), w.blind("first", ""))
		synctest.Wait()
		var wg sync.WaitGroup
		for i := range 20 {
			req := w.blind(key(i), strings.Repeat("x", 20<<10))
			if i == 7 {
				req = w.blind(key(i), strings.Repeat("x", 100<<10))
			}
			wg.Go(func() {
				_, err := w.c.Commit(context.Background(), req)
				w.check(err)
			})
		}
		synctest.Wait()
		appends.open()
		w.check((<-first).err)
		wg.Wait()
		for _, g := range w.log.groups {
			if n := bytesOf(g); n > limits.Group && len(g) > 1 {
				t.Errorf("a group of %d records holds %d bytes", len(g), n)
			}
		}
		if s := w.c.Stats(); s.Groups > 11 {
			t.Errorf("%d groups", s.Groups)
		}
		w.sound()
		w.end()
	})
}

func bytesOf(group []batch.Record) (n int) {
	for _, r := range group {
		n += len(r.Payload)
	}
	return n
}

// TestTakeSettled: the picture in the writer's place may be asked for once nothing in
// it can be taken back. What then only deletes goes through, whoever is behind.
func TestTakeSettled(t *testing.T) {
	bubble(t, synced, func(w *world) {
		appends := newGate()
		w.log.onAppend = appends.wait
		w.log.full = true
		doomed := w.goCommit(w.Context(), w.blind("a", "1"))
		synctest.Wait()
		taken := make(chan Base, 1)
		go func() {
			b, err := w.c.TakeSettled(w.Context())
			if err != nil {
				t.Error(err)
			}
			taken <- b
		}()
		synctest.Wait()
		mute(w, "taken on what is not durable", taken)
		behind := w.goCommit(w.Context(), w.blind("b", "1"))
		synctest.Wait()
		appends.let(nil)
		b := <-taken
		if b.Picture.Seq() != 0 || value(b.Picture, "a") != "-" {
			t.Errorf("it sees %v", b.Picture.Seq())
		}
		w.want((<-doomed).err, fault.ErrNoSpace)
		appends.open()
		holder := begin(b)
		w.check(holder.Delete(full("a")))
		seq, err := w.c.CommitHeld(w.Context(), w.request(holder))
		if seq != 1 || err != nil {
			t.Errorf("%v %v", seq, err)
		}
		w.want((<-behind).err, fault.ErrNoSpace)
		ctx, cancel := context.WithCancelCause(w.Context())
		cancel(errors.New("enough"))
		w.log.full = false
		w.takeSettledGivesUp(ctx)
		w.sound()
		w.end()
	})
}

// takeSettledGivesUp: whoever gives up lets the place go, and nothing is in doubt.
func (w *world) takeSettledGivesUp(ctx context.Context) {
	syncs := newGate()
	w.log.onSync = syncs.wait
	last := w.goCommit(w.Context(), w.blind("c", "1"))
	synctest.Wait()
	if _, err := w.c.TakeSettled(ctx); err != context.Cause(ctx) {
		w.Errorf("gave up: %v", err)
	}
	syncs.open()
	w.check((<-last).err)
	_, err := w.c.Take(w.Context())
	w.check(err)
	w.c.Give()
}
