package fuzz

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// long makes the searches of this package far wider; it takes many minutes.
var long = flag.Bool("long", false, "search far and wide")

// bounds are how many images are taken of one crash point under one model, by how
// often the disk was crashed before. What they leave out is counted and printed.
func bounds() []int {
	switch {
	case *long:
		return []int{1 << 20, 24}
	case testing.Short(): // as the race detector is about to look on
		return []int{2}
	}
	return []int{10, 1}
}

// explorer opens every disk that a crash may leave, and crashes again after every
// operation of each opening, until it meets no disk that it has not seen.
type explorer struct {
	t      testing.TB
	codec  engine.Codec
	models []vfs.Model
	bounds []int

	mu     sync.Mutex // guards what follows
	seen   map[[32]byte]*visit
	queue  []job
	rows   map[string]int // rows of docs/CRASH.md that were met
	points int            // crash points
	images int            // before taking equal ones together
	left   []uint64       // images that the bounds left out, by depth
	failed int
	idle   *sync.Cond
	busy   int
}

// visit is what opening one disk gave.
type visit struct {
	done bool
	seq  int
	want promise // the strictest asked so far
}

// job is a disk to open.
type job struct {
	img   *vfs.Image
	want  promise
	depth int
	from  string // how it came about
}

func newExplorer(t testing.TB, codec engine.Codec, bounds []int) *explorer {
	x := &explorer{t: t, codec: codec, models: vfs.Models(), bounds: bounds, seen: map[[32]byte]*visit{}, rows: map[string]int{}, left: make([]uint64, len(bounds))}
	x.idle = sync.NewCond(&x.mu)
	return x
}

// crash takes every image of a disk, each at most once.
func (x *explorer) crash(d *vfs.Disk, want promise, depth int, from string) {
	x.mu.Lock()
	x.points++
	x.mu.Unlock()
	for _, model := range x.models {
		left := d.Images(model, x.bounds[depth], func(img *vfs.Image) bool {
			x.add(job{img, want, depth, from + " " + model.String()})
			return true
		})
		x.mu.Lock()
		x.left[depth] += left
		x.mu.Unlock()
	}
}

// add queues a disk, unless it was seen: then only the promise is compared.
func (x *explorer) add(j job) {
	h := j.img.Hash()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.images++
	v := x.seen[h]
	if v == nil {
		x.seen[h] = &visit{want: j.want}
		x.queue = append(x.queue, j)
		x.idle.Signal()
		return
	}
	if v.done && (v.seq < j.want.acked || v.seq > j.want.asked) {
		x.failLocked(j, fmt.Errorf("seen before: opening gives #%d, acknowledged #%d, asked #%d", v.seq, j.want.acked, j.want.asked))
	}
	if !v.done {
		v.want.acked = max(v.want.acked, j.want.acked)
		v.want.asked = min(v.want.asked, j.want.asked)
	}
}

// enough failures are told; behind them the search ends.
const enough = 10

func (x *explorer) failLocked(j job, err error) {
	if x.failed++; x.failed <= enough {
		x.t.Errorf("%s: %v\n%s", j.from, err, listing(j.img))
	}
}

// run opens queued disks until there are none.
func (x *explorer) run(ctx context.Context, workers int) {
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() { x.work(ctx) })
	}
	wg.Wait()
}

func (x *explorer) work(ctx context.Context) {
	for {
		x.mu.Lock()
		for len(x.queue) == 0 && x.busy > 0 && x.failed < enough {
			x.idle.Wait()
		}
		if len(x.queue) == 0 || x.failed >= enough {
			x.idle.Broadcast()
			x.mu.Unlock()
			return
		}
		j := x.queue[len(x.queue)-1]
		x.queue = x.queue[:len(x.queue)-1]
		x.busy++
		x.mu.Unlock()
		seq, err := x.open(ctx, j)
		x.mu.Lock()
		x.busy--
		x.settleLocked(j, seq, err)
		x.idle.Broadcast()
		x.mu.Unlock()
	}
}

func (x *explorer) settleLocked(j job, seq int, err error) {
	v := x.seen[j.img.Hash()]
	v.done, v.seq = true, seq
	if err == nil && (seq < v.want.acked || seq > v.want.asked) {
		err = fmt.Errorf("opening gives #%d, acknowledged #%d, asked #%d", seq, v.want.acked, v.want.asked)
	}
	if err != nil {
		x.failLocked(j, err)
	}
}

// open opens one disk, crashes the opening after each of its operations, checks
// what the store holds and that it takes writes and closes clean.
func (x *explorer) open(ctx context.Context, j job) (int, error) {
	mem := j.img.Mem(true)
	before := x.note(mem)
	want := j.want
	if j.depth+1 < len(x.bounds) {
		mem.OnOp(func(op vfs.Op) { x.crash(mem.Snapshot(), want, j.depth+1, j.from+" / "+op.String()) })
	}
	db, err := engine.OpenFS(ctx, mem, small(x.codec, seedOf(j.img)))
	if err != nil {
		return 0, err
	}
	seq, err := want.kept(ctx, db)
	if err != nil {
		return seq, errors.Join(err, db.Close())
	}
	x.noteReport(before, db.Report())
	return seq, goOn(ctx, db, mem, func(p promise) { want = p }, want.after(seq))
}

// goOn writes, closes, and looks at the result. What readers saw after the opening
// must stay from now on, and so must what is written then.
func goOn(ctx context.Context, db *engine.DB, mem *vfs.Mem, now func(promise), p promise) error {
	now(p)
	if err := db.Put(ctx, []byte("after"), []byte("crash")); err != nil {
		return errors.Join(err, db.Close())
	}
	p.acked = p.asked
	now(p)
	if err := db.Close(); err != nil {
		return err
	}
	mem.OnOp(nil)
	return cleanStore(ctx, mem)
}

// cleanStore checks that a store is as a clean close leaves it.
func cleanStore(ctx context.Context, mem *vfs.Mem) error {
	var bad []error
	_, err := engine.CheckFS(ctx, mem.Reopen(), engine.CheckOptions{}, func(f engine.Finding) { bad = append(bad, fmt.Errorf("check: %+v", f)) })
	entries, e := mem.Reopen().ReadDir("log")
	for _, d := range entries {
		if !isSegment(d.Name) && !strings.HasPrefix(d.Name, "checkpoint-") && d.Name != "error" {
			bad = append(bad, fmt.Errorf("%s is left in log/", d.Name))
		}
	}
	return errors.Join(append(bad, err, e)...)
}

// isSegment says whether a name in log/ is that of a segment.
func isSegment(name string) bool {
	_, _, ok := wal.ParseSegment(name)
	return ok
}

// workload is the store's life in small: every kind of change, rotation, two
// checkpoints, dropped segments, clean closes. step is called between its parts.
func workload(ctx context.Context, w *world, fs func() vfs.FS) error {
	seed := uint64(100) // so that the first life is prepared, the second is not
	open := func() error {
		opts := small(w.codec, seed)
		opts.Sync = w.sync
		db, err := engine.OpenFS(ctx, fs(), opts)
		seed++
		if err == nil {
			w.opened(db)
		}
		return err
	}
	if err := open(); err != nil {
		return err
	}
	put := func(tenant, key string, n int) change {
		return change{tenant: tenant, key: key, value: strings.Repeat(key, n)}
	}
	do := func(changes ...change) func() error { return func() error { return w.commit(ctx, changes...) } }
	closed := func() error {
		err := w.db.Close()
		if w.reopen && err != nil && errors.Is(err, engine.ErrClosed) {
			return nil
		}
		return err
	}
	steps := []func() error{
		do(put("main", "a", 1)),
		do(put("main", "b", 2), put("acme", "a", 200), change{tenant: "main", key: "a", del: true}),
		do(put("acme", "m", 600)),
		do(put("main", "c", 3)),
		do(change{tenant: "acme", key: "a", rangeTo: "n"}),
		w.checkpoint(ctx),
		do(put("main", "d", 0)),
		do(put("main", "e", 500)),
		do(put("main", "f", 9), change{tenant: "main", key: "e", del: true}),
		do(put("main", "f", 8)),
		w.checkpoint(ctx),
		do(put("main", "g", 7)),
		closed,
		open,
		do(put("main", "h", 8)),
		w.checkpoint(ctx),
		do(put("main", "i", 9), change{tenant: "main", key: "g", del: true}),
		closed,
	}
	for i, step := range steps {
		if err := step(); err != nil && !w.goOn(err) {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	return nil
}

func (w *world) checkpoint(ctx context.Context) func() error {
	return func() error {
		_, err := w.db.Checkpoint(ctx)
		return err
	}
}

// TestCrashEverywhere crashes after every disk operation of the workload, under
// every model, opens each distinct disk, and crashes each opening in the same way.
func TestCrashEverywhere(t *testing.T) { both(t, crashEverywhere) }

func crashEverywhere(t *testing.T, codec engine.Codec) {
	ctx := t.Context()
	x := newExplorer(t, codec, bounds())
	mem := vfs.NewMem(vfs.MemOptions{Track: true})
	w := newWorld(codec)
	mem.OnOp(func(op vfs.Op) { x.crash(mem.Snapshot(), w.promise(), 0, op.String()) })
	if err := workload(ctx, w, func() vfs.FS { return mem.Reopen() }); err != nil {
		t.Fatal(err)
	}
	mem.OnOp(nil)
	ops := mem.Ops()
	x.run(ctx, 2)
	t.Logf("%d operations; with their recoveries %d crash points, %d images, %d distinct ones opened, %d failures", ops, x.points, x.images, len(x.seen), x.failed)
	t.Logf("left out by the bounds %v: %v (crashes of the workload, of its recoveries, …)", x.bounds, x.left)
	if *long && x.left[0] > 0 {
		t.Errorf("not all images of the workload's crash points were opened")
	}
	if ops > 400 {
		t.Errorf("the workload takes %d operations, more than 400", ops)
	}
	for _, row := range slices.Sorted(maps.Keys(x.rows)) {
		t.Logf("met %6d times: %s", x.rows[row], row)
	}
	if !testing.Short() {
		x.demand(rows...)
	}
}
