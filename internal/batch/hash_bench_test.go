package batch

import "testing"

// BenchmarkHash is what a batch of one small put costs in hashing.
func BenchmarkHash(b *testing.B) {
	p := make([]byte, 150)
	b.Run("batch", func(b *testing.B) {
		for b.Loop() {
			Hash(p)
		}
	})
	var c Chain
	var d Digest
	b.Run("chain", func(b *testing.B) {
		for b.Loop() {
			c = c.Next(d)
		}
	})
}
