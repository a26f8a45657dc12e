package state

import "slices"

// fanout makes a twig 704 bytes, a bough 1,152 and an index 1,408: size classes of
// the allocator with next to nothing left over.
const (
	fanout   = 56
	nodeMin  = fanout / 4     // below, a node looks for a neighbour to join
	nodeJoin = fanout * 3 / 4 // what joining may fill
)

// node is what stands above leaves. Counts say how many keys each kid has; that
// many, 32 bits, would not fit into memory.
type node[K comparable] struct {
	owner  uint64
	ix     *index
	n      int
	counts [fanout]uint32
	kids   [fanout]K
}

// twig is a node right above leaves, bough any higher one. They are two types so
// that a twig, which every change copies, has one word for a kid.
type (
	twig  = node[*leaf]
	bough = node[kid]
)

// kid is a child of a bough: a twig where the bough's height is 2, else a bough.
type kid struct {
	twig  *twig
	bough *bough
}

func newNode[K comparable](owner uint64, kids []K, counts []uint32, names []string) *node[K] {
	b := &node[K]{owner: owner, ix: newIndex(names), n: len(kids)}
	copy(b.kids[:], kids)
	copy(b.counts[:], counts)
	return b
}

// find returns the kid that key belongs to, see index.find.
func (b *node[K]) find(key []byte, known int) int { return b.ix.find(key, b.n-1, known) }

func (b *node[K]) share(i, known int) int { return b.ix.share(i, b.n-1, known) }

func (b *node[K]) names() []string { return b.ix.names[:b.n-1] }

func (b *node[K]) total() int { return b.before(b.n) }

// before returns how many keys are below the kids before kid i.
func (b *node[K]) before(i int) int {
	n := 0
	for _, c := range b.counts[:i] {
		n += int(c)
	}
	return n
}

func (b *node[K]) grow(i, n int) { b.counts[i] = uint32(int(b.counts[i]) + n) }

// insert puts a kid of n keys behind kid i, with the separator between them.
func (b *node[K]) insert(i int, name string, k K, n int) {
	b.ix = b.ix.insert(b.n-1, i, name)
	copy(b.kids[i+2:b.n+1], b.kids[i+1:b.n])
	copy(b.counts[i+2:b.n+1], b.counts[i+1:b.n])
	b.kids[i+1], b.counts[i+1] = k, uint32(n)
	b.n++
}

// remove takes out the kids from lo to before hi.
func (b *node[K]) remove(lo, hi int) {
	if lo >= hi {
		return
	}
	names := slices.Clone(b.names())
	from := max(lo-1, 0)
	b.ix = newIndex(slices.Delete(names, from, min(from+hi-lo, len(names))))
	n := lo + copy(b.kids[lo:b.n], b.kids[hi:b.n])
	copy(b.counts[lo:b.n], b.counts[hi:b.n])
	b.clear(n)
}

// prune takes out the kids between first and last, and those two where they have
// no keys.
func (b *node[K]) prune(first, last int) {
	lo, hi := first+1, last
	if b.counts[first] == 0 {
		lo = first
	}
	if b.counts[last] == 0 {
		hi = last + 1
	}
	b.remove(lo, hi)
}

// clear cuts the node to n kids; its index is not touched.
func (b *node[K]) clear(n int) {
	clear(b.kids[n:b.n])
	clear(b.counts[n:b.n])
	b.n = n
}

// graft puts a kid, whose n keys came out of kid i, behind kid i. Where b was full,
// it returns the new node that took a part of it, and the separator between.
func (b *node[K]) graft(i int, name string, k K, n int) (right *node[K], between string) {
	b.grow(i, -n)
	at := b
	if b.n == fanout {
		right, between, at, i = b.split(i)
	}
	at.insert(i, name, k, n)
	return right, between
}

// split cuts a full node in two to make room behind kid i, and returns the new
// node, the separator between the two, and where kid i now is. Keys that come in
// order leave full nodes behind.
func (b *node[K]) split(i int) (right *node[K], name string, at *node[K], j int) {
	cut := b.n / 2
	if i == b.n-1 {
		cut = i
	}
	names := b.names()
	right = newNode(b.owner, b.kids[cut:b.n], b.counts[cut:b.n], names[cut:])
	b.ix = newIndex(names[:cut-1])
	b.clear(cut)
	if i >= cut {
		return right, names[cut-1], right, i - cut
	}
	return right, names[cut-1], b, i
}

// joined returns a node with the kids of both.
func joined[K comparable](owner uint64, left, right *node[K], name string) *node[K] {
	names := append(slices.Clone(left.names()), name)
	b := newNode(owner, left.kids[:left.n], left.counts[:left.n], append(names, right.names()...))
	copy(b.kids[left.n:], right.kids[:right.n])
	copy(b.counts[left.n:], right.counts[:right.n])
	b.n += right.n
	return b
}

// size returns how many kids the node of k has.
func (k kid) size(height int) int {
	if height == 1 {
		return k.twig.n
	}
	return k.bough.n
}

func (k kid) total(height int) int {
	if height == 1 {
		return k.twig.total()
	}
	return k.bough.total()
}
