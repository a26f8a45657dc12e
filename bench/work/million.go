package work

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"github.com/vlogdb/vlog/bench/peer"
)

func newDice(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 2)) }

// zipf asks for few keys often: the exponent is 1.1.
func zipf(seed uint64, keys int) *rand.Zipf {
	return rand.NewZipf(rand.New(rand.NewPCG(seed, 3)), 1.1, 1, uint64(keys-1))
}

// Load is W2: all keys in durable transactions of a thousand.
func Load(s peer.Store, spec Spec) (Figures, error) {
	var busy time.Duration
	for n := 0; n < spec.Keys; n += txPuts {
		pairs := spec.pairs(n, min(txPuts, spec.Keys-n)) // making them is not the peer's work
		began := time.Now()
		if err := s.PutAll(pairs); err != nil {
			return nil, err
		}
		busy += time.Since(began)
	}
	return Figures{"load puts/s": float64(spec.Keys) / busy.Seconds()}, peer.Settle(s)
}

// readsEach is how many reads one figure is made of.
const readsEach = 1_000_000

// Read is W3: point reads by one and by two goroutines, all keys alike and some liked.
func Read(s peer.Store, spec Spec) (Figures, error) {
	all := Figures{}
	for _, goroutines := range []int{1, 2} {
		for name, pick := range map[string]func(uint64) func() uint64{
			"uniform": func(seed uint64) func() uint64 {
				d := newDice(seed)
				return func() uint64 { return d.Uint64N(uint64(spec.Keys)) }
			},
			"zipf": func(seed uint64) func() uint64 { return zipf(seed, spec.Keys).Uint64 },
		} {
			ns, err := spec.reads(s, goroutines, pick)
			if err != nil {
				return nil, err
			}
			all[fmt.Sprintf("read %s %dg ns", name, goroutines)] = ns
		}
	}
	return all, nil
}

// reads returns how long a read took, on the wall, over all goroutines.
func (spec Spec) reads(s peer.Store, goroutines int, pick func(seed uint64) func() uint64) (float64, error) {
	keys := make([][][]byte, goroutines) // made before: the peer is measured
	for g := range keys {
		next := pick(uint64(g))
		keys[g] = make([][]byte, readsEach/goroutines)
		for i := range keys[g] {
			keys[g][i] = spec.Key(next())
		}
	}
	errs := make([]error, goroutines)
	runtime.GC()
	var wg sync.WaitGroup
	began := time.Now()
	for g := range keys {
		wg.Go(func() { errs[g] = readAll(s, keys[g]) })
	}
	wg.Wait()
	d := time.Since(began)
	for _, err := range errs {
		if err != nil {
			return 0, err
		}
	}
	return float64(d.Nanoseconds()) / readsEach, nil
}

func readAll(s peer.Store, keys [][]byte) error {
	for _, k := range keys {
		v, err := s.Get(k)
		if err != nil {
			return err
		}
		if len(v) != ValueSize {
			return fmt.Errorf("a value of %d bytes", len(v))
		}
	}
	return nil
}

// scans is how often the map is scanned for one figure; the first warms what is cached.
const scans = 3

// Scan is W4: all keys in order.
func Scan(s peer.Store, spec Spec) (Figures, error) {
	best := time.Duration(0)
	for range scans {
		n, bytes := 0, 0
		began := time.Now()
		err := s.Scan(func(_, v []byte) error {
			n++
			bytes += len(v)
			return nil
		})
		if err == nil && (n != spec.Keys || bytes != n*ValueSize) {
			err = fmt.Errorf("scanned %d keys, there are %d", n, spec.Keys)
		}
		if err != nil {
			return nil, err
		}
		if d := time.Since(began); best == 0 || d < best {
			best = d
		}
	}
	return Figures{"scan keys/s": float64(spec.Keys) / best.Seconds()}, nil
}

// Heap is W8 in memory: what the Go heap holds once garbage is gone.
func Heap() Figures {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return Figures{"heap MB": float64(m.HeapAlloc) / 1e6}
}
