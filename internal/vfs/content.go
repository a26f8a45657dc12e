package vfs

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"math/bits"
	"slices"
	"sync/atomic"
)

const (
	pageSize  = 4096
	pageSmall = 64      // the least that a page allocates, for files of a few bytes
	memMax    = 1 << 34 // bytes in one file of a Mem: past it, "no space left"
)

// content is what one version of a file says. Versions share pages, so a copy
// costs one pointer for each page, and a write to a shared page copies that page.
//
// Once frozen a content never changes and may be read without any lock. Bytes
// behind the size are zero, always.
type content struct {
	size    int64
	pages   []*page // nil, or missing at the end, where all is zero
	written bitset  // sectors that were written since the file got them
	own     *owner
	frozen  bool
}

// page is up to pageSize bytes; those behind the end of b are zero.
type page struct {
	own *owner
	b   []byte
	sum atomic.Pointer[[32]byte] // of b, computed when first asked for
}

// owner is the mark of the one content that may write a page in place.
type owner struct{ _ byte }

func newContent() *content { return &content{own: &owner{}} }

// clone returns a content of its own that says the same.
func (c *content) clone() *content {
	return &content{size: c.size, pages: slices.Clone(c.pages), written: slices.Clone(c.written), own: &owner{}}
}

// freeze makes c unchangeable and returns it. The flag is written once only, so
// that freezing again does not race with readers.
func (c *content) freeze() *content {
	if !c.frozen {
		c.frozen = true
	}
	return c
}

// thawed returns c where it may be changed, else a copy.
func (c *content) thawed() *content {
	if c.frozen {
		return c.clone()
	}
	return c
}

// readAt reads like io.ReaderAt.
func (c *content) readAt(p []byte, off int64) (int, error) {
	if off >= c.size {
		if len(p) == 0 {
			return 0, nil
		}
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), c.size-off))
	for done := 0; done < n; {
		done += c.readPage(p[done:n], off+int64(done))
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// readPage reads from one page, at most to its end.
func (c *content) readPage(p []byte, off int64) int {
	i, at := off/pageSize, int(off%pageSize)
	p = p[:min(len(p), pageSize-at)]
	got := 0
	if i < int64(len(c.pages)) && c.pages[i] != nil && at < len(c.pages[i].b) {
		got = copy(p, c.pages[i].b[at:])
	}
	clear(p[got:])
	return len(p)
}

// writeAt puts p at off and lets the file grow where needed.
func (c *content) writeAt(p []byte, off int64) {
	if len(p) == 0 {
		return
	}
	end := off + int64(len(p))
	for at := off; at < end; {
		room := min(pageSize-at%pageSize, end-at)
		b := c.pageFor(at/pageSize, int(at%pageSize+room))
		copy(b[at%pageSize:], p[at-off:at-off+room])
		at += room
	}
	c.size = max(c.size, end)
	c.written = c.written.with(off/SectorSize, (end-1)/SectorSize)
}

// pageFor returns the first n bytes or more of page i, free to be written.
func (c *content) pageFor(i int64, n int) []byte {
	if grow := int(i) + 1 - len(c.pages); grow > 0 {
		c.pages = append(c.pages, make([]*page, grow)...)
	}
	old := c.pages[i]
	if old != nil && old.own == c.own && n <= cap(old.b) {
		old.b = old.b[:max(n, len(old.b))]
		old.sum.Store(nil)
		return old.b
	}
	fresh := &page{own: c.own}
	if old != nil {
		n = max(n, len(old.b))
	}
	fresh.b = make([]byte, n, pageCap(n))
	if old != nil {
		copy(fresh.b, old.b)
	}
	c.pages[i] = fresh
	return fresh.b
}

// pageCap doubles, so that appending in small steps stays linear.
func pageCap(n int) int {
	return max(pageSmall, 1<<bits.Len(uint(n-1)))
}

// truncate sets the size. What is cut off is gone: growing again shows zeros.
func (c *content) truncate(size int64) {
	if size < c.size {
		c.cut(size)
	}
	c.size = size
}

func (c *content) cut(size int64) {
	last := (size + pageSize - 1) / pageSize
	if last < int64(len(c.pages)) {
		clear(c.pages[last:])
		c.pages = c.pages[:last]
	}
	if at := int(size % pageSize); at != 0 && last <= int64(len(c.pages)) && c.pages[last-1] != nil {
		b := c.pageFor(last-1, at)
		clear(b[at:])
	}
	c.written = c.written.below((size + SectorSize - 1) / SectorSize)
}

// putSector takes the bytes of sector s from another content, up to the size
// that c has or an earlier end; the size stays.
func (c *content) putSector(s int64, from *content, end int64) {
	start := s * SectorSize
	end = min(end, start+SectorSize, c.size)
	if start >= end {
		return
	}
	var buf [SectorSize]byte
	p := buf[:end-start]
	for done := 0; done < len(p); {
		done += from.readPage(p[done:], start+int64(done))
	}
	c.writeAt(p, start)
}

// sum returns the hash of size and bytes. The sums of pages are kept, because
// the images of one disk share nearly all of them.
func (c *content) sum() [32]byte {
	h := sha256.New()
	buf := binary.BigEndian.AppendUint64(nil, uint64(c.size))
	for i, p := range c.pages {
		if sum := p.hash(); sum != [32]byte{} {
			buf = binary.BigEndian.AppendUint64(buf, uint64(i))
			buf = append(buf, sum[:]...)
		}
	}
	h.Write(buf)
	return [32]byte(h.Sum(nil))
}

// hash returns the hash of a page without the zeros at its end; zero for all zeros.
func (p *page) hash() [32]byte {
	if p == nil {
		return [32]byte{}
	}
	if sum := p.sum.Load(); sum != nil {
		return *sum
	}
	var sum [32]byte
	if b := bytes.TrimRight(p.b, "\x00"); len(b) > 0 {
		sum = sha256.Sum256(b)
	}
	p.sum.Store(&sum)
	return sum
}

// bitset is a set of small numbers.
type bitset []uint64

// has reports whether i is in the set.
func (b bitset) has(i int64) bool {
	return i/64 < int64(len(b)) && b[i/64]&(1<<(i%64)) != 0
}

// with adds first to last.
func (b bitset) with(first, last int64) bitset {
	if grow := int(last/64) + 1 - len(b); grow > 0 {
		b = append(b, make([]uint64, grow)...)
	}
	for i := first; i <= last; i++ {
		b[i/64] |= 1 << (i % 64)
	}
	return b
}

// below removes n and everything above it.
func (b bitset) below(n int64) bitset {
	if n/64 >= int64(len(b)) {
		return b
	}
	b[n/64] &= 1<<(n%64) - 1
	clear(b[n/64+1:])
	return b
}
