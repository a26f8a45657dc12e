package work

import "github.com/vlogdb/vlog/bench/peer"

// Growth is W1 and W3 in a store that has keys already: whether the figures fall as it
// grows.
func Growth(s peer.Store, spec Spec) (Figures, error) {
	if _, err := Load(s, spec); err != nil {
		return nil, err
	}
	d := newDice(1)
	ns, err := spec.reads(s, 1, func(uint64) func() uint64 { return func() uint64 { return d.Uint64N(uint64(spec.Keys)) } })
	if err != nil {
		return nil, err
	}
	put := spec
	put.from = int64(spec.Keys)
	r, err := put.run(s)
	return Figures{"puts/s": r.all.PerSecond, "p99 us": r.all.P99, "read uniform 1g ns": ns}, err
}
