package state

import (
	"encoding/binary"
	"math/bits"
)

// slack is how many shared bytes a node leaves in its heads instead of skipping
// them. The next key then rarely shortens what is skipped, and a descent rarely
// has to check what was skipped: fences above share nearly as much.
const slack = 2

// none fills heads that are not in use: no head is above it.
const none = ^uint64(0)

// headOf returns the eight bytes of key behind skip as a big-endian number,
// filled up with zeros. Of two keys that share skip bytes, the one with the
// smaller head is smaller; equal heads decide nothing.
func headOf[K string | []byte](key K, skip int) uint64 {
	if len(key) >= skip+8 {
		b := key[skip : skip+8]
		return uint64(b[7]) | uint64(b[6])<<8 | uint64(b[5])<<16 | uint64(b[4])<<24 |
			uint64(b[3])<<32 | uint64(b[2])<<40 | uint64(b[1])<<48 | uint64(b[0])<<56
	}
	return shortHead(key, skip)
}

func shortHead[K string | []byte](key K, skip int) uint64 {
	var b [8]byte
	if skip < len(key) {
		copy(b[:], key[skip:])
	}
	return binary.BigEndian.Uint64(b[:])
}

// sharedHead returns how many leading bytes two heads have in common.
func sharedHead(a, b uint64) int {
	return bits.LeadingZeros64(a^b) / 8
}

// shared returns how many leading bytes a and b have in common.
func shared[A, B string | []byte](a A, b B) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// less returns 1 where a < b, else 0, without a branch.
func less(a, b uint64) int {
	_, borrow := bits.Sub64(a, b, 0)
	return int(borrow)
}
