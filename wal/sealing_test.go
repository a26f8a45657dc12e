package wal

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/vlogdb/vlog/internal/vfs"
)

// TestReadWhileSealed lets the segment that is read be ended before each operation of
// whoever reads it from elsewhere: the zeros ahead of its frames go, and nothing else.
func TestReadWhileSealed(t *testing.T) {
	const last = 40
	for name, read := range map[string]func(vfs.FS) (Seq, error){
		"Cursor": func(fsys vfs.FS) (at Seq, err error) {
			c := NewCursor(home(fsys), last) // what it looks for first stands in the last window
			err = c.To(t.Context(), last, func(e Entry) error {
				at = e.Seq
				return nil
			})
			check(t, c.Close())
			return at, err
		},
		"ScanTo": func(fsys vfs.FS) (Seq, error) {
			seg, err := ScanTo(t.Context(), Place{FS: fsys, Name: Binary.SegmentName(1), Store: ours}, last, nil)
			if err != nil {
				return 0, err
			}
			return seg.Last, nil
		},
		"ReadEnds": func(fsys vfs.FS) (Seq, error) {
			e, err := ReadEnds(Place{FS: fsys, Name: Binary.SegmentName(1), Store: ours})
			return max(e.Last, last), err
		},
	} {
		for n := 1; ; n++ {
			ops, got, err := readWhileSealed(t, n, last, read)
			if err != nil || got != last {
				t.Errorf("%s, sealed before operation %d: at %v, %v", name, n, got, err)
			}
			if ops < n {
				break
			}
		}
	}
}

// readWhileSealed reads a segment of several windows, which is sealed before operation n.
func readWhileSealed(t *testing.T, n, last int, read func(vfs.FS) (Seq, error)) (ops int, got Seq, err error) {
	m := mem()
	opts := tiny(Binary)
	opts.SegmentSize, opts.Grow = 8<<20, 1<<20
	r := newRig(t, m, opts)
	for i := range last {
		r.put(fmt.Sprint(i) + strings.Repeat("x", 50<<10))
	}
	got, err = read(vfs.NewSlow(m.Reopen(), func(vfs.Op) time.Duration {
		if ops++; ops == n {
			check(t, r.Rotate(t.Context()))
		}
		return 0
	}))
	check(t, r.Close())
	return ops, got, err
}
