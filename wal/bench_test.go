package wal

import (
	"fmt"
	"testing"
)

// BenchmarkScan reads a segment of 10,000 batches under each codec.
func BenchmarkScan(b *testing.B) {
	for _, c := range []Codec{Binary, NDJSON} {
		b.Run(c.String(), func(b *testing.B) {
			opts := tiny(c)
			opts.SegmentSize = 1 << 30
			r := newRig(b, mem(), opts)
			for i := range 10_000 {
				check(b, r.add(written(fmt.Sprintf("users/%06d", i), `{"name":"Alice","age":31,"mail":"alice@example.com","tags":["a","b"]}`)))
			}
			check(b, r.Close())
			at := Place{r.fs, c.SegmentName(1), ours}
			seg, err := Scan(b.Context(), at, nil)
			check(b, err)
			b.SetBytes(seg.Size)
			for b.Loop() {
				_, err := Scan(b.Context(), at, nil)
				check(b, err)
			}
		})
	}
}
