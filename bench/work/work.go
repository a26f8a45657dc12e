// Package work does to a peer what users do: the workloads that numbers are given for.
package work

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/vlogdb/vlog/bench/peer"
)

// ValueSize is how long each value is, in bytes.
const ValueSize = 100

// Spec says what is to be done to which peer.
type Spec struct {
	Peer    string        `json:"peer"`
	Work    string        `json:"work"` // put, million, mixed, rewrite, beside, growth, open
	Writers int           `json:"writers,omitempty"`
	Delay   time.Duration `json:"delay,omitempty"`
	Keys    int           `json:"keys,omitempty"`
	Prefix  string        `json:"prefix,omitempty"` // shared by all keys
	Reads   int           `json:"reads,omitempty"`  // of a hundred operations
	For     time.Duration `json:"for,omitempty"`
	Dir     string        `json:"-"`

	from int64 // the number of the first key that put puts, less one
}

// Figures are what was measured, by name: the unit is the end of the name.
type Figures map[string]float64

// Key returns the nth key: 16 bytes that spread over the whole space, behind the prefix.
func (s *Spec) Key(n uint64) []byte {
	key := make([]byte, 0, len(s.Prefix)+16)
	key = append(key, s.Prefix...)
	key = binary.BigEndian.AppendUint64(key, n*0x9e3779b97f4a7c15)
	return binary.BigEndian.AppendUint64(key, n)
}

// Value returns the value of the nth key: bytes that do not compress to nothing.
func Value(n uint64) []byte {
	v := make([]byte, ValueSize)
	r := rand.NewPCG(n, 1)
	for i := 0; i+8 <= len(v); i += 8 {
		binary.LittleEndian.PutUint64(v[i:], r.Uint64())
	}
	return v
}

// txPuts is how many pairs one large transaction has.
const txPuts = 1000

// pairs returns the pairs from the nth on.
func (s *Spec) pairs(n, many int) []peer.Pair {
	all := make([]peer.Pair, many)
	for i := range all {
		all[i] = peer.Pair{Key: s.Key(uint64(n + i)), Value: Value(uint64(n + i))}
	}
	return all
}
