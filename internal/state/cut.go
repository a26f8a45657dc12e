package state

// cut takes out all keys of a span. Subtrees that lie inside it are dropped as
// they are; only their entries are visited, to say that they are dead.
func (e *Edit) cut(s span) {
	e.finger.leaf = nil
	if e.now.Count(s.from, s.to) == 0 {
		return
	}
	e.trim(&e.now.root, e.now.height, s)
	e.lower()
	for _, edge := range [][]byte{s.from, s.to} {
		e.seek(edge)
		e.settle()
	}
}

// trim takes the span out of a subtree, which may have nothing left then.
func (e *Edit) trim(c *child, height int, s span) {
	if height == 0 {
		e.trimLeaf(c, s)
		return
	}
	in := e.inner(c)
	first, last := s.kids(in)
	e.trim(&in.kids[first], height-1, s.at(first, first, last))
	if first < last {
		e.trim(&in.kids[last], height-1, s.at(last, first, last))
	}
	e.prune(in, first, last, height-1)
	c.n = in.total()
}

func (e *Edit) trimLeaf(c *child, s span) {
	lo, hi := s.slots(c.leaf, &e.now.arena)
	if lo >= hi {
		return
	}
	l := e.leafOf(c)
	e.killRun(run{l, lo, hi})
	l.remove(lo, hi)
	c.n = int(l.n)
}

// prune takes out the children between first and last, and those two where they
// are empty. height is theirs.
func (e *Edit) prune(in *inner, first, last, height int) {
	for i := first + 1; i < last; i++ {
		e.discard(in.kids[i], height)
	}
	lo, hi := first+1, max(last, first+1)
	if in.kids[first].n == 0 {
		e.discard(in.kids[first], height)
		lo = first
	}
	if last > first && in.kids[last].n == 0 {
		e.discard(in.kids[last], height)
		hi = last + 1
	}
	in.remove(lo, hi)
}

// discard says that a subtree and its entries are no longer in use.
func (e *Edit) discard(c child, height int) {
	e.lost(height, 1)
	if height == 0 {
		e.killRun(run{c.leaf, 0, int(c.leaf.n)})
		return
	}
	for _, kid := range c.in.kids[:c.in.n] {
		e.discard(kid, height-1)
	}
}

func (e *Edit) killRun(r run) {
	for _, s := range r.leaf.slots[r.lo:r.hi] {
		e.now.kill(s.ref)
	}
}
