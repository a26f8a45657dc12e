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
// neighbour, from the leaf up, and lowers a root that has one child.
func (e *Edit) settle() {
	path := e.finger.path
	e.finger.leaf = nil
	for d := len(path) - 1; d >= 0; d-- {
		if !e.join(path[d].in, path[d].i, len(path)-1-d) {
			break
		}
	}
	e.lower()
}

// join makes child i of in, which has a height, big enough. It reports whether in
// lost a child by that.
func (e *Edit) join(in *inner, i, height int) bool {
	c := &in.kids[i]
	if c.n == 0 {
		in.remove(i, i+1)
		e.lost(height, 1)
		return true
	}
	if size(c, height) >= minimum(height) {
		return false
	}
	return i > 0 && e.pair(in, i-1, height) || i+1 < in.n && e.pair(in, i, height)
}

// pair makes one of children i and i+1 of in, if one can hold both.
func (e *Edit) pair(in *inner, i, height int) bool {
	a, b := &in.kids[i], &in.kids[i+1]
	if height == 0 {
		if int(a.leaf.n+b.leaf.n) > leafJoin {
			return false
		}
		a.leaf = e.joinLeaves(a.leaf, b.leaf)
	} else {
		if a.in.n+b.in.n > innerJoin {
			return false
		}
		a.in = e.joinInners(a.in, b.in, in.ix.names[i])
	}
	a.n += b.n
	in.remove(i+1, i+2)
	e.lost(height, 1)
	return true
}

func (e *Edit) joinLeaves(left, right *leaf) *leaf {
	a := &e.now.arena
	slots := append(left.slots[:left.n:left.n], right.slots[:right.n]...)
	skip := shared(a.key(slots[0].ref), a.key(slots[len(slots)-1].ref)) - slack
	l := newLeaf(e.now.id, 0, slots)
	l.rebase(a, max(skip, 0))
	return l
}

func (e *Edit) joinInners(left, right *inner, name string) *inner {
	kids := append(left.kids[:left.n:left.n], right.kids[:right.n]...)
	names := append(left.ix.names[:left.n-1:left.n-1], name)
	return newInner(e.now.id, kids, append(names, right.names()...))
}

// lower takes away roots that have one child, or none.
func (e *Edit) lower() {
	root := &e.now.root
	for e.now.height > 0 && root.in.n == 1 {
		*root = root.in.kids[0]
		e.now.height--
		e.now.inners--
	}
	if root.n == 0 && e.now.height > 0 {
		*root = child{leaf: newLeaf(e.now.id, 0, nil)}
		e.now.height, e.now.inners, e.now.leaves = 0, 0, 1
	}
}

func (e *Edit) lost(height, n int) {
	if height == 0 {
		e.now.leaves -= n
	} else {
		e.now.inners -= n
	}
}

// size returns how many slots or children the node of c has.
func size(c *child, height int) int {
	if height == 0 {
		return int(c.leaf.n)
	}
	return c.in.n
}

func minimum(height int) int {
	if height == 0 {
		return leafMin
	}
	return innerMin
}
