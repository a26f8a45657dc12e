package vfs

import "slices"

// tear is one way for a write to reach the disk in part.
type tear struct {
	at   int64 // where in the file it is cut
	tail bool  // what lies behind the cut made it, not what lies before
	full bool  // the size has grown in full although the data has not
}

// torn is the space of Torn: how the last write was cut, and whether names made it.
func (f *files) torn() *space {
	n, k := f.lastWrite()
	if n == nil {
		return f.twice(func(int) func(*node) *content { return f.kept })
	}
	h := f.hist[n]
	tears, before := h.tears(k), h.before(k)
	s := f.twice(func(i int) func(*node) *content {
		return func(m *node) *content {
			if m == n {
				return h.tornAt(before.clone(), k, tears[i])
			}
			return f.kept(m)
		}
	})
	s.dims[0] = len(tears)
	last := len(tears) - 1
	s.corners = [][]int{{0, s.dims[1] - 1}, {last, 0}, {last, s.dims[1] - 1}}
	return s
}

// before returns the content with everything before change k.
func (h *history) before(k int) *content {
	earlier := h.file
	earlier.pending = earlier.pending[:k-1]
	return newHistory(earlier).kept(h.file.durable).freeze()
}

// twice is a space with a dimension for the contents, of size 1 as yet, and one
// for the names: none of the pending ones, or all.
func (f *files) twice(pick func(i int) func(*node) *content) *space {
	build := func(c []int) *Image {
		return f.d.cut(func(int) bool { return c[1] == 1 }, pick(c[0]))
	}
	dims := []int{1, 2}
	if len(f.d.ops) == 0 {
		dims[1] = 1
	}
	return &space{dims: dims, build: build}
}

// lastWrite finds the last pending write of the disk: its file and its number in
// the history of that file.
func (f *files) lastWrite() (last *node, k int) {
	latest := 0
	for _, n := range f.list {
		for i, c := range f.hist[n].file.pending {
			if !c.cut && c.n > latest {
				last, k, latest = n, i+1, c.n
			}
		}
	}
	return last, k
}

// tears lists the ways in which change k may be cut: at each sector, and inside
// those that nothing was written to before, at their first byte, middle and last.
func (h *history) tears(k int) []tear {
	ch := h.file.pending[k-1]
	end := ch.off + int64(len(ch.data))
	before := h.versions[k-1]
	first, last := ch.sectors()
	var list []tear
	add := func(at int64, whole bool) {
		at = min(max(at, ch.off), end)
		list = append(list, tear{at: at, full: true})
		if ch.size > before.size {
			list = append(list, tear{at: at})
		}
		if whole {
			list = append(list, tear{at: at, full: true, tail: true})
		}
	}
	for s := first; s <= last; s++ {
		start := s * SectorSize
		add(start, true)
		if before.written.has(s) {
			continue
		}
		for _, in := range []int64{1, SectorSize / 2, SectorSize - 1} {
			if start+in > ch.off && start+in < end {
				add(start+in, false)
			}
		}
	}
	add(end, true)
	return slices.Compact(list)
}

// tornAt adds to c, which has everything before change k, the part of k that is
// not torn off, and later truncates.
func (h *history) tornAt(c *content, k int, how tear) *content {
	ch := h.file.pending[k-1]
	if !how.full {
		ch.size = min(ch.size, how.at)
	}
	if ch.size > c.size {
		c.truncate(ch.size)
	}
	h.putPart(c, k, how)
	for _, later := range h.file.pending[k:] {
		if later.cut {
			c.truncate(later.size)
		}
	}
	return c
}

// putPart writes the part of change k that how leaves. A sector that has content
// takes all of its new bytes or none.
func (h *history) putPart(c *content, k int, how tear) {
	ch := h.file.pending[k-1]
	first, last := ch.sectors()
	for s := first; s <= last; s++ {
		start, end := s*SectorSize, min((s+1)*SectorSize, ch.off+int64(len(ch.data)))
		switch {
		case how.tail && start >= how.at, !how.tail && end <= how.at:
			c.putSector(s, h.versions[k], end)
		case !how.tail && start < how.at && !h.versions[k-1].written.has(s):
			c.putSector(s, h.versions[k], how.at)
		}
	}
}

// clean is the space of Clean: whether later changes were kept, whether names
// were, and for each file that a sync failed on its size and each sector given up.
func (f *files) clean() *space {
	s := &space{dims: []int{2, 2}}
	for _, n := range f.list {
		if h := f.hist[n]; len(h.file.dropped) > 0 {
			s.dims = append(s.dims, 2)
			for range h.file.dropped {
				s.dims = append(s.dims, 2)
			}
		}
	}
	for _, all := range []int{0, 1} {
		c := make([]int, len(s.dims))
		for i := range c {
			c[i] = all
		}
		lost := slices.Clone(c)
		lost[0], lost[1] = 1, 1
		s.corners = append(s.corners, c, lost)
	}
	s.build = f.buildClean
	return s
}

func (f *files) buildClean(c []int) *Image {
	later, names := c[0], c[1]
	c = c[2:]
	made := map[*node]*content{}
	for _, n := range f.list {
		h := f.hist[n]
		made[n] = h.file.durable
		if len(h.file.dropped) > 0 {
			made[n] = h.cleaned(c[:1+len(h.file.dropped)])
			c = c[1+len(h.file.dropped):]
		}
		if later == 1 {
			made[n] = h.kept(made[n])
		}
	}
	return f.d.cut(func(int) bool { return names == 1 }, func(n *node) *content {
		if m, ok := made[n]; ok {
			return m
		}
		return f.durable(n)
	})
}

// cleaned returns the durable content with the size (first choice) and the
// sectors (the others) of a failed sync that reached the disk all the same.
func (h *history) cleaned(choice []int) *content {
	c := h.file.durable.clone()
	if choice[0] == 1 {
		c.truncate(h.file.base.size)
	}
	for i, s := range h.file.dropped {
		if choice[1+i] == 1 {
			c.putSector(s, h.file.base, c.size)
		}
	}
	return c
}
