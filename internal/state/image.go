package state

import "iter"

// Image yields the bytes of all entries in key order, cut between entries into
// blocks of at most blockSize bytes; an entry above that is a block alone. The
// yielded slice is only valid until the next one and must not be changed. The
// same map gives the same bytes, however it came about.
func (p *Picture) Image(blockSize int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		b := block{size: blockSize, yield: yield}
		p.walk(span{}, func(r run) bool {
			for _, s := range r.leaf.slots[r.lo:r.hi] {
				if !b.add(p.raw(s.ref)) {
					return false
				}
			}
			return true
		})
		b.flush()
	}
}

// block gathers entries until they fill it.
type block struct {
	size  int
	buf   []byte
	ended bool
	yield func([]byte) bool
}

// add reports whether to go on.
func (b *block) add(raw []byte) bool {
	if len(b.buf)+len(raw) > b.size && !b.flush() {
		return false
	}
	b.buf = append(b.buf, raw...)
	return true
}

func (b *block) flush() bool {
	if !b.ended && len(b.buf) > 0 {
		b.ended = !b.yield(b.buf)
		b.buf = b.buf[:0]
	}
	return !b.ended
}
