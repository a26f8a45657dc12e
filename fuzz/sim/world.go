package sim

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// Result is what one run gave.
type Result struct {
	Seed   uint64
	Err    error           // what was wrong; nil where nothing was
	Trace  uint64          // a sum over all that happened: the same for the same seed
	Story  string          // what happened, where it was asked for
	Counts map[string]int  // what was done and met
	States map[uint64]bool // disks that were opened
}

// Run runs one seed. With story it keeps what happens, line by line. A program runs
// one seed at a time, with GOMAXPROCS 1: then the same seed gives the same run.
func Run(t *testing.T, seed uint64, withStory bool) (res Result) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // it moves goroutines about
	synctest.Test(t, func(*testing.T) { res = newWorld(seed, withStory).run() })
	return res
}

// runOn runs a seed on disks that are seen through something.
func runOn(t *testing.T, seed uint64, through func(vfs.FS) vfs.FS) (res Result) {
	synctest.Test(t, func(*testing.T) {
		w := newWorld(seed, false)
		w.through = through
		res = w.run()
	})
	return res
}

// world is one run: a disk, another one for backups, and what the store on them has
// promised.
type world struct {
	chance
	seed    uint64
	codec   engine.Codec
	mem     *vfs.Mem
	vault   *vault
	ledger  *ledger
	story   *story
	tally   *tally
	lives   int
	through func(vfs.FS) vfs.FS // how the store sees its disk; nil: as it is
	settled bool                // the ledger knows what the disk holds
	number  uint64              // of openings so far
}

// vault is the disk for backups; one backup at a time.
type vault struct {
	mu    sync.Mutex // guards busy
	busy  bool
	mem   *vfs.Mem
	least uint64 // newest backup that was finished; 0: none
}

func (v *vault) take() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	was := v.busy
	v.busy = true
	return !was
}

func (v *vault) give() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.busy = false
}

// tally counts what was done and met.
type tally struct {
	mu     sync.Mutex // guards counts
	counts map[string]int
	states map[uint64]bool
}

func (t *tally) add(what string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[what] += n
}

func newWorld(seed uint64, loud bool) *world {
	w := &world{chance: newChance(seed, "world"), seed: seed, ledger: newLedger(), tally: &tally{counts: map[string]int{}, states: map[uint64]bool{}}}
	w.story = &story{began: time.Now(), loud: loud}
	w.codec = pick(w.chance, engine.Binary, engine.NDJSON)
	w.mem, w.vault = vfs.NewMem(vfs.MemOptions{Track: true}), &vault{mem: vfs.NewMem(vfs.MemOptions{Track: true})}
	w.lives = w.between(3, 9)
	return w
}

// run lives all lives, then looks at what is left.
func (w *world) run() Result {
	w.story.tellf("world", "seed %d, %v, %d lives", w.seed, w.codec, w.lives)
	for n := range w.lives {
		w.live(w.plan(n))
		if w.ledger.err() != nil {
			break
		}
	}
	if w.ledger.err() == nil {
		w.live(w.lastPlan())
	}
	if w.ledger.err() == nil {
		w.epilogue()
	}
	w.tally.counts["looks compared"] = w.ledger.checked
	return Result{Seed: w.seed, Err: w.ledger.err(), Trace: w.story.total(), Story: w.story.String(), Counts: w.tally.counts, States: w.tally.states}
}

// plan is one life.
type plan struct {
	opts    engine.Options
	weather weather
	crashAt int
	room    int64 // bytes that the disk holds; 0 has no end
	clients int
	things  int // that each client does
	beside  bool
	watched bool
	slack   bool // those who look go on until the store is closed
}

// plan draws a life.
func (w *world) plan(n int) plan {
	p := plan{opts: w.options(), clients: w.between(1, 4), things: w.between(2, 30), beside: w.one(3), watched: w.one(3), slack: w.one(2)}
	p.weather = weather{seed: mix(w.seed, "weather", n), sync: pick(w.chance, 20*time.Microsecond, 200*time.Microsecond, 5*time.Millisecond)}
	if w.one(6) {
		p.weather.hangs = 200
	}
	switch w.IntN(7) {
	case 0, 1:
		p.weather.nth, p.weather.only = 1+w.IntN(60), pick(w.chance, 0, vfs.OpWrite, vfs.OpSync, vfs.OpSyncDir, vfs.OpRename, vfs.OpRead, vfs.OpCreate)
	case 2:
		p.weather.oneIn = pick(w.chance, 20, 60, 200)
	case 3:
		p.room = int64(w.between(40, 700)) << 10
	}
	if !w.one(4) {
		p.crashAt = 1 + w.IntN(pick(w.chance, 20, 60, 200, 600))
	}
	return p
}

// lastPlan is a life in which nothing goes wrong.
func (w *world) lastPlan() plan {
	p := plan{opts: w.options(), clients: 2, things: 4, beside: true, watched: true}
	p.weather = weather{seed: mix(w.seed, "last"), sync: 100 * time.Microsecond}
	return p
}

func (w *world) options() engine.Options {
	w.number++
	skew := time.Duration(0)
	if w.one(4) {
		skew = time.Duration(w.between(-100000, 100000)) * time.Hour
	}
	o := engine.Options{Codec: w.codec, Clock: func() time.Time { return time.Now().Add(skew) }, Random: newChance(w.seed, fmt.Sprint("numbers", w.number)).shared(), NoPrepare: w.one(2)}
	o.SegmentSize = pick[int64](w.chance, 1<<10, 2<<10, 4<<10, 16<<10)
	o.Sync = pick(w.chance, engine.SyncAlways, engine.SyncAlways, engine.SyncAlways, engine.SyncNever, engine.SyncEvery(3*time.Millisecond))
	o.CheckpointAfter = pick[int64](w.chance, -1, -1, 2000, 8000)
	o.CheckpointRate = pick[int64](w.chance, -1, 1<<20)
	if w.one(4) {
		o.Keep = &engine.Keep{}
		*o.Keep = pick(w.chance, engine.Keep{All: true}, engine.Keep{Batches: 3}, engine.Keep{Checkpoints: 1}, engine.Keep{Checkpoints: 3}, engine.Keep{For: time.Hour})
	}
	return o
}

// life is one opening of the store, to its end.
type life struct {
	*world
	ctx       context.Context
	door      *door
	vaultDoor *door
	db        *engine.DB
	lookers   sync.WaitGroup
	synced    bool // an answer means that it is on disk
	tight     bool // the disk may be full
}

// live opens the store, compares it, lets clients at it, and closes it or lets the
// machine stop.
func (w *world) live(p plan) {
	w.tally.add("lives", 1)
	m := &machine{crashAt: p.crashAt, wakes: map[time.Time]bool{}}
	l := &life{world: w, synced: p.opts.Sync == engine.SyncAlways, tight: p.room > 0}
	l.door, l.vaultDoor = newDoor(m, w.mem, p.weather), newDoor(m, w.vault.mem, weather{seed: p.weather.seed + 1, sync: p.weather.sync})
	l.door.name, l.vaultDoor.name, l.door.story, l.vaultDoor.story = "disk", "vault", w.story, w.story
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	l.ctx, l.door.through = ctx, w.through
	stop := crash{}
	m.stopped = func(op vfs.Op) {
		w.story.tellf("machine", "stops before %v", op)
		stop = crash{w.mem.Snapshot(), w.vault.mem.Snapshot()}
		if l.db != nil {
			w.ledger.promise(l.db.Durable(), true)
		}
		cancel()
	}
	w.mem.SetCapacity(p.room)
	l.spend(p, cancel)
	w.mem.SetCapacity(0)
	for how, n := range l.door.failed {
		w.tally.add("fault: "+how, n)
	}
	if m.over() {
		w.crashed(stop)
	}
}

// spend opens, uses and closes the store.
func (l *life) spend(p plan, cancel func()) {
	w := l.world
	w.story.tellf("world", "opens: segments of %d, sync %v, checkpoint after %d, no preparing %v, crash at %d", p.opts.SegmentSize, p.opts.Sync, p.opts.CheckpointAfter, p.opts.NoPrepare, p.crashAt)
	if !w.settled { // what it writes would stand in the place of what may be lost
		p.opts.Keep = nil
	}
	keep := &record{who: "keep"}
	if p.opts.Keep != nil {
		w.ledger.ask(keep)
	}
	db, err := engine.OpenFS(context.Background(), l.door.fs(), p.opts)
	if err != nil {
		l.notOpened(err)
		return
	}
	if l.db = db; !l.door.over() && l.opened(keep) {
		w.tally.add("openings", 1)
		l.use(p, cancel)
	}
	err = db.Close()
	cancel()
	l.lookers.Wait()
	if !l.door.over() {
		l.closed(err)
	}
}

// notOpened judges an opening that failed.
func (l *life) notOpened(err error) {
	l.story.tellf("world", "not opened: %v", err)
	if l.door.over() || l.door.troubled() && isTrouble(err) || l.tight && errors.Is(err, engine.ErrNoSpace) {
		l.tally.add("openings that failed", 1)
		return
	}
	l.ledger.fail("opening: %w", err)
}

// opened compares what was opened with the ledger, and settles that; keep
// is what opening writes where the options change how far back the store reaches.
func (l *life) opened(keep *record) bool {
	r := l.db.Report()
	l.story.tellf("world", "opened at #%d: replayed %d behind #%d, cut %v, removed %v", r.Last, r.Replayed, r.Checkpoint, r.Cut != nil, r.Removed)
	f, err := readDB(context.Background(), l.db)
	if l.door.over() {
		return false
	}
	if !l.door.troubled() && !errors.Is(f.torn, engine.ErrCompacted) {
		err = errors.Join(err, f.torn)
	}
	last := f.last
	if f.last = uint64(r.Last); err == nil {
		err = l.ledger.judge(f)
	}
	if d := l.db.Durable(); err == nil && d < uint64(r.Last) {
		err = fmt.Errorf("what was found up to #%d is durable up to #%d", r.Last, d)
	}
	if last == uint64(r.Last)+1 { // opening has written what is to be kept
		l.ledger.answer(keep, last, l.synced)
		last--
	}
	if err == nil && last != uint64(r.Last) {
		err = fmt.Errorf("it says #%d and shows #%d", r.Last, last)
	}
	if err != nil {
		l.ledger.fail("opened: %w", err)
		return false
	}
	if r.Cut != nil {
		l.tally.add("tails cut", 1)
	}
	l.settled = true
	return true
}

// use lets clients, readers and watchers at the store.
func (l *life) use(p plan, cancel func()) {
	var clients sync.WaitGroup
	if p.watched {
		from := l.db.Stats().Seq + 1
		l.lookers.Go(func() { l.watch(l.db, from) })
	}
	if p.beside {
		l.lookers.Go(func() { l.beside(newChance(l.seed, fmt.Sprint("reader", l.number))) })
	}
	for n := range p.clients {
		c := &client{chance: newChance(l.seed, fmt.Sprint("client", n, "of", l.number)), life: l, name: fmt.Sprintf("c%d.%d", l.number, n)}
		clients.Go(func() { c.run(p.things) })
	}
	clients.Wait()
	if p.slack && p.watched && !p.beside {
		return // the watcher ends with the store
	}
	cancel()
	l.lookers.Wait()
}

// closed judges a close.
func (l *life) closed(err error) {
	l.story.tellf("world", "closed: %v", err)
	if err != nil && !(l.door.troubled() && (isTrouble(err) || errors.Is(err, engine.ErrClosed))) && !(l.tight && errors.Is(err, engine.ErrNoSpace)) {
		l.ledger.fail("close: %w", err)
	}
	l.settled = l.settled && err == nil
	if err != nil || l.door.troubled() || l.tight {
		return
	}
	l.tally.add("clean closes", 1)
	if err := l.left(context.Background()); err != nil {
		l.ledger.fail("closed: %w", err)
	}
}

// left looks at a store that was closed, as one who only reads.
func (l *life) left(ctx context.Context) error {
	if err := clean(ctx, l.mem.Reopen()); err != nil {
		return err
	}
	f, err := readWhole(ctx, l.mem.Reopen())
	if err != nil {
		return err
	}
	return l.ledger.judge(f)
}

// crash is what was there when the machine stopped.
type crash struct{ disk, vault *vfs.Disk }

// crashed goes on with one of the disks that the stop may have left, and looks at some
// others.
func (w *world) crashed(c crash) {
	w.settled = false
	models := vfs.Models()
	model := pick(w.chance, models...)
	w.story.tellf("world", "the disk is left as by %v", model)
	w.tally.add("crashes: "+model.String(), 1)
	if model != vfs.Kill {
		w.ledger.cut()
	}
	for range 5 {
		other := pick(w.chance, models...)
		if other == vfs.Kill && model != vfs.Kill {
			other = vfs.Lost
		}
		w.probe(c.disk.Pick(other, w.Uint64()), other)
	}
	img := c.disk.Pick(model, w.Uint64())
	w.note(img)
	w.mem = img.Mem(true)
	w.vault.mem = c.vault.Pick(model, w.Uint64()).Mem(true)
	w.vault.busy = false
	w.checkVault()
}

func (w *world) note(img *vfs.Image) {
	h := img.Hash()
	w.tally.states[mix(string(h[:]))] = true
}
