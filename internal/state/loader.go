package state

import (
	"fmt"
	"math"

	"github.com/vlogdb/vlog/internal/fault"
)

// Loader makes a picture of the blocks of an image (see Picture.Image) without
// inserting: entries are in order, so leaves are filled one behind the other. It
// belongs to one goroutine. The zero Loader is not valid.
type Loader struct {
	check check
	arena arena
	slots []slot   // of the next leaf; heads are not set yet
	keys  [][]byte // of slots
	last  []byte   // key of the leaf before
	under level[*leaf]
	err   error
}

// leafLoad and nodeLoad are how full nodes are made: a little room keeps the first
// inserts from splitting every node.
const (
	leafLoad = leafMax * 15 / 16
	nodeLoad = fanout * 15 / 16
)

// NewLoader returns a loader for an image made at a position.
func NewLoader(at Position) *Loader {
	return &Loader{check: check{at: at}, arena: newArena()}
}

// Add takes the next block of the image. The block becomes part of the picture,
// it must not be changed any more. A block that no picture at the loader's
// position could have yielded here is fault.ErrCorrupt; then the loader is of no
// more use.
func (l *Loader) Add(block []byte) error {
	if l.err == nil {
		l.err = l.add(block)
	}
	return l.err
}

func (l *Loader) add(block []byte) error {
	if len(block) == 0 {
		return nil
	}
	if uint64(len(block)) > math.MaxUint32 {
		return corrupt("a block of %d bytes", len(block))
	}
	slot := l.arena.add(&chunk{data: block, used: len(block)})
	l.arena.count(slot, len(block))
	for offset := 0; offset < len(block); {
		key, size, err := l.check.next(block[offset:])
		if err != nil {
			return err
		}
		l.entry(key, refOf(slot, offset))
		offset += size
	}
	return nil
}

func (l *Loader) entry(key []byte, r ref) {
	if len(l.keys) == leafLoad {
		l.flush()
	}
	l.slots = append(l.slots, slot{ref: r})
	l.keys = append(l.keys, key)
}

// flush ends a leaf.
func (l *Loader) flush() {
	first, last := l.keys[0], l.keys[len(l.keys)-1]
	skip := max(0, shared(first, last)-slack)
	for i, key := range l.keys {
		l.slots[i].head = headOf(key, skip)
	}
	if len(l.under.kids) > 0 {
		l.under.names = append(l.under.names, separator(l.last, first))
	}
	l.under.add(newLeaf(0, skip, l.slots), len(l.slots))
	l.last = last
	l.slots, l.keys = l.slots[:0], l.keys[:0]
}

// Picture returns the picture of all blocks. The loader must not be used behind
// that.
func (l *Loader) Picture() (*Picture, error) {
	if l.err != nil {
		return nil, l.err
	}
	l.err = corrupt("the image has been taken")
	if len(l.keys) > 0 {
		l.flush()
	}
	p := &Picture{position: l.check.at, arena: l.arena}
	p.tree = l.tree()
	return p, nil
}

// tree puts nodes above the leaves.
func (l *Loader) tree() tree {
	if len(l.under.kids) == 0 {
		return newTree(0)
	}
	t := tree{height: 1, leaves: len(l.under.kids)}
	level := raise(&l.under, func(n *twig) kid { return kid{twig: n} })
	t.twigs = len(level.kids)
	for len(level.kids) > 1 {
		level = raise(level, func(n *bough) kid { return kid{bough: n} })
		t.boughs += len(level.kids)
		t.height++
	}
	t.root, t.keys = level.kids[0], int(level.keys)
	return t
}

// level is nodes side by side, with their keys counted and the separators between.
type level[K comparable] struct {
	kids   []K
	counts []uint32
	names  []string
	keys   int
}

func (v *level[K]) add(k K, n int) {
	v.kids, v.counts = append(v.kids, k), append(v.counts, uint32(n))
	v.keys += n
}

// raise puts nodes above a level, evenly filled.
func raise[K comparable](v *level[K], wrap func(*node[K]) kid) *level[kid] {
	all, above := len(v.kids), &level[kid]{}
	groups := (all + nodeLoad - 1) / nodeLoad
	for g := range groups {
		lo, hi := g*all/groups, (g+1)*all/groups
		if g > 0 {
			above.names = append(above.names, v.names[lo-1])
		}
		n := newNode(0, v.kids[lo:hi], v.counts[lo:hi], v.names[lo:hi-1])
		above.add(wrap(n), n.total())
	}
	return above
}

func corrupt(format string, args ...any) error {
	return &fault.Error{Op: "load image", Err: fault.ErrCorrupt, Detail: fmt.Sprintf(format, args...)}
}
