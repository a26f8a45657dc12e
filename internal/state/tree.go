package state

import "bytes"

// tree is the nodes of one version. height is how many inner nodes lie above a
// leaf; there is always a root, a leaf without keys where the map is empty.
type tree struct {
	root   child
	height int
	leaves int
	inners int
}

func newTree() tree {
	return tree{root: child{leaf: newLeaf(0, 0, nil)}, leaves: 1}
}

// find returns the leaf that key belongs to and where in it.
func (p *Picture) find(key []byte) (l *leaf, pos int, found bool) {
	c, known, i := &p.root, 0, 0
	for range p.height {
		i, known = c.in.find(key, known)
		c = &c.in.kids[i]
	}
	pos, found = c.leaf.find(&p.arena, key)
	return c.leaf, pos, found
}

// span is a part of the key order: from (nil: the first key) to before to (nil:
// the end).
type span struct{ from, to []byte }

// kids returns which children of in meet the span, first and last.
func (s span) kids(in *inner) (first, last int) {
	last = in.n - 1
	if s.from != nil {
		first, _ = in.find(s.from, 0)
	}
	if s.to != nil {
		last, _ = in.find(s.to, 0)
	}
	return first, last
}

// slots returns which slots of l are in the span.
func (s span) slots(l *leaf, a *arena) (lo, hi int) {
	hi = int(l.n)
	if s.from != nil && hi > 0 {
		lo, _, _ = l.place(a, s.from, 0)
	}
	if s.to != nil && hi > 0 {
		hi, _, _ = l.place(a, s.to, 0)
	}
	return lo, hi
}

// at returns what is left of the span for child i of those from first to last.
func (s span) at(i, first, last int) span {
	if i > first {
		s.from = nil
	}
	if i < last {
		s.to = nil
	}
	return s
}

func (s span) empty() bool { return s.to != nil && bytes.Compare(s.from, s.to) >= 0 }

// run is a part of a leaf: the slots from lo to before hi.
type run struct {
	leaf   *leaf
	lo, hi int
}

// climber visits the runs of a span; visit returns false to end it.
type climber struct {
	arena *arena
	visit func(run) bool
}

// walk visits every run of slots in the span, in order.
func (p *Picture) walk(s span, visit func(run) bool) {
	if !s.empty() {
		(&climber{&p.arena, visit}).up(p.root, p.height, s)
	}
}

// walkBack visits what walk visits, from the end.
func (p *Picture) walkBack(s span, visit func(run) bool) {
	if !s.empty() {
		(&climber{&p.arena, visit}).down(p.root, p.height, s)
	}
}

func (w *climber) up(c child, height int, s span) bool {
	if height == 0 {
		return w.leaf(c.leaf, s)
	}
	first, last := s.kids(c.in)
	for i := first; i <= last; i++ {
		if !w.up(c.in.kids[i], height-1, s.at(i, first, last)) {
			return false
		}
	}
	return true
}

func (w *climber) down(c child, height int, s span) bool {
	if height == 0 {
		return w.leaf(c.leaf, s)
	}
	first, last := s.kids(c.in)
	for i := last; i >= first; i-- {
		if !w.down(c.in.kids[i], height-1, s.at(i, first, last)) {
			return false
		}
	}
	return true
}

func (w *climber) leaf(l *leaf, s span) bool {
	lo, hi := s.slots(l, w.arena)
	return lo >= hi || w.visit(run{l, lo, hi})
}
