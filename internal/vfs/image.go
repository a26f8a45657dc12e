package vfs

import (
	"crypto/sha256"
	"encoding/binary"
)

// Image is one state in which a crash may leave a disk. It never changes and may
// be used from any goroutine.
type Image struct {
	d    *Disk
	boot bool // the boot is that of the Mem; what is pending is pending still
}

// Mem returns a fresh file system that starts with the image: another one at each
// call. After a power cut everything in it is durable; after a kill, what was
// pending is pending still.
func (img *Image) Mem(track bool) *Mem { return img.d.mem(track) }

// Hash returns a hash over names, directories and bytes; and after a kill over
// what is durable and the boot too, since that decides what may happen next.
// After a power cut the boot is one that no file can name yet, and does not count.
func (img *Image) Hash() [32]byte {
	d := img.d
	h := sha256.New()
	tree := d.treeSum(func(s state) *entries { return s.names.now }, func(s state) *content { return s.file.now })
	h.Write(tree[:])
	if img.boot {
		tree = d.treeSum(func(s state) *entries { return s.names.durable }, func(s state) *content { return s.file.durable })
		h.Write(tree[:])
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(d.boot)))
	}
	return [32]byte(h.Sum(nil))
}

// treeSum hashes the tree that the two functions show.
func (d *Disk) treeSum(names func(state) *entries, file func(state) *content) [32]byte {
	var walk func(n *node) [32]byte
	walk = func(n *node) [32]byte {
		s := d.nodes[n]
		if !s.dir {
			return file(s).sum()
		}
		buf := []byte("directory")
		for _, name := range names(s).sorted() {
			child := names(s).m[name]
			sum := walk(child)
			buf = binary.BigEndian.AppendUint64(buf, uint64(len(name)))
			buf = append(buf, name...)
			buf = append(buf, sum[:]...)
		}
		return sha256.Sum256(buf)
	}
	return walk(d.root)
}

// cut returns the image after a power cut: of the pending changes of names those
// that names picks, and of each file the content that file returns.
func (d *Disk) cut(names func(i int) bool, file func(n *node) *content) *Image {
	tree := d.namesAfter(names)
	img := &Disk{boot: d.boot + 1, ids: d.ids, n: d.n, root: d.root, nodes: map[*node]state{}}
	todo := []*node{d.root}
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if _, ok := img.nodes[n]; ok {
			continue
		}
		if !d.nodes[n].dir {
			c := file(n).freeze()
			img.nodes[n] = state{id: d.nodes[n].id, file: fileState{now: c, base: c, durable: c}}
			continue
		}
		e, ok := tree[n]
		if !ok {
			e = d.nodes[n].names.durable
		}
		img.nodes[n] = state{id: d.nodes[n].id, dir: true, names: nameState{now: e, durable: e}}
		for _, child := range e.m {
			todo = append(todo, child)
		}
	}
	return &Image{d: img}
}

// namesAfter returns the directories that the picked changes alter, altered.
func (d *Disk) namesAfter(pick func(i int) bool) map[*node]*entries {
	tree := map[*node]*entries{}
	for i, op := range d.ops {
		if !pick(i) {
			continue
		}
		for _, s := range op.slots {
			e, ok := tree[s.dir]
			if !ok {
				e = d.nodes[s.dir].names.durable
			}
			tree[s.dir] = e.with(s.name, s.node)
		}
	}
	for _, e := range tree {
		e.freeze()
	}
	return tree
}
