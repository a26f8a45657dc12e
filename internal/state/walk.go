package state

// run is a part of a leaf: the slots from lo to before hi.
type run struct {
	leaf   *leaf
	lo, hi int
}

// walker visits the runs of a span; visit returns false to end it.
type walker struct {
	arena *arena
	visit func(run) bool
	seen  bool // one leaf was visited; many walks end there
}

// walk visits every run of slots in the span, in order.
func (p *Picture) walk(s span, visit func(run) bool) {
	if !s.empty() {
		(&walker{arena: &p.arena, visit: visit}).up(p.root, p.height, s)
	}
}

// walkBack visits what walk visits, from the end.
func (p *Picture) walkBack(s span, visit func(run) bool) {
	if !s.empty() {
		(&walker{arena: &p.arena, visit: visit}).down(p.root, p.height, s)
	}
}

func (w *walker) up(k kid, height int, s span) bool {
	if height == 1 {
		return w.upLeaves(k.twig, s)
	}
	first, last := s.kids(k.bough.ix, k.bough.n)
	for i := first; i <= last; i++ {
		if !w.up(k.bough.kids[i], height-1, s.at(i, first, last)) {
			return false
		}
	}
	return true
}

func (w *walker) upLeaves(t *twig, s span) bool {
	first, last := s.kids(t.ix, t.n)
	for i := first; i <= last; i++ {
		w.ahead(t.kids[i:last+1], i == first, 1)
		if !w.leaf(t.kids[i], s.at(i, first, last)) {
			return false
		}
	}
	return true
}

func (w *walker) down(k kid, height int, s span) bool {
	if height == 1 {
		return w.downLeaves(k.twig, s)
	}
	first, last := s.kids(k.bough.ix, k.bough.n)
	for i := last; i >= first; i-- {
		if !w.down(k.bough.kids[i], height-1, s.at(i, first, last)) {
			return false
		}
	}
	return true
}

func (w *walker) downLeaves(t *twig, s span) bool {
	first, last := s.kids(t.ix, t.n)
	for i := last; i >= first; i-- {
		w.ahead(t.kids[first:i+1], i == last, -1)
		if !w.leaf(t.kids[i], s.at(i, first, last)) {
			return false
		}
	}
	return true
}

// ahead asks for what a walk needs next: the entries of the leaf behind the one that is
// visited now, and the leaf behind that. It is visited first in its twig, or not: then
// nobody has asked for its own entries. Of the leaves that are left it is the first one,
// or going back the last.
func (w *walker) ahead(left []*leaf, first bool, step int) {
	if !w.seen {
		return
	}
	now := 0
	if step < 0 {
		now = len(left) - 1
	}
	if first {
		w.entries(left[now])
	}
	if len(left) > 1 {
		w.entries(left[now+step])
	}
	if len(left) > 2 {
		prefetchLeaf(left[now+2*step])
	}
}

// near is how far behind another an entry lies at most that is as good as next: there the
// processor looks ahead by itself.
const near = 4 << 10

// entries asks for the entries of a leaf, unless they lie one behind the other, as they do
// after loading.
func (w *walker) entries(l *leaf) {
	slots := l.slots[:l.n]
	if len(slots) < 2 || slots[1].ref-slots[0].ref < near {
		return
	}
	var at [leafMax]*byte
	for i, s := range slots {
		at[i] = &w.arena.at(s.ref)[0]
	}
	prefetchEntries(&at, len(slots))
}

func (w *walker) leaf(l *leaf, s span) bool {
	lo, hi := s.slots(l, w.arena)
	w.seen = true
	return lo >= hi || w.visit(run{l, lo, hi})
}
