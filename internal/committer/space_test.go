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
// put fail in every group, again and again; then those that put do too.
func TestFreesFirst(t *testing.T) {
	bubble(t, synced, func(w *world) {
		for i := range 10 {
			w.put(key(i), "1")
		}
		w.log.onAppend = func() error { time.Sleep(time.Millisecond); return nil }
		w.log.full = true
		var putters, deleters sync.WaitGroup
		stop := make(chan struct{})
		for range 8 {
			putters.Go(func() {
				for open := true; open; {
					_, err := w.c.Commit(context.Background(), w.blind("more", ""))
					w.want(err, fault.ErrNoSpace)
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

// TestFreesWhileClosing: a group that finds no space while the committer is being
// closed leaves nobody without an answer.
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
		appends.open()
		w.check(<-closed)
		w.want((<-put).err, fault.ErrNoSpace)
		if err := (<-del).err; err != nil && !errors.Is(err, fault.ErrNoSpace) {
			t.Error(err)
		}
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
