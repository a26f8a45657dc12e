package state

// cut takes out all keys of a span. Subtrees that lie inside it are dropped as
// they are; only their entries are visited, to say that they are dead.
func (e *Edit) cut(s span) {
	n := e.now.Count(s.from, s.to)
	if n == 0 {
		return
	}
	e.trim(&e.now.root, e.now.height, s)
	e.now.keys -= n
	if e.now.keys == 0 {
		e.empty()
		return
	}
	e.heal(s)
}

// heal joins what a cut left small on both its sides. Nodes that were joined have
// small kids side by side, and one side may make room for the other, so it goes on
// for as long as that makes nodes fewer.
func (e *Edit) heal(s span) {
	for before := 0; before != e.now.nodes(); {
		before = e.now.nodes()
		for _, edge := range [][]byte{s.from, s.to} {
			e.finger.leaf = nil
			e.seek(edge)
			e.settle()
		}
	}
}

// trim takes the span out of a subtree, which may have no keys left then.
func (e *Edit) trim(k *kid, height int, s span) {
	if height == 1 {
		e.trimTwig(e.twig(k), s)
		return
	}
	b := e.bough(k)
	first, last := s.kids(b.ix, b.n)
	for i := first; i <= last; i++ {
		if first < i && i < last {
			e.discard(b.kids[i], height-1)
			continue
		}
		e.trim(&b.kids[i], height-1, s.at(i, first, last))
		b.counts[i] = uint32(b.kids[i].total(height - 1))
		if b.counts[i] == 0 {
			e.lost(height-1, 1)
		}
	}
	b.prune(first, last)
}

func (e *Edit) trimTwig(t *twig, s span) {
	first, last := s.kids(t.ix, t.n)
	for i := first; i <= last; i++ {
		lo, hi := s.at(i, first, last).slots(t.kids[i], &e.now.arena)
		if lo < hi {
			e.trimLeaf(t, i, run{t.kids[i], lo, hi})
		}
	}
	t.prune(first, last)
}

// trimLeaf takes a run out of leaf i. A leaf that has no keys then is given up.
func (e *Edit) trimLeaf(t *twig, i int, r run) {
	e.killRun(r)
	t.grow(i, r.lo-r.hi)
	if t.counts[i] == 0 {
		e.lost(0, 1)
		return
	}
	e.leaf(&t.kids[i]).remove(r.lo, r.hi)
}

// discard says that a subtree and its entries are no longer in use.
func (e *Edit) discard(k kid, height int) {
	e.lost(height, 1)
	if height > 1 {
		for _, k := range k.bough.kids[:k.bough.n] {
			e.discard(k, height-1)
		}
		return
	}
	for _, l := range k.twig.kids[:k.twig.n] {
		e.lost(0, 1)
		e.killRun(run{l, 0, int(l.n)})
	}
}

func (e *Edit) killRun(r run) {
	for _, s := range r.leaf.slots[r.lo:r.hi] {
		e.now.kill(s.ref)
	}
}
