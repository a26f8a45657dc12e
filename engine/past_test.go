package engine_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// clock is a time that a test moves.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)} }

func (c *clock) read() time.Time { return c.now }

// chronicle drives a store beside all that it ever was: versions[n] is what it held
// after batch n, times[n] when that was.
type chronicle struct {
	mem      *vfs.Mem
	db       *engine.DB
	clock    *clock
	opts     engine.Options
	keep     engine.Keep
	versions []content
	times    []time.Time
	points   []uint64 // checkpoints made, ascending
}

func newChronicle(t rapid.TB, codec engine.Codec) *chronicle {
	c := &chronicle{mem: tracked(), clock: newClock(), keep: engine.Keep{Checkpoints: 2}, versions: []content{{}}, times: []time.Time{{}}}
	c.opts = engine.Options{CheckpointAfter: -1, SegmentSize: 4 << 10, Clock: c.clock.read, Codec: codec}
	c.open(t)
	return c
}

func (c *chronicle) open(t rapid.TB) {
	db, err := engine.OpenFS(context.Background(), c.mem.Reopen(), c.opts)
	ok(t, err)
	c.db = db
}

func (c *chronicle) last() uint64 { return uint64(len(c.versions) - 1) }

// came notes the batch that was just written.
func (c *chronicle) came(v content) {
	c.versions, c.times = append(c.versions, v), append(c.times, c.clock.now)
}

// write commits a transaction of a few changes in one or two tenants.
func (c *chronicle) write(t *rapid.T) {
	x := &modelTx{mode: engine.Immediate, keys: map[place]bool{}}
	ok(t, c.db.Update(context.Background(), func(_ context.Context, tx *engine.Tx) error {
		x.tx, x.base, x.changed, x.shadow = tx, tx.Base(), false, shadow{maps.Clone(c.versions[tx.Base()]), map[place]bool{}, nil}
		for range rapid.IntRange(1, 3).Draw(t, "acts") {
			x.act(t)
		}
		return nil
	}))
	if x.changed {
		c.came(x.after(c.versions[c.last()], c.last()+1))
	}
}

// wait lets time pass; sometimes the clock goes back.
func (c *chronicle) wait(t *rapid.T) {
	d := rapid.SampledFrom([]time.Duration{time.Minute, time.Minute, 10 * time.Minute, time.Hour, -5 * time.Minute}).Draw(t, "passes")
	c.clock.now = c.clock.now.Add(d)
}

func (c *chronicle) checkpoint(t *rapid.T) { c.point(t) }

// point writes a checkpoint and looks whether the store keeps what it has to, and no more.
func (c *chronicle) point(t rapid.TB) {
	before := c.floor(t)
	res, err := c.db.Checkpoint(context.Background())
	ok(t, err)
	if !res.Written {
		return
	}
	c.points = append(c.points, res.Seq)
	want := max(before, c.promised())
	if floor := c.floor(t); floor != want {
		t.Fatalf("behind %d, with checkpoints %d, %+v reaches back to %d, want %d", c.last(), c.points, c.keep, floor, want)
	}
	c.points = slices.DeleteFunc(c.points, func(p uint64) bool { return p < want })
}

// promised returns the newest checkpoint from which on everything is there that Keep
// promises; 0 is the beginning.
func (c *chronicle) promised() uint64 {
	for nth, p := range slices.Backward(c.points) {
		nth = len(c.points) - nth
		switch k := c.keep; {
		case k.Batches > 0 && p+k.Batches <= c.last(),
			k.For > 0 && !c.times[p].After(c.clock.now.Add(-k.For)),
			k.Checkpoints > 0 && nth == k.Checkpoints:
			return p
		}
	}
	return 0
}

// floor returns how far back the store reaches.
func (c *chronicle) floor(t rapid.TB) uint64 {
	floor, err := c.db.Floor(context.Background())
	ok(t, err)
	return floor
}

func (c *chronicle) reopen(t *rapid.T) {
	ok(t, c.db.Close())
	c.open(t)
}

// readOnly looks at everything with a reader.
func (c *chronicle) readOnly(t *rapid.T) {
	ok(t, c.db.Close())
	c.opts.ReadOnly = true
	c.open(t)
	c.opts.ReadOnly = false
	c.everything(t)
	c.reopen(t)
}

// crash goes on with what a stop leaves: every batch was answered.
func (c *chronicle) crash(t *rapid.T) {
	models := []vfs.Model{vfs.Kill, vfs.Lost, vfs.Kept, vfs.Torn, vfs.Reordered, vfs.Zeroed, vfs.Garbage}
	old, mem := c.db, c.mem
	c.mem = mem.Crash(rapid.SampledFrom(models).Draw(t, "model"), rapid.Uint64Range(0, 1<<20).Draw(t, "seed"))
	_ = old.Close() // on a disk that is no more
	c.open(t)
	if got := uint64(c.db.Report().Last); got != c.last() {
		t.Fatalf("the store ends at %d, answered %d", got, c.last())
	}
}

// setKeep changes how far the store reaches back, which is a batch.
func (c *chronicle) setKeep(t *rapid.T) {
	c.set(t, rapid.SampledFrom([]engine.Keep{{Checkpoints: 1}, {Checkpoints: 2}, {Checkpoints: 3}, {Batches: 1}, {Batches: 5}, {Batches: 20}, {For: time.Minute}, {For: time.Hour}, {All: true}}).Draw(t, "keep"))
}

func (c *chronicle) set(t rapid.TB, keep engine.Keep) {
	ok(t, c.db.Close())
	c.opts.Keep = &keep
	c.open(t)
	c.opts.Keep = nil
	if keep != c.keep {
		c.keep = keep
		c.came(maps.Clone(c.versions[c.last()]))
	}
}

// look asks for one moment and one key.
func (c *chronicle) look(t *rapid.T) {
	c.at(t, rapid.Uint64Range(0, c.last()+2).Draw(t, "seq"))
	when := rapid.SampledFrom(c.times).Draw(t, "time")
	if !when.IsZero() {
		c.atTime(t, when.Add(rapid.SampledFrom([]time.Duration{0, 0, -1, 1, time.Hour, -time.Hour}).Draw(t, "off")))
	}
	c.history(t, c.log(t), place{drawTenant(t), drawKey(t)}, rapid.SampledFrom([]int{0, 0, 1, 3, -1}).Draw(t, "limit"))
}

// everything asks for every batch, moment and key.
func (c *chronicle) everything(t rapid.TB) {
	info, err := c.db.Info(context.Background())
	if ok(t, err); info.Floor != c.floor(t) {
		t.Fatalf("Floor %d, Info %d", c.floor(t), info.Floor)
	}
	for seq := range c.last() + 2 {
		c.at(t, seq)
	}
	for _, when := range c.times[1:] {
		c.atTime(t, when)
		c.atTime(t, when.Add(-1))
	}
	log := c.log(t)
	for _, p := range c.keys() {
		c.history(t, log, p, 0)
	}
}

// keys returns every key that ever was, and one that was not.
func (c *chronicle) keys() []place {
	all := content{{"main", "never"}: {}}
	for _, v := range c.versions {
		maps.Copy(all, v)
	}
	return slices.Collect(maps.Keys(all))
}

// at asks for a batch: the version that it made, or why not.
func (c *chronicle) at(t rapid.TB, seq uint64) {
	p, err := c.db.At(context.Background(), seq)
	var target error
	switch floor := c.floor(t); {
	case seq > c.last():
		target = engine.ErrNotFound
	case seq < floor:
		target = engine.ErrCompacted
		if e, _ := errors.AsType[*engine.Error](err); e == nil || !strings.HasSuffix(e.Detail, fmt.Sprintf("is #%d", floor)) {
			t.Fatalf("at %d, from %d on: %v", seq, floor, err)
		}
	}
	if !errors.Is(err, target) {
		t.Fatalf("at %d of %d: %v, want %v", seq, c.last(), err, target)
	}
	if err == nil {
		c.same(t, p, seq)
	}
}

// atTime asks for a moment: before the first batch that is later, of those kept.
func (c *chronicle) atTime(t rapid.TB, when time.Time) {
	floor, want := c.floor(t), c.last()
	for seq := max(floor, 1); seq <= c.last(); seq++ {
		if c.times[seq].After(when) {
			want = seq - 1
			break
		}
	}
	p, err := c.db.AtTime(context.Background(), when)
	if want < floor {
		if !errors.Is(err, engine.ErrCompacted) {
			t.Fatalf("at %v, before %d: %v", when, floor, err)
		}
		return
	}
	ok(t, err)
	if p.Seq() != want {
		t.Fatalf("at %v is %d, want %d", when, p.Seq(), want)
	}
	c.same(t, p, want)
}

// same compares a past with a version, whole.
func (c *chronicle) same(t rapid.TB, p engine.Past, seq uint64) {
	ctx, v := context.Background(), c.versions[seq]
	if p.Seq() != seq || !p.Time().Equal(c.times[seq]) {
		t.Fatalf("the past of %d says %d of %v, want %v", seq, p.Seq(), p.Time(), c.times[seq])
	}
	var names []string
	total := 0
	for name, err := range p.Tenants(ctx) {
		ok(t, err)
		names = append(names, name)
		tenant, err := p.Tenant(name)
		ok(t, err)
		n := 0
		for e, err := range tenant.Scan(ctx, engine.Range{}) {
			at := place{name, string(e.Key)}
			cell, has := v[at]
			sameEntry(t, at, e, err, cell, has)
			n++
		}
		count, err := tenant.Count(ctx, engine.Range{})
		if ok(t, err); count != n {
			t.Fatalf("at %d %s has %d keys, counted %d", seq, name, n, count)
		}
		total += n
	}
	if want := v.tenants(); total != len(v) || !slices.Equal(names, want) {
		t.Fatalf("at %d: %d keys of %q, want %d of %q", seq, total, names, len(v), want)
	}
}

// history asks for the changes of a key and folds them: they must come to what it had
// behind every batch.
func (c *chronicle) history(t rapid.TB, log []change, p place, limit int) {
	s, err := c.db.Tenant(p.tenant)
	ok(t, err)
	var events []engine.Event
	for e, err := range s.History(context.Background(), []byte(p.key), limit) {
		ok(t, err)
		events = append(events, e)
	}
	want := c.changes(t, log, p)
	if limit > 0 {
		want = want[:min(limit, len(want))]
	}
	if len(events) != len(want) {
		t.Fatalf("%q has %d events, want %d: %+v", p, len(events), len(want), events)
	}
	upTo, floor := c.last(), c.floor(t)
	for i, e := range events {
		if e.Seq != want[i] || !e.Time.Equal(c.times[e.Seq]) || e.Tenant != p.tenant || e.Begins != (e.Seq == floor) || !e.Begins && e.By != e.Seq {
			t.Fatalf("%q: event %d is %+v, want %d of %v", p, i, e, want[i], c.times[want[i]])
		}
		for seq := e.Seq; seq <= upTo; seq++ {
			cell, has := c.versions[seq][p]
			if has != (e.Op == "put") || has && (cell.value != string(e.Value) || cell.seq != e.By) {
				t.Fatalf("%q at %d is %+v, %v, by its history %+v", p, seq, cell, has, e)
			}
		}
		upTo = e.Seq - 1
	}
}

// change is what a batch says that it changed: a key, or a span of them.
type change struct {
	seq  uint64
	span span
}

// log returns every change in the log.
func (c *chronicle) log(t rapid.TB) (all []change) {
	for b, err := range c.db.Batches(context.Background(), 0) {
		ok(t, err)
		for ch := range b.Changes() {
			s := span{ch.Tenant, string(ch.Key), string(ch.Key) + "\x00", false}
			if ch.Op == "del-range" {
				s.to, s.open = string(ch.End), len(ch.End) == 0
			}
			if ch.Space == "kv" {
				all = append(all, change{b.Seq, s})
			}
		}
	}
	return all
}

// changes returns the batches that name a key or cover it, newest first, and at last
// the floor, found in the simplest way.
func (c *chronicle) changes(t rapid.TB, log []change, p place) (seqs []uint64) {
	floor := c.floor(t)
	if floor > 0 {
		seqs = append(seqs, floor)
	}
	for _, ch := range log {
		if ch.seq > floor && ch.span.has(p) && !slices.Contains(seqs, ch.seq) {
			seqs = append(seqs, ch.seq)
		}
	}
	slices.Reverse(seqs)
	return seqs
}

// TestPastMachine runs random programs beside everything that the store ever was.
func TestPastMachine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newChronicle(t, rapid.SampledFrom([]engine.Codec{engine.Binary, engine.NDJSON}).Draw(t, "codec"))
		defer func() { _ = c.db.Close() }()
		t.Repeat(map[string]func(*rapid.T){
			"write": c.write, "write again": c.write, "write more": c.write, "write most": c.write, "wait": c.wait, "wait again": c.wait,
			"checkpoint": c.checkpoint, "checkpoint again": c.checkpoint, "reopen": c.reopen, "crash": c.crash, "keep": c.setKeep,
			"read-only": c.readOnly, "look": c.look, "look again": c.look,
		})
		c.everything(t)
	})
}

// TestEveryPast asks for every batch that a store ever had, again and again while it
// grows, under each kind of Keep.
func TestEveryPast(t *testing.T) {
	for _, keep := range []engine.Keep{{Checkpoints: 2}, {Checkpoints: 4}, {Batches: 15}, {For: 90 * time.Minute}, {All: true}} {
		t.Run(fmt.Sprintf("%+v", keep), func(t *testing.T) {
			c := newChronicle(t, engine.Binary)
			defer func() { _ = c.db.Close() }()
			c.set(t, keep)
			for n := range 60 {
				c.grow(t, n)
				switch n % 20 {
				case 6, 13, 19:
					c.point(t)
				case 9:
					ok(t, c.db.Close())
					c.open(t)
				case 16:
					old := c.db
					c.mem = c.mem.Crash(vfs.Garbage, uint64(n))
					_ = old.Close()
					c.open(t)
				}
				if n%10 == 9 {
					c.everything(t)
				}
			}
			if floor := c.floor(t); (floor == 0) != keep.All {
				t.Errorf("%+v reaches back to %d of %d", keep, floor, c.last())
			}
		})
	}
}

// grow writes one batch: a put, at times a delete or a delete of a range with it.
func (c *chronicle) grow(t testing.TB, n int) {
	next, seq := maps.Clone(c.versions[c.last()]), c.last()+1
	c.clock.now = c.clock.now.Add(5 * time.Minute)
	ok(t, c.db.Update(context.Background(), func(_ context.Context, tx *engine.Tx) error {
		acme, err := tx.Tenant("acme")
		key := fmt.Sprintf("%02d", n*7%23)
		if n%5 == 4 {
			err = errors.Join(err, acme.DeleteRange(engine.Range{From: []byte(key), To: []byte("20")}))
			next.cut(span{"acme", key, "20", false})
		}
		if n%3 == 2 {
			err = errors.Join(err, tx.Delete([]byte(key)))
			delete(next, place{"main", key})
		} else {
			err = errors.Join(err, tx.Put([]byte(key), fmt.Append(nil, n)))
			next[place{"main", key}] = cell{fmt.Sprint(n), seq}
		}
		next[place{"acme", key}] = cell{key, seq}
		return errors.Join(err, acme.Put([]byte(key), []byte(key)))
	}))
	c.came(next)
}
