package engine_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// watched is a loop over DB.Watch in a goroutine of its own.
type watched struct {
	seqs chan uint64
	end  chan error
}

func watch(ctx context.Context, t testing.TB, db *engine.DB, from uint64) *watched {
	w := &watched{make(chan uint64), make(chan error, 1)}
	go func() {
		defer close(w.seqs)
		for b, err := range db.Watch(ctx, from) {
			if err != nil {
				w.end <- err
				continue // it is the last pair
			}
			select {
			case w.seqs <- b.Seq:
			case <-t.Context().Done(): // nobody takes it any more
				return
			}
		}
	}()
	return w
}

// expect takes batches, in order, from one to another.
func (w *watched) expect(t testing.TB, from, to uint64) {
	t.Helper()
	for seq := from; seq <= to; seq++ {
		if got, ok := <-w.seqs; !ok || got != seq {
			t.Fatalf("got %d %v, want %d", got, ok, seq)
		}
	}
}

// ends waits for the end of the loop.
func (w *watched) ends(t testing.TB, target error) {
	t.Helper()
	if seq, ok := <-w.seqs; ok {
		t.Fatalf("got %d, want the end", seq)
	}
	want(t, "the end", <-w.end, target)
}

// readBeside opens the store of a disk read-only.
func readBeside(t testing.TB, m *vfs.Mem) *engine.DB {
	t.Helper()
	return open(t, m.Reopen(), engine.Options{ReadOnly: true})
}

func TestWatch(t *testing.T) {
	m := tracked()
	db := open(t, m.Reopen(), quiet)
	reader := readBeside(t, m)
	for i := range 3 {
		put(t, db, "key", fmt.Sprint(i))
	}
	var all []*watched
	for _, d := range []*engine.DB{db, reader} {
		for _, from := range []uint64{0, 1} {
			w := watch(t.Context(), t, d, from)
			w.expect(t, 1, 3)
			all = append(all, w)
		}
		all = append(all, watch(t.Context(), t, d, d.Durable()+1), watch(t.Context(), t, d, 4))
	}
	late := watch(t.Context(), t, reader, 6)
	for i := range 4 {
		put(t, db, "key", fmt.Sprint(i))
		for _, w := range all {
			w.expect(t, uint64(4+i), uint64(4+i))
		}
	}
	late.expect(t, 6, 7)
	ctx, cancel := context.WithCancelCause(t.Context())
	w := watch(ctx, t, reader, 7)
	w.expect(t, 7, 7)
	cause := errors.New("enough")
	cancel(cause)
	w.ends(t, cause)
	for b, err := range reader.Watch(t.Context(), 2) { // broken off
		if check(t, err); b.Seq != 2 || len(slices.Collect(b.Changes())) != 1 {
			t.Errorf("%+v", b)
		}
		break
	}
	check(t, db.Close())
	for i, w := range all {
		if i < 4 {
			w.ends(t, engine.ErrClosed)
		}
	}
	db = open(t, m.Reopen(), quiet) // and the readers go on
	put(t, db, "key", "again")
	for i, w := range all {
		if i >= 4 {
			w.expect(t, 8, 8)
		}
	}
	late.expect(t, 8, 8)
	check(t, reader.Close())
	for i, w := range append(all, late) {
		if i >= 4 {
			w.ends(t, engine.ErrClosed)
		}
	}
	watch(t.Context(), t, reader, 0).ends(t, engine.ErrClosed)
}

// TestWatchEndsBehindClose: what Close makes durable comes first.
func TestWatchEndsBehindClose(t *testing.T) {
	opts := quiet
	opts.Sync = engine.SyncNever
	db := open(t, tracked(), opts)
	w := watch(t.Context(), t, db, 1)
	put(t, db, "a", "1")
	check(t, db.Sync(t.Context()))
	w.expect(t, 1, 1) // it has begun
	put(t, db, "b", "1")
	put(t, db, "c", "1")
	closed := make(chan error, 1)
	go func() { closed <- db.Close() }()
	w.expect(t, 2, 3)
	w.ends(t, engine.ErrClosed)
	check(t, <-closed)
}

// TestWatchTooLate: a loop that falls behind what is kept is told so, and from the
// first batch kept it goes on.
func TestWatchTooLate(t *testing.T) {
	m := tracked()
	opts := quiet
	opts.Keep, opts.SegmentSize = &engine.Keep{Checkpoints: 1}, 4<<10
	db := open(t, m.Reopen(), opts)
	reader := readBeside(t, m)
	fill := func() {
		for range 10 {
			put(t, db, "key", strings.Repeat("v", 1000))
		}
		_, err := db.Checkpoint(t.Context())
		check(t, err)
		put(t, db, "key", "behind it")
	}
	for _, d := range []*engine.DB{db, reader} {
		info, err := d.Info(t.Context())
		check(t, err)
		next, stop := iter.Pull2(d.Watch(t.Context(), info.First))
		b, err, ok := next()
		if check(t, err); !ok || b.Seq != info.First {
			t.Fatalf("got %d", b.Seq)
		}
		fill()
		for err == nil && ok {
			b, err, ok = next()
		}
		if want(t, "overtaken", err, engine.ErrCompacted); !strings.Contains(err.Error(), "begins at #") {
			t.Errorf("where it begins is not told: %v", err)
		}
		if _, _, more := next(); more {
			t.Error("it goes on behind an error")
		}
		stop()
		if info, err = d.Info(t.Context()); err != nil || info.First == 1 {
			t.Fatalf("%+v %v", info, err)
		}
		w := watch(t.Context(), t, d, 0)
		w.expect(t, info.First, info.Last)
		check(t, d.Refresh(t.Context()))
		for b, err := range d.Batches(t.Context(), 0) {
			if check(t, err); b.Seq != info.First {
				t.Errorf("the first kept is %d, got %d", info.First, b.Seq)
			}
			break
		}
		if d == db {
			continue
		}
		check(t, d.Close())
		w.ends(t, engine.ErrClosed)
	}
}

// TestWatchPoisoned: on a DB that stopped writing it ends behind what is durable.
func TestWatchPoisoned(t *testing.T) {
	f := newFailing(tracked())
	db := open(t, f, quiet)
	put(t, db, "a", "1")
	w := watch(t.Context(), t, db, 1)
	w.expect(t, 1, 1)
	f.set(on(vfs.OnKind(vfs.OpSync), engine.ErrIO))
	want(t, "put", db.Put(t.Context(), []byte("b"), nil), engine.ErrAmbiguous)
	w.ends(t, engine.ErrPoisoned)
}

// counted counts who asks for hints, and says that there are none where deaf.
type counted struct {
	vfs.FS
	mu    sync.Mutex // guards asked
	asked int
}

func (c *counted) Hints(dir string) (vfs.Hints, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	return c.FS.Hints(dir)
}

// TestNoHintsUnlessFollowed: only a loop that waits on a read-only DB asks to be told
// of changes.
func TestNoHintsUnlessFollowed(t *testing.T) {
	m := tracked()
	a, b := &counted{FS: m.Reopen()}, &counted{FS: m.Reopen()}
	db := open(t, a, engine.Options{})
	put(t, db, "key", "1")
	reader := open(t, b, engine.Options{ReadOnly: true})
	if value(t, reader, "key") != "1" {
		t.Error("not shown")
	}
	w := watch(t.Context(), t, db, 1)
	w.expect(t, 1, 1)
	if a.asked+b.asked != 0 {
		t.Errorf("asked %d and %d times", a.asked, b.asked)
	}
	w = watch(t.Context(), t, reader, 1)
	w.expect(t, 1, 1)
	put(t, db, "key", "2")
	w.expect(t, 2, 2)
	if a.asked != 0 || b.asked != 1 {
		t.Errorf("asked %d and %d times", a.asked, b.asked)
	}
	check(t, reader.Close())
	w.ends(t, engine.ErrClosed)
}

// TestWatchOnDisk follows on a real file system, where the system tells of changes or
// does not; the loop is broken off, and nothing of it is left.
func TestWatchOnDisk(t *testing.T) {
	dir := t.TempDir() + "/store"
	db, err := engine.Open(t.Context(), dir, quiet)
	check(t, err)
	put(t, db, "a", "0")
	r, err := engine.Open(t.Context(), dir, engine.Options{ReadOnly: true})
	check(t, err)
	n := uint64(1)
	for b, err := range r.Watch(t.Context(), 1) {
		if check(t, err); b.Seq != n {
			t.Fatalf("got %d, want %d", b.Seq, n)
		}
		if n == 20 {
			break
		}
		n++
		put(t, db, "a", fmt.Sprint(n))
	}
	check(t, errors.Join(r.Close(), db.Close()))
}
