package state

import "iter"

// Ascend yields the entries with from <= key < to in order; a nil to means to the
// end. The picture does not change while it is ranged over, whoever writes.
func (p *Picture) Ascend(from, to []byte) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		var warm warmer
		p.walk(span{from, to}, func(r run) bool {
			warm.run(&p.arena, r)
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
		var warm warmer
		p.walkBack(span{from, to}, func(r run) bool {
			warm.run(&p.arena, r)
			for i := r.hi - 1; i >= r.lo; i-- {
				if !yield(p.entry(r.leaf.slots[i].ref)) {
					return false
				}
			}
			return true
		})
	}
}

// warmer touches the entries of a leaf all at once before they are read one by
// one: a scan then waits for memory once for many entries. The first leaf is left
// alone, since many scans end there, and so are entries that lie one behind the
// other, as they do after loading: there the processor looks ahead by itself.
type warmer struct {
	runs int
	sum  byte // keeps the loads from being optimized away
}

func (w *warmer) run(a *arena, r run) {
	w.runs++
	slots := r.leaf.slots[r.lo:r.hi]
	if w.runs == 1 || len(slots) < 2 || slots[1].ref-slots[0].ref < near {
		return
	}
	for _, s := range slots {
		w.sum += a.at(s.ref)[0]
	}
}

// near is how far behind another an entry lies at most that is as good as next.
const near = 4 << 10
