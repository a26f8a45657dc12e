package state

// remove takes a key out, if it is there.
func (e *Edit) remove(key []byte) {
	if _, _, found := e.now.find(key); !found {
		return
	}
	l := e.seek(key)
	pos, _ := l.find(&e.now.arena, key)
	dead := l.slots[pos].ref
	l.remove(pos, pos+1)
	e.now.kill(dead)
	e.grow(-1)
	if l.n < leafMin {
		e.settle()
	}
}

// settle joins nodes on the finger's path that have become small with a
// neighbour, from the leaf up, and lowers a root that has one kid.
func (e *Edit) settle() {
	if e.now.keys == 0 {
		e.empty()
		return
	}
	f := &e.finger
	f.leaf = nil
	e.joinLeaf(f.twig, f.i)
	for d := len(f.path) - 1; d >= 0; d-- {
		e.join(f.path[d].bough, f.path[d].i, len(f.path)-d)
	}
	e.lower()
}

// empty begins anew with no keys.
func (e *Edit) empty() {
	e.finger.leaf = nil
	e.now.tree = newTree(e.now.id)
}

// joinLeaf takes leaf i of t away where it is empty, and joins it with a neighbour
// where it is small and one has room.
func (e *Edit) joinLeaf(t *twig, i int) {
	switch {
	case t.counts[i] == 0:
		t.remove(i, i+1)
		e.lost(0, 1)
	case t.counts[i] < leafMin:
		if i > 0 && e.pairLeaves(t, i-1) {
			return
		}
		if i+1 < t.n {
			e.pairLeaves(t, i)
		}
	}
}

// pairLeaves makes one of leaves i and i+1, if one can hold both, and reports
// whether.
func (e *Edit) pairLeaves(t *twig, i int) bool {
	n := t.counts[i] + t.counts[i+1]
	if n > leafJoin {
		return false
	}
	t.kids[i] = joinedLeaf(&e.now.arena, t.kids[i], t.kids[i+1])
	t.counts[i] = n
	t.remove(i+1, i+2)
	e.lost(0, 1)
	return true
}

// join is joinLeaf for kid i of b, which has a height.
func (e *Edit) join(b *bough, i, height int) {
	switch {
	case b.counts[i] == 0:
		b.remove(i, i+1)
		e.lost(height, 1)
	case b.kids[i].size(height) < nodeMin:
		if i > 0 && e.pair(b, i-1, height) {
			return
		}
		if i+1 < b.n {
			e.pair(b, i, height)
		}
	}
}

// pair makes one of kids i and i+1 of b, if one can hold both, and reports whether.
func (e *Edit) pair(b *bough, i, height int) bool {
	left, right := &b.kids[i], b.kids[i+1]
	if left.size(height)+right.size(height) > nodeJoin {
		return false
	}
	if height == 1 {
		left.twig = joined(e.now.id, left.twig, right.twig, b.ix.names[i])
	} else {
		left.bough = joined(e.now.id, left.bough, right.bough, b.ix.names[i])
	}
	b.counts[i] += b.counts[i+1]
	b.remove(i+1, i+2)
	e.lost(height, 1)
	return true
}

// lower takes away roots that have one kid.
func (e *Edit) lower() {
	root := &e.now.root
	for e.now.height > 1 && root.bough.n == 1 {
		*root = root.bough.kids[0]
		e.lost(e.now.height, 1)
		e.now.height--
	}
}

// lost says that n nodes of a height are no longer in use.
func (e *Edit) lost(height, n int) {
	switch height {
	case 0:
		e.now.leaves -= n
	case 1:
		e.now.twigs -= n
	default:
		e.now.boughs -= n
	}
}
