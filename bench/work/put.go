package work

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vlogdb/vlog/bench/gate"
	"github.com/vlogdb/vlog/bench/peer"
)

// warm is how long a workload runs before it is measured.
const warm = 300 * time.Millisecond

// Put is W1: durable puts by so many writers, each one at a time.
func Put(s peer.Store, spec Spec) (Figures, error) {
	load := spec
	load.Reads = 0
	r, err := load.run(s)
	return Figures{"puts/s": r.all.PerSecond, "p50 us": r.all.P50, "p99 us": r.all.P99, "puts": float64(r.acked)}, err
}

// Mixed is reads and writes of keys that are there, some asked for far more often than
// others, by so many goroutines.
func Mixed(s peer.Store, spec Spec) (Figures, error) {
	for n := 0; n < spec.Keys; n += txPuts {
		if err := s.PutAll(spec.pairs(n, min(txPuts, spec.Keys-n))); err != nil {
			return nil, err
		}
	}
	r, err := spec.run(s)
	return Figures{"ops/s": r.all.PerSecond, "p50 us": r.all.P50, "p99 us": r.all.P99}, err
}

// ran is what came of a run.
type ran struct {
	all   gate.Rate
	acked int64 // writes that were answered, the warm-up's too
}

// runner is what the goroutines of a run share.
type runner struct {
	spec  Spec
	s     peer.Store
	next  atomic.Int64
	phase atomic.Int32 // 0: warming, 1: measuring, 2: over
}

// run lets the writers work.
func (spec Spec) run(s peer.Store) (ran, error) {
	r := &runner{spec: spec, s: s}
	r.next.Store(spec.from)
	took, errs := make([][]time.Duration, spec.Writers), make([]error, spec.Writers)
	var wg sync.WaitGroup
	for i := range spec.Writers {
		took[i] = make([]time.Duration, 0, 1<<16)
		wg.Go(func() { took[i], errs[i] = r.work(uint64(i), took[i]) })
	}
	time.Sleep(warm)
	r.phase.Store(1)
	began := time.Now()
	time.Sleep(spec.For)
	r.phase.Store(2)
	d := time.Since(began)
	wg.Wait()
	return ran{gate.RateOf(slices.Concat(took...), d), r.next.Load() - spec.from}, errors.Join(errs...)
}

// work is one goroutine: it notes how long each operation took.
func (r *runner) work(seed uint64, took []time.Duration) ([]time.Duration, error) {
	do := r.put
	if r.spec.Reads > 0 {
		do = r.mixer(seed)
	}
	for last := time.Now(); ; {
		if err := do(); err != nil {
			return took, err
		}
		now := time.Now()
		switch r.phase.Load() {
		case 1:
			took = append(took, now.Sub(last))
		case 2:
			return took, nil
		}
		last = now
	}
}

// put puts the next new key.
func (r *runner) put() error {
	n := uint64(r.next.Add(1))
	return r.s.Put(r.spec.Key(n), Value(n))
}

// mixer returns one goroutine's operation: a read or an overwrite of a key of a few that
// are liked.
func (r *runner) mixer(seed uint64) func() error {
	liked, dice := zipf(seed, r.spec.Keys), newDice(seed)
	return func() error {
		n := liked.Uint64()
		if dice.IntN(100) < r.spec.Reads {
			_, err := r.s.Get(r.spec.Key(n))
			return err
		}
		r.next.Add(1)
		return r.s.Put(r.spec.Key(n), Value(n+uint64(dice.IntN(100))))
	}
}
