package vfs

import (
	"maps"
	"slices"
)

// node is one file or directory of a Mem, whatever it is called. The lock of the
// memDisk guards it. In a Disk a node is nothing but an identity.
type node struct {
	state
	links  int
	locked bool
}

// state is what a Disk keeps of a node.
type state struct {
	id    int // in the order of creation, so that everything can be put in one order
	dir   bool
	file  fileState // of a file
	names nameState // of a directory
}

// fileState is a file as it is read, as a power cut leaves it at worst, and what
// lies between the two.
//
//	durable --(dropped: never)--> base --(pending: perhaps)--> now
//
// A Sync makes all three the same, unless an earlier one failed: then what that
// one dropped stays readable in base and now, and never becomes durable.
type fileState struct {
	now     *content
	base    *content
	durable *content
	pending []change // since base, in order; frozen Disks share it: append only
	dropped []int64  // sectors in which durable is behind base; replaced, not changed
}

// change is a write or truncate that no Sync has made durable.
type change struct {
	n    int // number of the operation
	cut  bool
	off  int64
	data []byte
	size int64 // of the file, after the change
}

// sectors returns the first sector that a write touches and the last.
func (c change) sectors() (first, last int64) {
	return c.off / SectorSize, (c.off + int64(len(c.data)) - 1) / SectorSize
}

// nameState is a directory as it is read and as it is durable. What lies between
// the two is pending in the memDisk, since a rename concerns two directories.
type nameState struct {
	now     *entries
	durable *entries
}

// entries are the names in a directory; frozen ones never change again.
type entries struct {
	m      map[string]*node
	frozen bool
}

// slot is one name in one directory and what it comes to stand for; nil for nothing.
type slot struct {
	dir  *node
	name string
	node *node
}

// entryOp is a change of names that takes effect as a whole or not at all.
type entryOp struct{ slots []slot }

// touches reports whether the op concerns a name in dir.
func (o entryOp) touches(dir *node) bool {
	return slices.ContainsFunc(o.slots, func(s slot) bool { return s.dir == dir })
}

// without returns the op without what it does to the name of s.
func (o entryOp) without(s slot) entryOp {
	same := func(t slot) bool { return t.dir == s.dir && t.name == s.name }
	if !slices.ContainsFunc(o.slots, same) {
		return o
	}
	return entryOp{slots: slices.DeleteFunc(slices.Clone(o.slots), same)}
}

func newFileNode(id int) *node {
	c := newContent().freeze()
	return &node{state: state{id: id, file: fileState{now: c, base: c, durable: c}}}
}

func newDirNode(id int) *node {
	e := (&entries{m: map[string]*node{}}).freeze()
	return &node{state: state{id: id, dir: true, names: nameState{now: e, durable: e}}}
}

// freeze makes e unchangeable and returns it.
func (e *entries) freeze() *entries {
	if !e.frozen {
		e.frozen = true
	}
	return e
}

// with returns e, or a copy where e is frozen, after putting n under name.
func (e *entries) with(name string, n *node) *entries {
	if e.frozen {
		e = &entries{m: maps.Clone(e.m)}
	}
	if n == nil {
		delete(e.m, name)
		return e
	}
	e.m[name] = n
	return e
}

// sorted returns the names in order.
func (e *entries) sorted() []string { return slices.Sorted(maps.Keys(e.m)) }

// freeze makes what s refers to unchangeable, so that s may be copied. Without
// tracking what is durable was not kept up to date: everything is.
func (s *state) freeze(track bool) {
	if s.dir {
		s.names.now.freeze()
		if !track {
			s.names.durable = s.names.now
		}
		s.names.durable.freeze()
		return
	}
	s.file.now.freeze()
	if !track {
		s.file.base, s.file.durable = s.file.now, s.file.now
	}
}

// write puts p at off. The change is kept while it may still be lost.
func (f *fileState) write(p []byte, off int64, track int) {
	f.now = f.now.thawed()
	f.now.writeAt(p, off)
	if track > 0 && len(p) > 0 {
		f.pending = append(f.pending, change{n: track, off: off, data: slices.Clone(p), size: f.now.size})
	}
}

// truncate sets the size. The change is kept while it may still be lost.
func (f *fileState) truncate(size int64, track int) {
	f.now = f.now.thawed()
	f.now.truncate(size)
	if track > 0 {
		f.pending = append(f.pending, change{n: track, cut: true, size: size})
	}
}

// sync makes everything durable that is pending.
func (f *fileState) sync() {
	if len(f.pending) == 0 {
		return
	}
	if len(f.dropped) > 0 {
		h := newHistory(*f)
		f.durable = h.kept(f.durable).freeze()
		f.dropped = slices.DeleteFunc(slices.Clone(f.dropped), h.touches)
	}
	f.settle()
	if len(f.dropped) == 0 {
		f.durable = f.now
	}
}

// drop forgets that anything is pending, without making it durable: what the
// system does with its pages when a sync fails.
func (f *fileState) drop() {
	h := newHistory(*f)
	f.dropped = slices.Clone(f.dropped)
	for _, t := range h.touched {
		if !slices.Contains(f.dropped, t.sector) {
			f.dropped = append(f.dropped, t.sector)
		}
	}
	slices.Sort(f.dropped)
	f.settle()
}

func (f *fileState) settle() {
	f.base, f.pending = f.now.freeze(), nil
}
