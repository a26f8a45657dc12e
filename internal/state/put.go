package state

import "encoding/binary"

// put sets a key.
func (e *Edit) put(entry Entry) {
	a := &e.now.arena
	l := e.seek(entry.Key)
	pos, found, share := l.place(a, entry.Key, e.finger.known)
	r := a.write(entry)
	if found {
		old := l.slots[pos].ref
		l.slots[pos].ref = r
		a.kill(old)
		return
	}
	if share < int(l.skip) {
		l.rebase(a, share)
	}
	e.grow(1)
	s := slot{headOf(entry.Key, int(l.skip)), r}
	if int(l.n) < leafMax {
		l.insert(pos, s)
		return
	}
	e.split(pos, s)
}

// split makes two leaves of the full one under the finger and a slot at pos. Keys
// that come in order fill leaves: where the new one is last, or first, it gets a
// leaf of its own.
func (e *Edit) split(pos int, s slot) {
	l := e.finger.leaf
	var all [leafMax + 1]slot
	copy(all[:], l.slots[:pos])
	all[pos] = s
	copy(all[pos+1:], l.slots[pos:])
	cut := len(all) / 2
	if pos == 0 || pos == leafMax {
		cut = max(pos, 1)
	}
	right := newLeaf(e.now.id, int(l.skip), all[cut:])
	copy(l.slots[:cut], all[:cut])
	l.clear(cut)
	name := e.separator(l, right)
	e.tighten(l, name)
	e.tighten(right, name)
	e.now.leaves++
	e.graftLeaf(name, right)
}

// tighten makes a leaf skip more after a split at name. One that has a single key
// skips what its neighbour shares: that is what keys in order will share. Heads
// are padded with zeros, so what they share may be longer than the key.
func (e *Edit) tighten(l *leaf, name string) {
	a := &e.now.arena
	if l.n != 1 {
		l.tighten(a)
		return
	}
	if skip := min(len(name)-1-slack, len(a.key(l.slots[0].ref))); skip > int(l.skip) {
		l.rebase(a, skip)
	}
}

// separator returns the shortest start of right's first key that is above left's
// last one. Both skip the same, which the finger's key also shares; so most often
// heads suffice and no entry is looked at.
func (e *Edit) separator(left, right *leaf) string {
	a, b := left.slots[left.n-1], right.slots[0]
	if a.head == b.head {
		return separator(e.now.key(a.ref), e.now.key(b.ref))
	}
	var head [8]byte
	binary.BigEndian.PutUint64(head[:], b.head)
	return string(e.finger.key[:left.skip]) + string(head[:sharedHead(a.head, b.head)+1])
}

func separator(last, first []byte) string {
	return string(first[:shared(last, first)+1])
}

// graftLeaf puts a leaf, whose keys came out of the leaf under the finger, behind
// that. Nodes that are full give half to a neighbour, up to the root.
func (e *Edit) graftLeaf(name string, l *leaf) {
	f := &e.finger
	f.leaf = nil
	right, name := f.twig.graft(f.i, name, l, int(l.n))
	if right == nil {
		return
	}
	e.now.twigs++
	k, n := kid{twig: right}, right.total()
	for d := len(f.path) - 1; d >= 0; d-- {
		right, between := f.path[d].bough.graft(f.path[d].i, name, k, n)
		if right == nil {
			return
		}
		e.now.boughs++
		k, n, name = kid{bough: right}, right.total(), between
	}
	e.raise(name, k, n)
}

// raise makes a new root above the old one and k, whose n keys came out of it.
func (e *Edit) raise(name string, k kid, n int) {
	t := &e.now.tree
	kids, counts := []kid{t.root, k}, []uint32{uint32(t.keys - n), uint32(n)}
	t.root = kid{bough: newNode(e.now.id, kids, counts, []string{name})}
	t.height++
	t.boughs++
}
