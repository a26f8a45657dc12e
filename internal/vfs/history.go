package vfs

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
)

// history is a file with pending changes, made ready to be asked what may be on
// the disk. A disk keeps two things apart, and so does this model:
//
//   - The metadata (size, holes) after the first j changes, for any j: a file
//     system orders the metadata of one file, by its journal or by having one inode.
//   - For each sector, independently: what was durable; the sector as the page
//     cache had it after any one of the changes that touched it; or, where it was
//     never written durably, garbage. Zeros are what the metadata leaves there.
//
// So what a truncate cut off and a later write did not fill never comes back
// behind a kept truncate, and the bytes of one sector are always of one time.
type history struct {
	file     fileState
	versions []*content // the page cache after each change; the first is before all
	touched  []touched  // ascending
}

// touched is a sector that pending writes touch.
type touched struct {
	sector int64
	at     []int // numbers of the changes, ascending, from 1
	fresh  bool  // nothing durable was ever written there
}

// What a sector of an image may hold, besides the version of a change (1 and up).
const (
	old     = 0
	garbage = -1
)

func newHistory(f fileState) *history {
	h := &history{file: f, versions: []*content{f.base}}
	at := map[int64][]int{}
	for i, c := range f.pending {
		next := h.versions[i].clone()
		if c.cut {
			next.truncate(c.size)
		} else {
			next.writeAt(c.data, c.off)
			first, last := c.sectors()
			for s := first; s <= last; s++ {
				at[s] = append(at[s], i+1)
			}
		}
		h.versions = append(h.versions, next.freeze())
	}
	for s, list := range at {
		h.touched = append(h.touched, touched{sector: s, at: list, fresh: !f.durable.written.has(s)})
	}
	slices.SortFunc(h.touched, func(a, b touched) int { return int(a.sector - b.sector) })
	return h
}

// touches reports whether a pending write touches the sector.
func (h *history) touches(sector int64) bool {
	_, ok := slices.BinarySearchFunc(h.touched, sector, func(t touched, s int64) int { return int(t.sector - s) })
	return ok
}

// metadata returns from with sizes and holes as after the first j changes.
//
// Once a change counts, the size of the page cache does too, also as far as a
// failed sync left it behind: the size is no page, and is written with the next one.
func (h *history) metadata(from *content, j int) *content {
	c := from.clone()
	if j > 0 {
		c.truncate(h.file.base.size)
	}
	for _, ch := range h.file.pending[:j] {
		if ch.cut || ch.size > c.size {
			c.truncate(ch.size)
		}
	}
	return c
}

// put lays version k of a sector over c, whose metadata is of change j. Of what
// a truncate between the two cut off nothing is seen.
func (h *history) put(c *content, t touched, k, j int) {
	end := int64(math.MaxInt64)
	for i := k + 1; i <= j; i++ {
		if h.file.pending[i-1].cut {
			end = min(end, h.file.pending[i-1].size)
		}
	}
	c.putSector(t.sector, h.versions[k], end)
}

// build returns the content with metadata j, in which pick says what each
// touched sector holds: old, garbage, or the number of a change.
func (h *history) build(from *content, j int, pick func(t touched) int) *content {
	c := h.metadata(from, j)
	for _, t := range h.touched {
		switch k := pick(t); {
		case k == garbage:
			putGarbage(c, t.sector)
		case k != old:
			h.put(c, t, k, j)
		}
	}
	return c
}

// kept returns the content with all changes.
func (h *history) kept(from *content) *content {
	return h.build(from, len(h.file.pending), touched.last)
}

// last is the newest version of a sector.
func (t touched) last() int { return t.at[len(t.at)-1] }

// rubbish is garbage where a disk may show it.
func (t touched) rubbish() int {
	if t.fresh {
		return garbage
	}
	return old
}

// putGarbage fills a sector, as far as the file goes, with garbage.
func putGarbage(c *content, sector int64) {
	start := sector * SectorSize
	end := min(start+SectorSize, c.size)
	if start >= end {
		return
	}
	c.writeAt(garbageOf(sector)[:end-start], start)
}

// garbageOf returns the garbage for a sector: random bytes that depend on the
// sector alone, so that images can be made again.
func garbageOf(sector int64) []byte {
	rnd := rand.New(rand.NewPCG(0x6761726261676521, uint64(sector)))
	buf := make([]byte, 0, SectorSize)
	for len(buf) < SectorSize {
		buf = binary.LittleEndian.AppendUint64(buf, rnd.Uint64())
	}
	return buf
}
