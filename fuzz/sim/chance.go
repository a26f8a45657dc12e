package sim

import (
	"encoding/binary"
	"hash/fnv"
	"math/rand/v2"
	"sync"
)

// chance is a stream of random numbers that is a function of its seed and name, so
// that one stream never moves another.
type chance struct{ *rand.Rand }

func newChance(seed uint64, name string) chance {
	return chance{rand.New(rand.NewPCG(seed, mix(name)))}
}

// mix returns a hash of some words.
func mix(words ...any) uint64 {
	h := fnv.New64a()
	for _, w := range words {
		switch w := w.(type) {
		case string:
			h.Write([]byte(w)) // a hash never fails to write
		case uint64:
			h.Write(binary.BigEndian.AppendUint64(nil, w))
		case int:
			h.Write(binary.BigEndian.AppendUint64(nil, uint64(w)))
		}
		h.Write([]byte{0})
	}
	x := h.Sum64()
	x ^= x >> 32 // FNV leaves much alike in its high bits
	x *= 0xd6e8feb86659fd93
	return x ^ x>>32
}

// shared returns the stream as a function that any goroutine may call.
func (c chance) shared() func() uint64 {
	var mu sync.Mutex // guards the stream
	return func() uint64 {
		mu.Lock()
		defer mu.Unlock()
		return c.Uint64()
	}
}

// one says yes once in n times.
func (c chance) one(n int) bool { return c.IntN(n) == 0 }

// between returns a number from a to b.
func (c chance) between(a, b int) int { return a + c.IntN(b-a+1) }

// pick returns one of a list.
func pick[T any](c chance, list ...T) T { return list[c.IntN(len(list))] }
