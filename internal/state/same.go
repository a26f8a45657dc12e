package state

import "bytes"

// Same reports whether two pictures hold the same keys with the same seqs in a
// range (see Ascend): what was read in one is what would be read in the other.
// Subtrees that both have cost nothing.
func Same(a, b *Picture, from, to []byte) bool {
	left := a.Count(from, to)
	if left != b.Count(from, to) || !sameHot(a, b, span{from, to}) {
		return false
	}
	x, y := newCursor(a, from), newCursor(b, from)
	for left > 0 {
		n, same := meet(x, y, left)
		if !same {
			return false
		}
		left -= n
	}
	return true
}

// sameHot compares what may differ between pictures though they share the leaf: the
// entry of the writer that is hot. Where they share its leaf, it is hot in both, so
// to look from one of them is enough.
func sameHot(a, b *Picture, s span) bool {
	if a.hot == hotless || !s.has(a.key(hotRef)) {
		return true
	}
	x := a.entry(hotRef)
	y, _ := b.Get(x.Key)
	return x.Seq == y.Seq
}

// meet goes over what comes next in both cursors, if only to look into a node,
// and returns how many keys it passed and whether they are the same.
func meet(x, y *cursor, left int) (n int, same bool) {
	if x.top == y.top && x.pos == y.pos {
		n = x.n - x.pos
		x.next()
		y.next()
		return n, true
	}
	if h := max(x.height, y.height); h > 0 {
		x.enter(h)
		y.enter(h)
		return 0, true
	}
	n = min(x.rest(), y.rest(), left)
	same = sameRun(x, y, n)
	x.skip(n)
	y.skip(n)
	return n, same
}

// sameRun compares the next n entries of two leaves.
func sameRun(x, y *cursor, n int) bool {
	for i := range n {
		r, s := x.in.real(x.top.leaf.slots[x.pos+i].ref), y.in.real(y.top.leaf.slots[y.pos+i].ref)
		if r.offset() == s.offset() && x.in.chunks[r.slot()] == y.in.chunks[s.slot()] {
			continue
		}
		e, f := x.in.entry(r), y.in.entry(s)
		if e.Seq != f.Seq || !bytes.Equal(e.Key, f.Key) {
			return false
		}
	}
	return true
}
