package work

import (
	"sync/atomic"
	"time"

	"github.com/vlogdb/vlog/bench/gate"
	"github.com/vlogdb/vlog/bench/peer"
)

// overwrites is how often each key is put again, compactions how often those who write
// and read meanwhile are looked at.
const (
	overwrites  = 10
	compactions = 10
)

// Rewrite is W9: all keys are overwritten ten times and then compacted; once with nobody
// beside it, and where the engine allows it once more with a writer and a reader. size
// says how many MB the store takes.
func Rewrite(s peer.Store, spec Spec, size func() (float64, error)) (Figures, error) {
	all := Figures{}
	note := func(name string) (err error) { all[name], err = size(); return err }
	if err := spec.fill(s, 0); err != nil {
		return nil, err
	}
	if err := note("disk once MB"); err != nil {
		return nil, err
	}
	began := time.Now()
	for i := range overwrites {
		if err := spec.fill(s, uint64(i+1)); err != nil {
			return nil, err
		}
	}
	all["overwrite puts/s"] = float64(overwrites*spec.Keys) / time.Since(began).Seconds()
	if err := note("disk rewritten MB"); err != nil {
		return nil, err
	}
	c, ok := s.(peer.Compacter)
	if !ok {
		return all, nil
	}
	began = time.Now()
	if err := c.Compact(); err != nil {
		return nil, err
	}
	all["compaction s"] = time.Since(began).Seconds()
	if err := note("disk compacted MB"); err != nil {
		return nil, err
	}
	return all, nil
}

// fill puts all keys, with values of a turn.
func (spec Spec) fill(s peer.Store, turn uint64) error {
	for n := 0; n < spec.Keys; n += txPuts {
		pairs := spec.pairs(n, min(txPuts, spec.Keys-n))
		for i := range pairs {
			pairs[i].Value[0] = byte(turn)
		}
		if err := s.PutAll(pairs); err != nil {
			return err
		}
	}
	return nil
}

// Beside is what a compaction does to those who write and read meanwhile: a writer's
// slowest answers before it and beside it, and the longest that a read took.
func Beside(s peer.Store, spec Spec) (Figures, error) {
	c, ok := s.(peer.Compacter)
	if _, alone := s.(interface{ CompactsAlone() }); alone || !ok {
		return Figures{}, nil
	}
	if err := spec.fill(s, 0); err != nil {
		return nil, err
	}
	before, err := spec.alone(s, func() bool { return true })
	if err != nil {
		return nil, err
	}
	var over atomic.Bool
	done := make(chan error, 1)
	go func() {
		var err error
		for i := 0; i < compactions && err == nil; i++ { // one may be over before anybody has noticed
			err = c.Compact()
		}
		over.Store(true)
		done <- err
	}()
	reads := make(chan time.Duration, 1)
	go func() { reads <- spec.longestRead(s, &over) }()
	beside, err := spec.alone(s, func() bool { return !over.Load() })
	if failed := <-done; failed != nil {
		return nil, failed
	}
	if err != nil {
		return nil, err
	}
	return Figures{"p99 us before": before.P99, "p99 us beside": beside.P99, "p99 beside/before": beside.P99 / before.P99, "longest read us": float64((<-reads).Microseconds())}, nil
}

// alone is one writer, for as long as on says and at most spec.For.
func (spec Spec) alone(s peer.Store, on func() bool) (gate.Rate, error) {
	var took []time.Duration
	began := time.Now()
	for n, last := uint64(0), began; last.Sub(began) < spec.For && on(); n++ {
		if err := s.Put(spec.Key(n%uint64(spec.Keys)), Value(n)); err != nil {
			return gate.Rate{}, err
		}
		now := time.Now()
		took, last = append(took, now.Sub(last)), now
	}
	return gate.RateOf(took, time.Since(began)), nil
}

// longestRead reads until it is over.
func (spec Spec) longestRead(s peer.Store, over *atomic.Bool) (longest time.Duration) {
	for n := uint64(0); !over.Load(); n++ {
		began := time.Now()
		if _, err := s.Get(spec.Key(n % uint64(spec.Keys))); err != nil {
			return longest
		}
		longest = max(longest, time.Since(began))
	}
	return longest
}
