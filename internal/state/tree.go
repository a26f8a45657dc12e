package state

import "bytes"

// tree is the nodes of one version. Its height is how many nodes are above a
// leaf, at least one; where the map is empty, the root is a twig with one leaf
// without keys.
type tree struct {
	root   kid
	height int
	keys   int
	leaves int
	twigs  int
	boughs int
}

func newTree(owner uint64) tree {
	kids, counts := []*leaf{newLeaf(owner, 0, nil)}, []uint32{0}
	return tree{root: kid{twig: newNode(owner, kids, counts, nil)}, height: 1, leaves: 1, twigs: 1}
}

func (t *tree) nodes() int { return t.leaves + t.twigs + t.boughs }

// find returns the leaf that key belongs to and where in it.
func (p *Picture) find(key []byte) (l *leaf, pos int, found bool) {
	k, known := &p.root, 0
	for h := p.height; h > 1; h-- {
		b := k.bough
		i := b.find(key, known)
		known = b.share(i, known)
		k = &b.kids[i]
	}
	l = k.twig.kids[k.twig.find(key, known)]
	pos, found = l.find(&p.arena, key)
	return l, pos, found
}

// Len returns how many keys there are.
func (p *Picture) Len() int { return p.keys }

// Count returns how many keys there are with from <= key < to; a nil to means to
// the end. It costs about as much as two lookups.
func (p *Picture) Count(from, to []byte) int {
	n := p.keys
	if to != nil {
		n = p.rankOf(to)
	}
	if from != nil {
		n -= p.rankOf(from)
	}
	return max(n, 0)
}

// rankOf returns how many keys are below key.
func (p *Picture) rankOf(key []byte) int {
	n, k := 0, &p.root
	for h := p.height; h > 1; h-- {
		b := k.bough
		i := b.find(key, 0)
		n += b.before(i)
		k = &b.kids[i]
	}
	i := k.twig.find(key, 0)
	lo, _ := span{from: key}.slots(k.twig.kids[i], &p.arena)
	return n + k.twig.before(i) + lo
}

// span is a part of the key order: from (nil: the first key) to before to (nil:
// the end).
type span struct{ from, to []byte }

func (s span) empty() bool { return s.to != nil && bytes.Compare(s.from, s.to) >= 0 }

func (s span) has(key []byte) bool {
	return bytes.Compare(s.from, key) <= 0 && (s.to == nil || bytes.Compare(key, s.to) < 0)
}

// kids returns which kids of a node with this index and size meet the span.
func (s span) kids(x *index, n int) (first, last int) {
	last = n - 1
	if s.from != nil {
		first = x.find(s.from, n-1, 0)
	}
	if s.to != nil {
		last = x.find(s.to, n-1, 0)
	}
	return first, last
}

// slots returns which slots of l are in the span.
func (s span) slots(l *leaf, a *arena) (lo, hi int) {
	hi = int(l.n)
	if s.from != nil {
		lo, _, _ = l.place(a, s.from, 0)
	}
	if s.to != nil {
		hi, _, _ = l.place(a, s.to, 0)
	}
	return lo, hi
}

// at returns what is left of the span for kid i of those from first to last.
func (s span) at(i, first, last int) span {
	if i > first {
		s.from = nil
	}
	if i < last {
		s.to = nil
	}
	return s
}
