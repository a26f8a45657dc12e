package cost

import "testing"

var kept []byte

// TestOf: what is allocated is counted, and what is not is not.
func TestOf(t *testing.T) {
	if got := Of(func() { kept = make([]byte, 1<<24) }); got < 1<<24 || got > 1<<25 {
		t.Errorf("16 MiB cost %d bytes", got)
	}
	if got := Of(func() {
		for range 1 << 20 {
			kept = make([]byte, 16)
		}
	}); got < 1<<23 || got > 1<<25 {
		t.Errorf("a million small allocations cost %d bytes", got)
	}
	Within(t, 1<<20, func() { kept = kept[:0] })
}
