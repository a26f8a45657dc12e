package state

import "slices"

// fanout makes an inner node and its index 1,408 bytes each, one size class.
const (
	fanout    = 56
	innerMin  = fanout / 4
	innerJoin = fanout * 3 / 4
)

// inner is a node above leaves or other inner nodes.
type inner struct {
	owner uint64
	ix    *index
	n     int
	kids  [fanout]child
}

// child is a subtree: an inner node or a leaf, as its height says.
type child struct {
	in   *inner
	leaf *leaf
	n    int // keys below
}

func newInner(owner uint64, kids []child, names []string) *inner {
	in := &inner{owner: owner, ix: newIndex(names), n: len(kids)}
	copy(in.kids[:], kids)
	return in
}

func (in *inner) find(key []byte, known int) (int, int) {
	return in.ix.find(key, in.n-1, known)
}

func (in *inner) names() []string { return in.ix.names[:in.n-1] }

func (in *inner) total() int { return sum(in.kids[:in.n]) }

func sum(kids []child) int {
	n := 0
	for i := range kids {
		n += kids[i].n
	}
	return n
}

// insert puts c behind child i, with the separator between them.
func (in *inner) insert(i int, name string, c child) {
	in.ix = in.ix.insert(in.n-1, i, name)
	copy(in.kids[i+2:in.n+1], in.kids[i+1:in.n])
	in.kids[i+1] = c
	in.n++
}

// remove takes out the children from lo to before hi.
func (in *inner) remove(lo, hi int) {
	if lo == hi {
		return
	}
	names := slices.Clone(in.names())
	from := max(lo-1, 0)
	names = slices.Delete(names, from, min(from+hi-lo, len(names)))
	in.ix = newIndex(names)
	n := lo + copy(in.kids[lo:in.n], in.kids[hi:in.n])
	clear(in.kids[n:in.n])
	in.n = n
}

// split cuts the node before child cut and returns the rest as a new node, with
// the separator between the two.
func (in *inner) split(cut int) (*inner, string) {
	names := in.names()
	right := newInner(in.owner, in.kids[cut:in.n], names[cut:])
	name := names[cut-1]
	in.ix = newIndex(names[:cut-1])
	clear(in.kids[cut:in.n])
	in.n = cut
	return right, name
}
