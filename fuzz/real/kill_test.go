package real

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"

	"github.com/vlogdb/vlog/engine"
)

// TestKillBeside kills a process with six goroutines that write, which rotates,
// prepares and uses files again, writes checkpoints and backs up, after a random number
// of answers; beside it another process that backs up and is killed too, and a follower.
// After each kill: what was answered is there, at most one step more of each writer,
// none by half, and checking finds nothing. The follower has got each batch once, in
// order, none that is not there in the end. Both backups open, or say that they were
// not finished.
func TestKillBeside(t *testing.T) { both(t, testKillBeside) }

func testKillBeside(t *testing.T, codec engine.Codec) {
	kills := 5
	if *long {
		kills = 400
	}
	k := newKiller(t, codec)
	for n := range kills {
		k.kill(n)
	}
	k.end()
}

// killer kills writers and knows what they answered.
type killer struct {
	*testing.T
	dir, place, beside string
	rng                *rand.Rand
	acked              [writers]answer
	answers            int
	follower           *follower
	backer             *child
}

// answer is the last one of a writer: its count, and the batch.
type answer struct {
	n   int
	seq uint64
}

func newKiller(t *testing.T, codec engine.Codec) *killer {
	tmp := t.TempDir()
	k := &killer{T: t, dir: filepath.Join(tmp, "store"), place: filepath.Join(tmp, "place"), beside: filepath.Join(tmp, "beside"), rng: rand.New(rand.NewPCG(4, uint64(codec)))}
	db := open(t, k.dir, engine.Options{Codec: codec, Keep: &engine.Keep{Checkpoints: 4}, CheckpointAfter: -1})
	check(t, db.Close())
	k.follower = follow(t, k.dir)
	return k
}

// kill lets a writer work, kills it, and looks at what it left; every third time only
// the next writer does that.
func (k *killer) kill(n int) {
	if k.backer == nil {
		k.backer = start(k.T, "backer", k.dir, k.beside)
	}
	c := start(k.T, "writer", k.dir, k.place)
	for range k.rng.IntN(1000) + 1 {
		k.heard(c.says())
	}
	c.kill()
	c.killed(k.heard)
	if n%2 == 1 {
		k.backer.kill()
		k.backer.killed(func(string) {})
		k.backer = nil
	}
	for _, place := range []string{k.place, k.beside} {
		opensOrUnfinished(k.T, place)
	}
	if n%3 != 2 {
		k.check()
	}
}

// heard takes over what a writer says.
func (k *killer) heard(line string) {
	k.Helper()
	var w int
	var a answer
	if _, err := fmt.Sscan(line, &w, &a.n, &a.seq); err != nil || w < 0 || w >= writers {
		k.Fatalf("a writer says %q", line)
	}
	if was := k.acked[w]; a.n != was.n+1 && a.n != was.n+2 || a.seq <= was.seq { // one may be there that nobody was told of
		k.Fatalf("writer %d counts %v behind %v", w, a, was)
	}
	k.acked[w] = a
	k.answers++
}

// check opens the store and looks whether it holds what was answered.
func (k *killer) check() {
	k.Helper()
	db := open(k.T, k.dir, engine.Options{MustExist: true, CheckpointAfter: -1, NoPrepare: true})
	for w := range writers {
		k.acked[w] = k.checkWriter(db, w)
	}
	_, err := db.Checkpoint(k.Context())
	check(k.T, errors.Join(err, db.Close()))
	sound(k.T, k.dir)
}

// checkWriter looks at what one writer left, and returns it.
func (k *killer) checkWriter(db *engine.DB, w int) answer {
	k.Helper()
	left, err := db.Entry(k.Context(), leftKey(w))
	if errors.Is(err, engine.ErrNotFound) && k.acked[w].n == 0 {
		return answer{}
	}
	check(k.T, err)
	n, err := countOf(left.Value, nil)
	check(k.T, err)
	right, err := db.Entry(k.Context(), rightKey(w))
	if err != nil || string(right.Value) != string(left.Value) || right.Seq != left.Seq {
		k.Fatalf("half a transaction of writer %d: %s and %s, %v", w, left.Value, right.Value, err)
	}
	if was := k.acked[w]; n < was.n || n > was.n+1 || left.Seq < was.seq {
		k.Fatalf("writer %d: answered were %v, there are %d of #%d", w, was, n, left.Seq)
	}
	for i := max(1, n-49); i <= n; i++ {
		if got, err := db.Get(k.Context(), itemKey(w, i)); err != nil || string(got) != string(itemValue(w, i)) {
			k.Fatalf("writer %d: item %d of %d is %.20q, %v", w, i, n, got, err)
		}
	}
	return answer{n, left.Seq}
}

// opensOrUnfinished fails unless a backup place opens, or says that it is none yet.
func opensOrUnfinished(t *testing.T, place string) {
	t.Helper()
	db, err := engine.Open(t.Context(), place, engine.Options{ReadOnly: true})
	if errors.Is(err, engine.ErrNotStore) || errors.Is(err, engine.ErrIncompatible) {
		return
	}
	check(t, err)
	check(t, db.Close())
}

// end looks at everything once more: the store, the follower, and what both places
// restore to.
func (k *killer) end() {
	if k.backer != nil {
		k.backer.kill()
		k.backer.killed(func(string) {})
	}
	k.check()
	db := open(k.T, k.dir, engine.Options{ReadOnly: true})
	chains := map[uint64]string{}
	for b, err := range db.Batches(k.Context(), 0) {
		check(k.T, err)
		chains[b.Seq] = b.Chain
	}
	info, err := db.Info(k.Context())
	check(k.T, errors.Join(err, db.Close()))
	if k.answers < 1000 || info.First == 1 {
		k.Errorf("only %d answers, and the log begins at #%d", k.answers, info.First)
	}
	seen := k.follower.end(info.Last)
	for seq, chain := range seen {
		if there, kept := chains[seq]; kept && there != chain {
			k.Errorf("the follower was shown another batch %d than there is", seq)
		}
	}
	for _, place := range []string{k.place, k.beside} {
		k.restores(place, chains, info)
	}
	k.Logf("%d answers, the log begins at #%d and ends at #%d, %d batches followed, %d gaps", k.answers, info.First, info.Last, len(seen), k.follower.gaps)
}

// restores ends a backup and restores it: it is the store.
func (k *killer) restores(place string, chains map[uint64]string, info engine.Info) {
	res, err := engine.Backup(k.Context(), k.dir, place, engine.BackupOptions{Verify: true})
	if check(k.T, err); res.Seq != info.Last {
		k.Errorf("%s leads to #%d, the store to #%d", place, res.Seq, info.Last)
	}
	_, err = engine.Restore(k.Context(), place, place+"-back", engine.RestoreOptions{})
	check(k.T, err)
	sound(k.T, place+"-back")
	db := open(k.T, place+"-back", engine.Options{MustExist: true, CheckpointAfter: -1})
	for w := range writers {
		k.checkWriter(db, w)
	}
	got, err := db.Info(k.Context())
	if check(k.T, errors.Join(err, db.Close())); got.Chain != info.Chain {
		k.Errorf("%s restores to another history", place)
	}
}

// follower follows a store and keeps the chain value of each batch that it is shown.
type follower struct {
	t    *testing.T
	db   *engine.DB
	done chan struct{}
	stop context.CancelFunc

	mu   sync.Mutex // guards the rest
	more *sync.Cond
	seen map[uint64]string
	last uint64
	gaps int // where it fell behind what is kept
	err  error
}

func follow(t *testing.T, dir string) *follower {
	f := &follower{t: t, db: open(t, dir, engine.Options{ReadOnly: true}), done: make(chan struct{}), seen: map[uint64]string{}}
	f.more = sync.NewCond(&f.mu)
	ctx, stop := context.WithCancel(t.Context())
	f.stop = stop
	go func() {
		defer close(f.done)
		from := uint64(1)
		for ctx.Err() == nil && f.err == nil {
			from = f.watch(ctx, from)
		}
	}()
	return f
}

// watch follows until it fails, and returns where to go on.
func (f *follower) watch(ctx context.Context, from uint64) uint64 {
	for b, err := range f.db.Watch(ctx, from) {
		if ctx.Err() != nil {
			break
		}
		if errors.Is(err, engine.ErrCompacted) {
			f.mu.Lock()
			f.gaps++
			f.mu.Unlock()
			break
		}
		f.add(b, err)
	}
	return 0
}

func (f *follower) add(b engine.Batch, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.more.Broadcast()
	if err != nil {
		f.err = err
		return
	}
	if was, twice := f.seen[b.Seq]; twice && was != b.Chain {
		f.err = fmt.Errorf("#%d was shown twice, and another time otherwise", b.Seq)
	}
	if f.gaps == 0 && b.Seq != f.last+1 {
		f.err = fmt.Errorf("#%d was shown behind #%d", b.Seq, f.last)
	}
	f.seen[b.Seq], f.last = b.Chain, b.Seq
}

// end waits until the follower has got a batch, and returns all that it got.
func (f *follower) end(last uint64) map[uint64]string {
	f.mu.Lock()
	for f.last < last && f.err == nil {
		f.more.Wait()
	}
	f.mu.Unlock()
	f.stop()
	<-f.done
	check(f.t, errors.Join(f.err, f.db.Close()))
	return f.seen
}
