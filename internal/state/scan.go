package state

import "iter"

// Ascend yields the entries with from <= key < to in order; a nil to means to the
// end. The picture does not change while it is ranged over, whoever writes.
func (p *Picture) Ascend(from, to []byte) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		p.walk(span{from, to}, func(r run) bool {
			for _, s := range r.leaf.slots[r.lo:r.hi] {
				if !yield(p.entry(s.ref)) {
					return false
				}
			}
			return true
		})
	}
}

// Descend yields what Ascend yields, from its end.
func (p *Picture) Descend(from, to []byte) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		p.walkBack(span{from, to}, func(r run) bool {
			for i := r.hi - 1; i >= r.lo; i-- {
				if !yield(p.entry(r.leaf.slots[i].ref)) {
					return false
				}
			}
			return true
		})
	}
}
