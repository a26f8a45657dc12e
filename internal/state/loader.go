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
	leaf  leaf     // being filled; its heads are not set yet
	keys  [][]byte // of leaf
	last  []byte   // of the leaf before
	kids  []child
	names []string // between kids
	err   error
}

// leafLoad and innerLoad are how full nodes are made: a little room keeps the first
// inserts from splitting every node.
const (
	leafLoad  = leafMax * 15 / 16
	innerLoad = fanout * 15 / 16
)

// NewLoader returns a loader for an image made at a position.
func NewLoader(at Position) *Loader {
	l := &Loader{check: check{at: at}, arena: newArena()}
	l.keys = make([][]byte, 0, leafLoad)
	return l
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
	l.leaf.slots[len(l.keys)].ref = r
	l.keys = append(l.keys, key)
}

// flush ends a leaf.
func (l *Loader) flush() {
	n := len(l.keys)
	first, last := l.keys[0], l.keys[n-1]
	skip := max(0, shared(first, last)-slack)
	for i, key := range l.keys {
		l.leaf.slots[i].head = headOf(key, skip)
	}
	if len(l.kids) > 0 {
		l.names = append(l.names, separator(l.last, first))
	}
	l.kids = append(l.kids, child{leaf: newLeaf(0, skip, l.leaf.slots[:n]), n: n})
	l.last = last
	l.keys = l.keys[:0]
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

// tree puts inner nodes above the leaves.
func (l *Loader) tree() tree {
	if len(l.kids) == 0 {
		return newTree()
	}
	t := tree{leaves: len(l.kids)}
	for len(l.kids) > 1 {
		l.level()
		t.height++
		t.inners += len(l.kids)
	}
	t.root = l.kids[0]
	return t
}

// level puts one level of inner nodes above the kids, evenly filled.
func (l *Loader) level() {
	kids, names := l.kids, l.names
	groups := (len(kids) + innerLoad - 1) / innerLoad
	l.kids, l.names = make([]child, 0, groups), make([]string, 0, groups)
	for g := range groups {
		lo, hi := g*len(kids)/groups, (g+1)*len(kids)/groups
		if g > 0 {
			l.names = append(l.names, names[lo-1])
		}
		in := newInner(0, kids[lo:hi], names[lo:hi-1])
		l.kids = append(l.kids, child{in: in, n: in.total()})
	}
}

func corrupt(format string, args ...any) error {
	return &fault.Error{Op: "load image", Err: fault.ErrCorrupt, Detail: fmt.Sprintf(format, args...)}
}
