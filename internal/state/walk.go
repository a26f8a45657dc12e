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
}

// walk visits every run of slots in the span, in order.
func (p *Picture) walk(s span, visit func(run) bool) {
	if !s.empty() {
		(&walker{&p.arena, visit}).up(p.root, p.height, s)
	}
}

// walkBack visits what walk visits, from the end.
func (p *Picture) walkBack(s span, visit func(run) bool) {
	if !s.empty() {
		(&walker{&p.arena, visit}).down(p.root, p.height, s)
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
		if !w.leaf(t.kids[i], s.at(i, first, last)) {
			return false
		}
	}
	return true
}

func (w *walker) leaf(l *leaf, s span) bool {
	lo, hi := s.slots(l, w.arena)
	return lo >= hi || w.visit(run{l, lo, hi})
}
