package vfs

import "slices"

// files are the files of a disk that a power cut may leave in more than one way,
// in the order of their creation so that images come in one order.
type files struct {
	d    *Disk
	list []*node
	hist map[*node]*history
}

// space returns the images of a model.
func (d *Disk) space(model Model) *space {
	d.once.Do(func() { d.dirty = d.findDirty() })
	f := d.dirty
	switch model {
	case Kill:
		return single(&Image{d: d, boot: true})
	case Lost:
		return single(d.cut(noName, f.durable))
	case Kept:
		return single(d.cut(allNames, f.kept))
	case Torn:
		return f.torn()
	case Reordered:
		return f.reordered()
	case Zeroed:
		return single(d.cut(allNames, f.zeroed))
	case Garbage:
		return f.garbled()
	case Clean:
		return f.clean()
	}
	panic("vfs: no such model: " + model.String())
}

func noName(int) bool   { return false }
func allNames(int) bool { return true }

func single(img *Image) *space {
	return &space{build: func([]int) *Image { return img }}
}

// findDirty finds the files with pending or dropped changes.
func (d *Disk) findDirty() *files {
	f := &files{d: d, hist: map[*node]*history{}}
	for n, s := range d.nodes {
		if len(s.file.pending) > 0 || len(s.file.dropped) > 0 {
			f.hist[n] = newHistory(s.file)
			f.list = append(f.list, n)
		}
	}
	slices.SortFunc(f.list, func(a, b *node) int { return d.nodes[a].id - d.nodes[b].id })
	return f
}

// durable is the content of a file without anything pending.
func (f *files) durable(n *node) *content { return f.d.nodes[n].file.durable }

// kept is the content with everything pending.
func (f *files) kept(n *node) *content {
	h, ok := f.hist[n]
	if !ok {
		return f.durable(n)
	}
	return h.kept(h.file.durable)
}

// zeroed is the content with the metadata of everything pending and no data.
func (f *files) zeroed(n *node) *content {
	h, ok := f.hist[n]
	if !ok {
		return f.durable(n)
	}
	return h.metadata(h.file.durable, len(h.file.pending))
}

// garbageSizes is the number of sizes that Garbage tries.
const garbageSizes = 4

// garbled is the space of Garbage: one dimension, how far the sizes have grown.
func (f *files) garbled() *space {
	build := func(c []int) *Image {
		return f.d.cut(allNames, func(n *node) *content { return f.garbage(n, c[0]) })
	}
	return &space{dims: []int{garbageSizes}, build: build}
}

// garbage is the content with the metadata of everything pending, garbage for
// data, and the size grown in full (0) or in part.
func (f *files) garbage(n *node, part int) *content {
	h, ok := f.hist[n]
	if !ok {
		return f.durable(n)
	}
	c := h.build(h.file.durable, len(h.file.pending), touched.rubbish)
	if grown := c.size - h.file.durable.size; grown > 0 {
		c.truncate(h.file.durable.size + partOf(grown, part))
	}
	return c
}

// partOf is the part of a growth that variant v of Garbage keeps.
func partOf(grown int64, v int) int64 {
	switch v {
	case 1:
		return grown - 1
	case 2:
		return (grown + 1) / 2
	case 3:
		return min(grown, SectorSize)
	}
	return grown
}

// reordered is the space of Reordered: a dimension for each change of names, for
// the metadata of each file, and for each sector.
func (f *files) reordered() *space {
	s := &space{}
	for range f.d.ops {
		s.dims = append(s.dims, 2)
	}
	for _, n := range f.list {
		h := f.hist[n]
		s.dims = append(s.dims, len(h.file.pending)+1)
		for _, t := range h.touched {
			s.dims = append(s.dims, len(t.options()))
		}
	}
	for _, names := range []int{0, 1} {
		for _, data := range []int{lastOption, oldOption, rubbishOption} {
			s.corners = append(s.corners, f.corner(names, data))
		}
	}
	s.build = f.buildReordered
	return s
}

// options lists what a sector may hold.
func (t touched) options() []int {
	list := append([]int{old}, t.at...)
	if t.fresh {
		list = append(list, garbage)
	}
	return list
}

// What all sectors hold in a corner of Reordered.
const (
	oldOption = iota
	lastOption
	rubbishOption
)

// corner is the choice in which all names, and all sectors, fared alike. Sizes
// have always grown: where they have not, nothing is seen of the rest.
func (f *files) corner(names, data int) []int {
	var c []int
	for range f.d.ops {
		c = append(c, names)
	}
	for _, n := range f.list {
		h := f.hist[n]
		c = append(c, len(h.file.pending))
		for _, t := range h.touched {
			c = append(c, t.option(data))
		}
	}
	return c
}

// option is the number of an option of the sector.
func (t touched) option(data int) int {
	switch {
	case data == lastOption:
		return len(t.at)
	case data == rubbishOption && t.fresh:
		return len(t.at) + 1
	}
	return 0
}

func (f *files) buildReordered(c []int) *Image {
	names, c := c[:len(f.d.ops)], c[len(f.d.ops):]
	made := map[*node]*content{}
	for _, n := range f.list {
		h := f.hist[n]
		i := -1
		made[n] = h.build(h.file.durable, c[0], func(t touched) int {
			i++
			return t.options()[c[1+i]]
		})
		c = c[1+len(h.touched):]
	}
	return f.d.cut(func(i int) bool { return names[i] == 1 }, func(n *node) *content {
		if m, ok := made[n]; ok {
			return m
		}
		return f.durable(n)
	})
}
