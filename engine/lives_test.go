package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// looked is what a look at the past showed.
type looked struct {
	seq    uint64
	values [registers]uint64
}

// ever is what a store holds, and all that it held: one batch and what was before it.
type ever struct {
	now    [registers]uint64
	seq    uint64
	before *ever
}

// with is what a store holds behind one more batch.
func (e *ever) with(now [registers]uint64) *ever { return &ever{now, e.seq + 1, e} }

// at is what it held behind a batch; nil where that has not come.
func (e *ever) at(seq uint64) *ever {
	for e != nil && e.seq > seq {
		e = e.before
	}
	if e == nil || e.seq != seq {
		return nil
	}
	return e
}

func (e *ever) same(o *ever) bool {
	for ; e != nil && o != nil && e != o; e, o = e.before, o.before {
		if e.seq != o.seq || e.now != o.now {
			return false
		}
	}
	return e == o
}

// unanswered is the output of a transaction that a crash came before the answer of.
type unanswered struct{}

// survived says what may come of transactions one after the other where crashes come in
// between: one that was answered stays, one that was not is there as a whole or never was.
var survived = (&porcupine.NondeterministicModel{
	Init: func() []any { return []any{&ever{}} },
	Step: func(state, input, output any) []any {
		before := state.(*ever)
		if l, ok := input.(looked); ok {
			return only(before, before.at(l.seq) != nil && before.at(l.seq).now == l.values)
		}
		d := input.(*deeds)
		now, ok := d.play(before.now)
		switch _, open := output.(unanswered); {
		case open && ok:
			return []any{before, before.with(now)}
		case open:
			return []any{before}
		case !d.committed || !d.writes():
			return only(before, ok)
		}
		return only(before.with(now), ok && d.seq == before.seq+1)
	},
	Equal:             func(a, b any) bool { return a.(*ever).same(b.(*ever)) },
	Hash:              func(state any) uint64 { e := state.(*ever); return e.seq*31 + e.now[0] + e.now[1]*7 },
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v %T", input, output) },
}).ToModel()

func only(e *ever, ok bool) []any {
	if !ok {
		return nil
	}
	return []any{e}
}

// writes says whether a transaction has a batch.
func (d *deeds) writes() bool {
	for _, x := range d.list {
		if x.what == 'p' {
			return true
		}
	}
	return false
}

// lives is a history of a store that crashes and is opened again.
type lives struct {
	witness
	rng  *rand.Rand // of whoever makes the lives
	mem  *vfs.Mem
	disk *vfs.Disk             // as the crash left it; nil while the store lives; guarded by mu
	open []porcupine.Operation // no answer before the crash; guarded by mu
	all  int                   // transactions that were open at a crash
}

// over says whether the store has crashed.
func (l *lives) over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.disk != nil
}

// crash ends a life: what is answered later is not heard, what reaches the disk later
// does not.
func (l *lives) crash() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.disk == nil {
		l.disk = l.mem.Snapshot()
	}
}

// note writes down what came of something that one client did.
func (l *lives) note(client int, called int64, input any, err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	op := porcupine.Operation{ClientId: client, Input: input, Call: called}
	d, wrote := input.(*deeds)
	switch {
	case l.disk != nil && (!wrote || !d.writes() || errors.Is(err, errPoor)):
		return nil // nobody heard what it saw, and it has no batch
	case l.disk != nil || errors.Is(err, engine.ErrAmbiguous):
		op.Output = unanswered{}
		l.open = append(l.open, op)
		return nil
	case errors.Is(err, engine.ErrNoSpace), errors.Is(err, engine.ErrConflict), errors.Is(err, engine.ErrPoisoned):
		return nil // nothing was written, and what it saw may have been taken back
	case err != nil && !errors.Is(err, errPoor):
		return err
	}
	if wrote {
		d.committed = err == nil
	}
	op.Return = l.clock.Add(1)
	l.history = append(l.history, op)
	return nil
}

// act does one thing as a client.
func (l *lives) act(client int, rng *rand.Rand) error {
	called := l.clock.Add(1)
	if last := l.db.Durable(); last > 0 && rng.IntN(6) == 0 {
		seen := looked{seq: 1 + rng.Uint64N(last)}
		err := l.lookBack(&seen)
		return l.note(client, called, seen, err)
	}
	d := &deeds{}
	err := l.transaction(rng, d)
	return l.note(client, called, d, err)
}

// lookBack reads every register as it was.
func (l *lives) lookBack(seen *looked) error {
	past, err := l.db.At(context.Background(), seen.seq)
	if err != nil {
		return err
	}
	for key := range seen.values {
		v, err := past.Get(context.Background(), register(key))
		if err != nil && !errors.Is(err, engine.ErrNotFound) {
			return err
		}
		seen.values[key] = number(v)
	}
	return nil
}

// live opens the store and lets clients at it, until it crashes at an operation of the
// disk, or they are done.
func (l *lives) live(t *testing.T, trouble vfs.Injector) {
	fail := newFailing(l.mem.Reopen()).dropping()
	l.db = open(t, vfs.NewSlow(fail, vfs.SlowSyncs(time.Millisecond)), quiet)
	fail.set(trouble.Fail)
	var n atomic.Int64
	at := 1 + l.rng.Int64N(150)
	l.mem.OnOp(func(vfs.Op) {
		if n.Add(1) == at {
			l.crash()
		}
	})
	var wg sync.WaitGroup
	for client := range 5 {
		rng := rand.New(rand.NewPCG(l.rng.Uint64(), uint64(client)))
		wg.Go(func() {
			for i := 0; i < 25 && !l.over() && l.db.Err() == nil; i++ {
				if err := l.act(client, rng); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	l.crash()
	l.mem.OnOp(nil)
	_ = l.db.Close() // nobody hears of it
}

// bury decides what the crash left, and ends what was not answered before it.
func (l *lives) bury(models ...vfs.Model) {
	crashed := l.clock.Add(1)
	l.all += len(l.open)
	for i, op := range l.open {
		op.Return = crashed
		op.ClientId = 100 + len(l.history) + i // who waits for ever is nobody any more
		l.history = append(l.history, op)
	}
	l.open = nil
	model, left := models[l.rng.IntN(len(models))], l.rng.IntN(4)
	l.disk.Images(model, 8, func(img *vfs.Image) bool {
		l.mem = img.Mem(true)
		left--
		return left >= 0
	})
	l.disk = nil
}

// TestHistorySurvives: whatever many do at once, in every mode, looking back too, on a
// disk that is full now and then or fails a sync, while the machine crashes at any
// operation and leaves any of the disks that it may: it is as if all that was answered
// was done one after the other, each between its call and its return, and of the rest
// each as a whole before the crash or not at all.
func TestHistorySurvives(t *testing.T) { both(t, testHistorySurvives) }

func testHistorySurvives(t *testing.T) {
	seeds, known, left := uint64(30), 0, 0
	if testing.Short() {
		seeds = 8
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			l := &lives{mem: tracked(), rng: rand.New(rand.NewPCG(seed, 100))}
			for range 4 {
				l.live(t, troubled(l.rng))
				l.bury(vfs.Models()...)
			}
			known, left = known+len(l.history), left+l.all
			if !porcupine.CheckOperations(survived, l.history) {
				t.Errorf("seed %d: no order explains %d transactions", seed, len(l.history))
			}
		})
	}
	t.Logf("%d transactions, %d of them open at a crash", known, left)
	if known < 150*int(seeds) || left < 5*int(seeds) {
		t.Errorf("only %d transactions, %d of them open at a crash", known, left)
	}
}

// troubled is a disk that is full at one write in so many, or fails one sync.
func troubled(rng *rand.Rand) vfs.Injector {
	switch rng.IntN(3) {
	case 0:
		var n atomic.Int64
		return vfs.InjectorFunc(func(op vfs.Op) error {
			if op.Kind == vfs.OpWrite && n.Add(1)%5 == 0 {
				return engine.ErrNoSpace
			}
			return nil
		})
	case 1:
		return vfs.When(vfs.Both(vfs.OnKind(vfs.OpSync), vfs.OnPath("log/spare-*")), vfs.Nth(3+rng.IntN(20), engine.ErrIO))
	}
	return vfs.Nth(0, nil)
}

// TestHistoryNotices: a store that comes back without a batch that was answered is found
// out.
func TestHistoryNotices(t *testing.T) { both(t, testHistoryNotices) }

func testHistoryNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lives{mem: tracked(), rng: rand.New(rand.NewPCG(1, 100))}
		l.live(t, vfs.Nth(0, nil))
		l.bury(vfs.Lost)
		if !porcupine.CheckOperations(survived, l.history) {
			t.Fatal("no order explains a life on a disk that is as it should be")
		}
		acked := len(l.history)
		early := l.mem.Snapshot()
		l.live(t, vfs.Nth(0, nil))
		if len(l.history) < acked+20 {
			t.Fatalf("only %d transactions in a life", len(l.history)-acked)
		}
		l.disk = early
		l.bury(vfs.Lost)
		l.live(t, vfs.Nth(0, nil))
		l.bury(vfs.Lost)
		if porcupine.CheckOperations(survived, l.history) {
			t.Error("all batches of a life are gone, and nobody notices")
		}
	})
}

// TestHistoryModel: what the model of crashes allows, and what not.
func TestHistoryModel(t *testing.T) {
	put := func(value, seq uint64) *deeds {
		return &deeds{list: []deed{{'p', 0, value}}, committed: true, seq: seq}
	}
	get := func(value uint64) *deeds { return &deeds{list: []deed{{'g', 0, value}}, committed: true} }
	both := &deeds{list: []deed{{'p', 0, 2}, {'p', 1, 2}}, committed: true}
	other := func(value uint64) *deeds { return &deeds{list: []deed{{'g', 1, value}}, committed: true} }
	past := func(seq, value uint64) looked { return looked{seq, [registers]uint64{value}} }
	for name, c := range map[string]struct {
		open int // the one that no answer came to before the crash; it ends behind the next one
		list []any
		want bool
	}{
		"answered, there":             {-1, []any{put(1, 1), put(2, 2), get(2)}, true},
		"answered, gone":              {-1, []any{put(1, 1), put(2, 2), get(1)}, false},
		"answered, another number":    {-1, []any{put(1, 1), put(2, 3), get(2)}, false},
		"open, gone":                  {1, []any{put(1, 1), put(2, 0), get(1), get(1)}, true},
		"open, there":                 {1, []any{put(1, 1), put(2, 0), get(1), get(2)}, true},
		"open, seen, then gone":       {1, []any{put(1, 1), put(2, 0), get(2), get(1)}, false},
		"open, gone, then there":      {1, []any{put(1, 1), put(2, 0), get(1), get(1), get(2)}, false},
		"open, half there":            {1, []any{put(1, 1), both, get(1), get(2), other(0)}, false},
		"open, its number used again": {1, []any{put(1, 1), put(2, 0), get(1), put(3, 2), get(3)}, true},
		"open, a gap":                 {1, []any{put(1, 1), put(2, 0), get(1), put(3, 4), get(3)}, false},
		"the past":                    {-1, []any{put(1, 1), put(2, 2), past(1, 1), past(2, 2)}, true},
		"another past":                {-1, []any{put(1, 1), put(2, 2), past(1, 2)}, false},
		"a past to come":              {-1, []any{put(1, 1), past(2, 2), put(2, 2)}, false},
	} {
		var history []porcupine.Operation
		for i, in := range c.list {
			op := porcupine.Operation{ClientId: i, Input: in, Call: int64(10 * i), Return: int64(10*i + 5)}
			if i == c.open {
				op.Output, op.Return = unanswered{}, int64(10*i+17)
			}
			history = append(history, op)
		}
		if got := porcupine.CheckOperations(survived, history); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
