package committer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vlogdb/vlog/internal/fault"
)

// holder takes the place, appends its name to a key, and lets the place go.
func (w *world) holder(ctx context.Context, name string) error {
	b, err := w.c.Take(ctx)
	if err != nil {
		return err
	}
	t := begin(b)
	e, _ := t.Get(full("order"))
	w.check(t.Put(full("order"), append(slices.Clone(e.Value), name...)))
	_, err = w.c.CommitHeld(context.Background(), w.request(t))
	return err
}

// TestPlaceInOrder: the place is given in the order in which it was asked for; those
// who wait for it see everything that was sequenced before, what queued up included;
// one who gives up is passed over.
func TestPlaceInOrder(t *testing.T) {
	bubble(t, synced, func(w *world) {
		_, err := w.c.Take(w.Context())
		w.check(err)
		done := make(chan error)
		ctx, cancel := context.WithCancel(w.Context())
		for _, name := range []string{"a", "b", "x", "c", "d"} {
			of := w.Context()
			if name == "x" {
				of = ctx
			}
			go func() { done <- w.holder(of, name) }()
			synctest.Wait()
		}
		queued := w.goCommit(w.Context(), w.blind("order", "q"))
		synctest.Wait()
		cancel()
		if err := <-done; err != context.Canceled {
			t.Fatal(err)
		}
		mute(w, "written past the place", queued)
		w.c.Give()
		for range 4 {
			w.check(<-done)
		}
		w.check((<-queued).err)
		if got := value(w.c.Published(), "order"); got != "qabcd" {
			t.Errorf("order %q, want qabcd", got)
		}
		w.sound()
		w.end()
	})
}

// TestPlaceGivenToTheGone: the place is given at the moment when its taker gives
// up; either way it goes on.
func TestPlaceGivenToTheGone(t *testing.T) {
	bubble(t, synced, func(w *world) {
		_, err := w.c.Take(w.Context())
		w.check(err)
		ctx, cancel := context.WithCancel(w.Context())
		gone := make(chan error, 1)
		go func() {
			_, err := w.c.Take(ctx)
			if err == nil {
				w.c.Give()
			}
			gone <- err
		}()
		synctest.Wait()
		next := make(chan error, 1)
		go func() { next <- w.holder(w.Context(), "next") }()
		synctest.Wait()
		w.c.mu.Lock()
		w.c.giveLocked() // both happen before the taker runs
		cancel()
		w.c.mu.Unlock()
		<-gone
		w.check(<-next)
		w.end()
	})
}

// TestNobodyStarves: with holders and queuers coming without end, both make progress.
func TestNobodyStarves(t *testing.T) {
	bubble(t, synced, func(w *world) {
		w.log.onSync = func() error { time.Sleep(time.Millisecond); return nil }
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		var counts [8]int
		for i := range counts {
			wg.Go(func() {
				for ctx.Err() == nil {
					if i%2 == 0 {
						w.check(w.holder(context.Background(), ""))
					} else {
						w.put(key(i), "x")
					}
					counts[i]++
				}
			})
		}
		wg.Wait()
		if least, most := slices.Min(counts[:]), slices.Max(counts[:]); least*3 < most || least < 100 {
			t.Errorf("commits of holders and queuers in turn: %v", counts)
		}
		w.sound()
		w.end()
	})
}

// TestTakeDrains: what was queued when the place is free came first.
func TestTakeDrains(t *testing.T) {
	bubble(t, synced, func(w *world) {
		syncs := newGate()
		w.log.onSync = syncs.wait
		first := w.goCommit(w.Context(), w.blind("a", "1"))
		synctest.Wait()
		second := w.goCommit(w.Context(), w.blind("b", "2"))
		synctest.Wait()
		b, err := w.c.Take(w.Context())
		w.check(err)
		if value(b.Picture, "a") != "1" || value(b.Picture, "b") != "2" {
			t.Error("the holder does not see what came before it")
		}
		syncs.open()
		w.check((<-first).err)
		w.check((<-second).err) // written although the place is held: it was sequenced before
		w.c.Give()
		w.end()
	})
}

// TestCloseWaits: Close answers all that was accepted before it returns, and
// nothing later.
func TestCloseWaits(t *testing.T) {
	bubble(t, synced, func(w *world) {
		syncs := newGate()
		w.log.onSync = syncs.wait
		first := w.goCommit(w.Context(), w.blind("a", "1"))
		synctest.Wait()
		second := w.goCommit(w.Context(), w.blind("b", "1"))
		synctest.Wait()
		submitted, err := w.c.Submit(w.Context(), w.blind("c", "1"))
		w.check(err)
		closed := make(chan error, 1)
		go func() { closed <- w.c.Close() }()
		synctest.Wait()
		mute(w, "closed before the sync", closed)
		w.closedNow()
		syncs.let(nil)
		w.check((<-first).err)
		synctest.Wait()
		mute(w, "closed before the second sync", closed)
		syncs.let(nil)
		w.check(<-closed)
		w.check((<-second).err)
		_, err = submitted.Wait(w.Context())
		w.check(err)
		w.want(w.c.Close(), fault.ErrClosed)
		w.closedNow()
		w.sound()
	})
}

func (w *world) closedNow() {
	w.Helper()
	_, commit := w.c.Commit(w.Context(), w.blind("x", ""))
	_, take := w.c.Take(w.Context())
	for what, err := range map[string]error{"err": w.c.Err(), "commit": commit, "take": take, "sync": w.c.Sync(w.Context())} {
		if fault.KindOf(err) != fault.ErrClosed {
			w.Errorf("%s: %v, want ErrClosed", what, err)
		}
	}
}

// TestCloseBesidePlace: Close waits for whoever holds the writer's place and for
// what queued up behind, and turns away those who wait for the place.
func TestCloseBesidePlace(t *testing.T) {
	for _, end := range []string{"give", "commit", "submit"} {
		t.Run(end, func(t *testing.T) {
			bubble(t, synced, func(w *world) { w.closeBesidePlace(end) })
		})
	}
}

func (w *world) closeBesidePlace(end string) {
	b, err := w.c.Take(w.Context())
	w.check(err)
	holder := begin(b)
	w.check(holder.Put(full("a"), nil))
	queued := w.goCommit(w.Context(), w.blind("q", "1"))
	taker := make(chan error, 1)
	go func() { taker <- w.holder(w.Context(), "late") }()
	synctest.Wait()
	closed := make(chan error, 1)
	go func() { closed <- w.c.Close() }()
	synctest.Wait()
	w.want(<-taker, fault.ErrClosed)
	mute(w, "closed while a request is queued", closed)
	switch end {
	case "give":
		w.c.Give()
	case "commit":
		_, err = w.c.CommitHeld(w.Context(), w.request(holder))
		w.want(err, fault.ErrClosed)
	case "submit":
		_, err = w.c.SubmitHeld(w.request(holder))
		w.want(err, fault.ErrClosed)
	}
	w.check(<-closed)
	w.check((<-queued).err)
	if p := w.c.Published(); value(p, "q") != "1" || value(p, "a") != "-" {
		w.Errorf("q %s, a %s", value(p, "q"), value(p, "a"))
	}
	w.sound()
}

// TestEmptyClose: nothing was ever written.
func TestEmptyClose(t *testing.T) {
	bubble(t, synced, func(w *world) {
		w.end()
		if w.log.syncs+len(w.log.sizes()) != 0 {
			t.Error("closing wrote")
		}
	})
}

// schedule is an anomaly: two transactions that each are right alone.
type schedule struct {
	setup    map[string]string
	one, two func(t *tx) error
	broken   func(get func(key string) string) bool // the invariant does not hold
}

// anomalies are those that only the check of what was read prevents.
var anomalies = map[string]schedule{
	"lost update": {
		setup:  map[string]string{"n": "1"},
		one:    func(t *tx) error { return mark(t, "one") },
		two:    func(t *tx) error { return mark(t, "two") },
		broken: func(get func(string) string) bool { return get("done/one")+get("done/two") == "" && get("n") != "111" },
	},
	"write skew": {
		setup:  map[string]string{"alice": "on", "bob": "on"},
		one:    func(t *tx) error { return offCall(t, "alice") },
		two:    func(t *tx) error { return offCall(t, "bob") },
		broken: func(get func(string) string) bool { return get("alice") == "off" && get("bob") == "off" },
	},
	"phantom": {
		setup:  map[string]string{"room/1": "x"},
		one:    func(t *tx) error { return book(t, "room/2", "total/one") },
		two:    func(t *tx) error { return book(t, "room/3", "total/two") },
		broken: func(get func(string) string) bool { return get("total/one") == "2" && get("total/two") == "2" },
	},
	"missing key": {
		one:    func(t *tx) error { return seize(t, "one") },
		two:    func(t *tx) error { return seize(t, "two") },
		broken: func(get func(string) string) bool { return get("got/one") == "yes" && get("got/two") == "yes" },
	},
	"deleted in the range": {
		setup: map[string]string{"room/1": "x", "room/2": "x"},
		one:   func(t *tx) error { return leave(t, "room/1") }, two: func(t *tx) error { return leave(t, "room/2") },
		broken: func(get func(string) string) bool { return get("room/1") == "-" && get("room/2") == "-" },
	},
}

func increment(t *tx) error {
	e, _ := t.Get(full("n"))
	return t.Put(full("n"), append(slices.Clone(e.Value), '1'))
}

// mark increments and says so.
func mark(t *tx, me string) error {
	return errors.Join(increment(t), t.Put(full("done/"+me), nil))
}

// offCall leaves where the other one stays.
func offCall(t *tx, me string) error {
	on := 0
	for _, who := range []string{"alice", "bob"} {
		if e, _ := t.Get(full(who)); string(e.Value) == "on" {
			on++
		}
	}
	if on < 2 {
		return nil
	}
	return t.Put(full(me), []byte("off"))
}

func rooms(t *tx) (n int) {
	for range t.Ascend(full("room/"), full("room0")) {
		n++
	}
	return n
}

// book adds a room and writes how many there are.
func book(t *tx, room, total string) error {
	n := rooms(t)
	if err := t.Put(full(room), nil); err != nil {
		return err
	}
	return t.Put(full(total), fmt.Append(nil, n+1))
}

// leave deletes a room where another one stays.
func leave(t *tx, room string) error {
	if rooms(t) < 2 {
		return nil
	}
	return t.Delete(full(room))
}

// seize takes what nobody has, by writing elsewhere that it was free.
func seize(t *tx, me string) error {
	if _, taken := t.Get(full("owner")); taken {
		return nil
	}
	if err := t.Put(full("got/"+me), []byte("yes")); err != nil {
		return err
	}
	return t.Put(full("owner"), []byte(me))
}

// run lets both begin on one picture and commit one after the other, and says
// whether the second conflicted and whether the invariant broke.
func (s schedule) run(w *world, validate bool) (conflict, broken bool) {
	for k, v := range s.setup {
		w.put(k, v)
	}
	one, two := begin(w.c.Latest()), begin(w.c.Latest())
	w.check(s.one(one))
	w.check(s.two(two))
	for _, t := range []*tx{one, two} {
		req := w.request(t)
		if !validate {
			req.Reads = nil
		}
		_, err := w.c.Commit(w.Context(), req)
		if conflict = fault.KindOf(err) == fault.ErrConflict; err != nil && !conflict {
			w.Fatal(err)
		}
	}
	return conflict, s.broken(func(k string) string { return value(w.c.Published(), k) })
}

// TestSerializable shows each anomaly twice: with what was read it is refused,
// without it appears. So it is the check that prevents it, and the schedule is one.
func TestSerializable(t *testing.T) {
	for name, s := range anomalies {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			bubble(t, synced, func(w *world) {
				if conflict, broken := s.run(w, true); !conflict || broken {
					t.Errorf("with the check: conflict %v, broken %v", conflict, broken)
				}
				w.end()
			})
			bubble(t, synced, func(w *world) {
				if conflict, broken := s.run(w, false); conflict || !broken {
					t.Errorf("without the check: conflict %v, broken %v", conflict, broken)
				}
				w.end()
			})
		})
	}
}

// TestSerializableInGroup: the same, with the first still being written when the
// second is validated: it is checked against what is pending.
func TestSerializableInGroup(t *testing.T) {
	bubble(t, synced, func(w *world) {
		w.put("n", "1")
		syncs := newGate()
		w.log.onSync = syncs.wait
		var answers []<-chan answer
		for range 3 {
			t := begin(w.c.Latest())
			w.check(increment(t))
			answers = append(answers, w.goCommit(w.Context(), w.request(t)))
			synctest.Wait()
		}
		syncs.open()
		w.check((<-answers[0]).err)
		for _, a := range answers[1:] {
			w.want((<-a).err, fault.ErrConflict)
		}
		if got := value(w.c.Published(), "n"); got != "11" {
			t.Errorf("n is %q", got)
		}
		w.sound()
		w.end()
	})
}
