package committer

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/internal/txn"
	"github.com/vlogdb/vlog/wal"
)

// fakeLog is a log in memory that a test can make wait and fail. It checks what a
// committer owes to a log: one call at a time, each group right behind the last.
type fakeLog struct {
	t        *testing.T
	onAppend func() error // called before a group is added; nil does nothing
	full     bool         // only groups that delete find space
	limits   wal.Limits
	onSync   func() error

	busy atomic.Int32

	mu     sync.Mutex // guards what follows
	groups [][]wal.Record
	last   wal.Seq
	synced wal.Seq
	chain  wal.Chain
	syncs  int
}

var _ wal.Log = (*fakeLog)(nil)

// enter fails the test where two calls overlap.
func (l *fakeLog) enter(what string) func() {
	if l.busy.Add(1) != 1 {
		l.t.Errorf("%s while another call is under way", what)
	}
	return func() { l.busy.Add(-1) }
}

func (l *fakeLog) Append(_ context.Context, after wal.Seq, group []wal.Record) (wal.Seq, error) {
	defer l.enter("append")()
	if l.onAppend != nil {
		if err := l.onAppend(); err != nil {
			return 0, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.full && slices.ContainsFunc(group, func(r wal.Record) bool { return !r.Frees }) {
		return 0, &wal.NotWritten{Cause: fault.ErrNoSpace}
	}
	if after != l.last || len(group) == 0 {
		l.t.Errorf("append of %d behind %v, the log ends at %v", len(group), after, l.last)
	}
	l.groups = append(l.groups, slices.Clone(group))
	for _, r := range group {
		l.chain = l.chain.Next(r.Hash)
	}
	l.last += wal.Seq(len(group))
	return l.last, nil
}

func (l *fakeLog) Sync(context.Context) error {
	defer l.enter("sync")()
	l.mu.Lock()
	last := l.last
	l.mu.Unlock()
	if l.onSync != nil {
		if err := l.onSync(); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.synced = last
	l.syncs++
	return nil
}

// sizes returns how many records each group had.
func (l *fakeLog) sizes() (n []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, g := range l.groups {
		n = append(n, len(g))
	}
	return n
}

func (l *fakeLog) ends() (last, synced wal.Seq) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last, l.synced
}

func (l *fakeLog) Read(context.Context, wal.Seq) iter.Seq2[wal.Entry, error]   { panic("not read") }
func (l *fakeLog) Follow(context.Context, wal.Seq) iter.Seq2[wal.Entry, error] { panic("not read") }
func (l *fakeLog) Bounds(context.Context) (first, last wal.Seq, chain wal.Chain, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return 1, l.synced, l.chain, nil
}
func (l *fakeLog) Trim(context.Context, wal.Seq) error { return nil }
func (l *fakeLog) Limits() wal.Limits                  { return l.limits }
func (l *fakeLog) Close() error                        { return nil }

// gate is a hook that makes callers wait until they are let through, one by one.
type gate struct{ through chan error }

func newGate() *gate { return &gate{make(chan error)} }

func (g *gate) wait() error { return <-g.through }

// let lets one caller through, who gets err. It waits for the caller to come.
func (g *gate) let(err error) { g.through <- err }

// open lets everybody through from now on.
func (g *gate) open() { close(g.through) }

// world is a committer on a fake log.
type world struct {
	*testing.T
	c     *Committer
	log   *fakeLog
	count atomic.Uint64
}

// limits of every log here: many small records make a group, few large ones.
var limits = wal.Limits{Group: 64 << 10}

func newWorld(t *testing.T, opts Options) *world {
	w := &world{T: t, log: &fakeLog{t: t, limits: limits}}
	opts.Log = w.log
	if opts.Now == nil {
		opts.Now = time.Now
	}
	w.c = New(state.Empty(), opts)
	return w
}

func full(key string) []byte { return batch.AppendKey(nil, batch.KV, batch.Main, []byte(key)) }

// end closes the committer, which must go well.
func (w *world) end() {
	w.Helper()
	w.check(w.c.Close())
}

func (w *world) check(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// want checks the class of an error.
func (w *world) want(err error, kind *fault.Kind) {
	w.Helper()
	if fault.KindOf(err) != kind {
		w.Fatalf("error %v, want %v", err, kind)
	}
}

// tx is a transaction that remembers its base.
type tx struct {
	*txn.Tx
	base Base
}

func begin(b Base) *tx { return &tx{txn.New(b.Picture, true, 1<<20), b} }

// request makes the request of a transaction.
func (w *world) request(t *tx) *Request {
	b := &batch.Batch{Counter: w.count.Add(1), Ops: t.Ops()}
	payload, err := batch.Append(nil, b)
	w.check(err)
	r := batch.NewRecord(payload)
	r.Frees = b.Frees()
	return &Request{Base: t.base, Reads: t.Reads(), Batch: b, Record: r}
}

// blind is a request that puts a key and read nothing.
func (w *world) blind(key, value string) *Request {
	t := begin(w.c.Latest())
	w.check(t.Put(full(key), []byte(value)))
	return w.request(t)
}

// answer is what a commit came to.
type answer struct {
	seq batch.Seq
	err error
}

// goCommit commits in a goroutine.
func (w *world) goCommit(ctx context.Context, req *Request) <-chan answer {
	done := make(chan answer, 1)
	go func() {
		seq, err := w.c.Commit(ctx, req)
		done <- answer{seq, err}
	}()
	return done
}

// put commits one key and waits.
func (w *world) put(key, value string) batch.Seq {
	w.Helper()
	seq, err := w.c.Commit(context.Background(), w.blind(key, value))
	w.check(err)
	return seq
}

// value returns what a picture has under a key, or "-".
func value(p *state.Picture, key string) string {
	e, ok := p.Get(full(key))
	if !ok {
		return "-"
	}
	return string(e.Value)
}

// mute fails the test where a channel has something to say.
func mute[T any](w *world, what string, c <-chan T) {
	w.Helper()
	select {
	case v := <-c:
		w.Fatalf("%s: %+v", what, v)
	default:
	}
}

// sound compares the committer's line with the log: same last seq, same chain.
func (w *world) sound() {
	w.Helper()
	p := w.c.Published()
	_, _, chain, err := w.log.Bounds(context.Background())
	w.check(err)
	if last, _ := w.log.ends(); p.Seq() != last || p.Chain() != chain {
		w.Fatalf("published %v %v, the log %v %v", p.Seq(), p.Chain(), last, chain)
	}
}

func uint64Seq(n int) batch.Seq { return batch.Seq(n) }

func key(i int) string { return fmt.Sprintf("key%03d", i) }
