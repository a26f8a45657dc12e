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
	l.clear(0)
	l.n = uint16(copy(l.slots[:], all[:cut]))
	name := e.separator(l, right)
	e.tighten(l, name)
	e.tighten(right, name)
	e.now.leaves++
	e.graft(len(e.finger.path), name, child{leaf: right, n: int(right.n)})
	e.finger.leaf = nil
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

// graft puts a subtree, whose keys came out of the child at depth on the path,
// behind that child. Depth 0 is the root.
func (e *Edit) graft(depth int, name string, c child) {
	if depth == 0 {
		e.raise(name, c)
		return
	}
	in, i := e.finger.path[depth-1].in, e.finger.path[depth-1].i
	in.kids[i].n -= c.n
	if in.n == fanout {
		in, i = e.splitInner(depth-1, c.n)
	}
	in.insert(i, name, c)
}

// raise makes a new root above the old one and c.
func (e *Edit) raise(name string, c child) {
	old := e.now.root
	old.n -= c.n
	in := newInner(e.now.id, []child{old, c}, []string{name})
	e.now.root = child{in: in, n: old.n + c.n}
	e.now.height++
	e.now.inners++
}

// splitInner halves the full node at depth of the path and returns where the
// child on the path now is. more is how many keys that half is about to get.
func (e *Edit) splitInner(depth, more int) (*inner, int) {
	in, i := e.finger.path[depth].in, e.finger.path[depth].i
	cut := in.n / 2
	if i == in.n-1 {
		cut = i // keys come in order: leave a full node behind
	}
	right, name := in.split(cut)
	e.now.inners++
	c := child{in: right, n: right.total()}
	if i >= cut {
		c.n += more
	}
	e.graft(depth, name, c)
	if i >= cut {
		return right, i - cut
	}
	return in, i
}
