// Package cost measures what a function allocates, for tests that say how much it may.
package cost

import (
	"runtime/metrics"
	"testing"
)

// Of returns how many bytes are allocated while fn runs, by whatever goroutine. Large
// allocations are counted to the byte, small ones by the page.
func Of(fn func()) uint64 {
	before := allocated()
	fn()
	return allocated() - before
}

// Within fails where fn allocates more than a limit, in bytes: so no single allocation
// was above it either.
func Within(t testing.TB, limit int, fn func()) {
	t.Helper()
	if got := Of(fn); got > uint64(limit) {
		t.Fatalf("%d bytes allocated, at most %d", got, limit)
	}
}

func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
