package engine_test

import (
	"context"
	"errors"
	"flag"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// machine drives a store beside its history: versions[n] is what it holds after
// batch n. Nothing that it does may wait for something that it would do later.
type machine struct {
	mem      *vfs.Mem
	db       *engine.DB
	opts     engine.Options
	versions []content
	acked    uint64 // batches answered, or known to be shown
	durable  uint64 // batches known to survive a power cut
	txs      []*modelTx
	pending  map[uint64]*engine.Pending
	steps    *int
}

// last is the newest batch that may be there.
func (m *machine) last() uint64 { return uint64(len(m.versions) - 1) }

func (m *machine) now() content { return m.versions[m.last()] }

// answered notes that a batch is done.
func (m *machine) answered(seq uint64) {
	m.acked = max(m.acked, seq)
	if m.opts.Sync == engine.SyncAlways {
		m.durable = max(m.durable, seq)
	}
}

func (m *machine) open(t rapid.TB) {
	db, err := engine.OpenFS(context.Background(), m.mem.Reopen(), m.opts)
	ok(t, err)
	m.db, m.txs, m.pending = db, nil, map[uint64]*engine.Pending{}
}

// holder returns the transaction that has the writer's place, or nil.
func (m *machine) holder() *modelTx {
	i := slices.IndexFunc(m.txs, func(x *modelTx) bool { return x.mode == engine.Immediate || x.mode == engine.Exclusive })
	if i < 0 {
		return nil
	}
	return m.txs[i]
}

func (m *machine) writers() (n int) {
	for _, x := range m.txs {
		if x.mode != engine.Reading {
			n++
		}
	}
	return n
}

// begin begins a transaction that need not wait.
func (m *machine) begin(t *rapid.T) {
	mode := rapid.SampledFrom([]engine.Mode{engine.Deferred, engine.Deferred, engine.Deferred, engine.Immediate, engine.Exclusive, engine.Reading}).Draw(t, "mode")
	h := m.holder()
	blocked := h != nil && (h.mode == engine.Exclusive || mode != engine.Deferred) || mode == engine.Exclusive && m.writers() > 0
	if len(m.txs) == 5 || (blocked && mode != engine.Reading) {
		t.Skip("it would wait")
	}
	tx, err := m.db.Begin(context.Background(), mode)
	ok(t, err)
	x := &modelTx{tx: tx, base: tx.Base(), mode: mode, keys: map[place]bool{}}
	if x.base < m.acked || x.base > m.last() || (x.base != m.last() && (mode == engine.Immediate || mode == engine.Exclusive)) {
		t.Fatalf("begun in %v at %d, answered %d, asked %d", mode, x.base, m.acked, m.last())
	}
	x.shadow = shadow{maps.Clone(m.versions[x.base]), map[place]bool{}, nil}
	m.txs = append(m.txs, x)
}

func (m *machine) pick(t *rapid.T) *modelTx {
	if len(m.txs) == 0 {
		t.Skip("no transaction")
	}
	return rapid.SampledFrom(m.txs).Draw(t, "tx")
}

func (m *machine) act(t *rapid.T) { m.pick(t).act(t) }

// finish picks a transaction that can be ended without waiting and takes it away.
func (m *machine) finish(t *rapid.T) *modelTx {
	x := m.pick(t)
	if h := m.holder(); h != nil && h != x && x.changed {
		t.Skip("it would wait")
	}
	m.txs = slices.DeleteFunc(m.txs, func(y *modelTx) bool { return x == y })
	return x
}

// outcome checks how a commit went, or a submit: conflicts are predicted.
func (m *machine) outcome(t *rapid.T, x *modelTx, err error) (committed bool) {
	conflict := x.changed && x.conflict(m.versions[x.base], m.now())
	if errors.Is(err, engine.ErrConflict) != conflict || (err != nil && !conflict) {
		t.Fatalf("%v on %d of %d: %v, predicted a conflict: %v (read %q %v)", x.mode, x.base, m.last(), err, conflict, slices.Collect(maps.Keys(x.keys)), x.ranges)
	}
	if conflict || !x.changed {
		if x.tx.Seq() != 0 {
			t.Fatalf("nothing was committed as %d", x.tx.Seq())
		}
		return false
	}
	if x.tx.Seq() != m.last()+1 {
		t.Fatalf("committed as %d behind %d", x.tx.Seq(), m.last())
	}
	m.versions = append(m.versions, x.after(m.now(), m.last()+1))
	return true
}

func (m *machine) commit(t *rapid.T) {
	x := m.finish(t)
	if m.outcome(t, x, x.tx.Commit()) {
		m.answered(m.last())
	} else if x.mode != engine.Reading && x.mode != engine.Deferred {
		m.answered(x.base) // it was told so: what it read is done
	}
	m.over(t, x)
}

func (m *machine) submit(t *rapid.T) {
	x := m.finish(t)
	p, err := x.tx.Submit()
	if m.outcome(t, x, err) {
		m.pending[m.last()] = p
	}
	m.over(t, x)
}

func (m *machine) rollback(t *rapid.T) {
	x := m.pick(t)
	m.txs = slices.DeleteFunc(m.txs, func(y *modelTx) bool { return x == y })
	ok(t, x.tx.Rollback())
	m.over(t, x)
}

// over checks that a transaction has ended.
func (m *machine) over(t *rapid.T, x *modelTx) {
	if _, err := x.tx.Get(nil); !errors.Is(err, engine.ErrNotInTx) || x.tx.Open() {
		t.Fatalf("ended, and get gives %v", err)
	}
}

// wait waits for what was submitted.
func (m *machine) wait(t *rapid.T) {
	if len(m.pending) == 0 {
		t.Skip("nothing submitted")
	}
	seq := rapid.SampledFrom(slices.Sorted(maps.Keys(m.pending))).Draw(t, "seq")
	got, err := m.pending[seq].Wait(context.Background())
	if err != nil || got != seq {
		t.Fatalf("submitted as %d: %d %v", seq, got, err)
	}
	m.answered(seq)
	delete(m.pending, seq)
}

// update writes in one call.
func (m *machine) update(t *rapid.T) {
	if m.holder() != nil {
		t.Skip("it would wait")
	}
	x := &modelTx{mode: engine.Immediate, keys: map[place]bool{}}
	end := rapid.SampledFrom([]string{"commit", "commit", "error", "panic"}).Draw(t, "end")
	failed := errors.New(end)
	err := func() (err error) {
		defer func() {
			if v := recover(); v == end {
				err = failed
			} else if v != nil {
				panic(v)
			}
		}()
		return m.db.Update(context.Background(), func(_ context.Context, tx *engine.Tx) error {
			x.tx, x.base, x.changed, x.shadow = tx, tx.Base(), false, shadow{maps.Clone(m.versions[tx.Base()]), map[place]bool{}, nil}
			for range rapid.IntRange(0, 3).Draw(t, "acts") {
				x.actInside(t)
			}
			switch end {
			case "error":
				return failed
			case "panic":
				panic(end)
			}
			return nil
		})
	}()
	if end != "commit" {
		if err != failed {
			t.Fatalf("the failed update gave %v", err)
		}
		return
	}
	m.outcome(t, x, err)
	m.answered(x.tx.Seq())
}

// look reads outside a transaction: it sees one of the versions that may be shown.
func (m *machine) look(t *rapid.T) {
	tenant, r := drawTenant(t), drawRange(t)
	s, err := m.db.Tenant(tenant)
	ok(t, err)
	n, err := s.Count(context.Background(), r)
	ok(t, err)
	p := place{tenant, drawKey(t)}
	e, getErr := s.Entry(context.Background(), []byte(p.key))
	matchCount, matchEntry := false, false
	for _, v := range m.versions[m.acked:] {
		matchCount = matchCount || n == len(v.in(spanOf(tenant, r), false))
		c, has := v[p]
		matchEntry = matchEntry || has == (getErr == nil) && (!has || string(e.Value) == c.value && e.Seq == c.seq)
	}
	if !matchCount || !matchEntry {
		t.Fatalf("between %d and %d: counted %d in %+v (%v), %q is %q by %d %v (%v)", m.acked, m.last(), n, r, matchCount, p, e.Value, e.Seq, getErr, matchEntry)
	}
}

func (m *machine) sync(t *rapid.T) {
	ok(t, m.db.Sync(context.Background()))
	m.acked, m.durable = m.last(), m.last()
	if m.db.Durable() != m.last() {
		t.Fatalf("synced, and durable is %d of %d", m.db.Durable(), m.last())
	}
	m.whole(t)
}

func (m *machine) checkpoint(t *rapid.T) {
	res, err := m.db.Checkpoint(context.Background())
	ok(t, err)
	if res.Seq < m.acked || res.Seq > m.last() {
		t.Fatalf("a checkpoint of %d, answered %d, asked %d", res.Seq, m.acked, m.last())
	}
	m.acked, m.durable = max(m.acked, res.Seq), max(m.durable, res.Seq)
}

// reopen closes: nothing that was accepted is lost, and what is open is rolled back.
func (m *machine) reopen(t *rapid.T) {
	txs := m.txs
	ok(t, m.db.Close())
	for _, x := range txs {
		if err := x.tx.Commit(); !errors.Is(err, engine.ErrClosed) {
			t.Fatalf("commit after close: %v", err)
		}
	}
	for seq, p := range m.pending {
		if got, err := p.Wait(context.Background()); err != nil || got != seq {
			t.Fatalf("submitted as %d, and after close it is %d %v", seq, got, err)
		}
	}
	m.acked, m.durable = m.last(), m.last()
	m.drawOptions(t)
	m.open(t)
	if r := m.db.Report(); !r.Clean || uint64(r.Last) != m.last() {
		t.Fatalf("reopened: %+v, the last was %d", r, m.last())
	}
	m.whole(t)
}

// crash goes on with what a crash leaves: some version not older than promised.
func (m *machine) crash(t *rapid.T) {
	models := []vfs.Model{vfs.Kill, vfs.Lost, vfs.Kept, vfs.Torn, vfs.Reordered, vfs.Zeroed, vfs.Garbage}
	model := rapid.SampledFrom(models).Draw(t, "model")
	old, mem := m.db, m.mem
	m.mem = mem.Crash(model, rapid.Uint64Range(0, 1<<20).Draw(t, "seed"))
	_ = old.Close() // on a disk that is no more
	m.drawOptions(t)
	m.open(t)
	least := m.durable
	if model == vfs.Kill {
		least = m.acked
	}
	got := uint64(m.db.Report().Last)
	if got < least || got > m.last() {
		t.Fatalf("%v: the store ends at %d, promised %d, asked %d", model, got, least, m.last())
	}
	m.versions = m.versions[:got+1]
	m.acked, m.durable = got, got
	m.whole(t)
}

func (m *machine) drawOptions(t *rapid.T) {
	m.opts.Sync = rapid.SampledFrom([]engine.SyncPolicy{engine.SyncAlways, engine.SyncAlways, engine.SyncNever}).Draw(t, "sync")
	m.opts.CheckpointAfter = rapid.SampledFrom([]int64{-1, 3000}).Draw(t, "checkpoint after")
}

// whole compares everything, where the version is known.
func (m *machine) whole(t *rapid.T) {
	now := m.now()
	var names []string
	total := 0
	for name, err := range m.db.Tenants(context.Background()) {
		ok(t, err)
		names = append(names, name)
		s, err := m.db.Tenant(name)
		ok(t, err)
		for e, err := range s.Scan(context.Background(), engine.Range{}) {
			p := place{name, string(e.Key)}
			c, has := now[p]
			sameEntry(t, p, e, err, c, has)
			total++
		}
	}
	if want := now.tenants(); total != len(now) || !slices.Equal(names, want) {
		t.Fatalf("the store has %d keys of %q, want %d of %q", total, names, len(now), want)
	}
}

// check counts steps and looks at what is cheap.
func (m *machine) check(t *rapid.T) {
	*m.steps++
	s := m.db.Stats()
	if s.OpenTx != m.writers() || s.Seq < m.acked || s.Seq > m.last() || s.Durable < m.durable || s.Durable > m.last() {
		t.Fatalf("%d writing transactions, answered %d, durable %d, asked %d: %+v", m.writers(), m.acked, m.durable, m.last(), s)
	}
}

// TestMachine runs random programs beside the model: 10,000 steps without a difference.
func TestMachine(t *testing.T) { both(t, testMachine) }

func testMachine(t *testing.T) {
	const want = 10_000
	steps := flag.Lookup("rapid.steps").Value
	if before := steps.String(); before == "30" { // the default, which is little for so many actions
		check(t, steps.Set("200"))
		defer func() { check(t, steps.Set(before)) }()
	}
	began, n := time.Now(), 0
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{mem: tracked(), versions: []content{{}}, steps: &n, opts: engine.Options{Codec: codecOf(t), SegmentSize: 4 << 10, CheckpointRate: -1}}
		m.drawOptions(t)
		m.open(t)
		defer func() { _ = m.db.Close() }()
		t.Repeat(map[string]func(*rapid.T){
			"begin": m.begin, "begin again": m.begin, "act": m.act, "act again": m.act, "act more": m.act, "act most": m.act,
			"commit": m.commit, "commit again": m.commit, "submit": m.submit, "rollback": m.rollback, "wait": m.wait, "update": m.update,
			"look": m.look, "sync": m.sync, "checkpoint": m.checkpoint, "reopen": m.reopen, "crash": m.crash, "": m.check,
		})
		m.reopen(t)
	})
	t.Logf("%d steps in %v", n, time.Since(began))
	if n < want && !t.Failed() && !testing.Short() && flag.Lookup("rapid.checks").Value.String() == "100" {
		t.Errorf("%d steps, want %d", n, want)
	}
}
