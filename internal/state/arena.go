package state

import (
	"math/bits"
	"slices"
)

// ref is where an entry lies: slot of its chunk << 32 | offset in it.
type ref uint64

func refOf(slot, offset int) ref { return ref(slot)<<32 | ref(offset) }

func (r ref) slot() int { return int(r >> 32) }

func (r ref) offset() int { return int(uint32(r)) }

// Sizes of chunks, in bytes. They grow with the arena: a small map stays small,
// a large one has few chunks. An entry above a quarter of a chunk is alone in one
// of its own size, so that what a chunk leaves unused stays small.
const (
	chunkMin   = 16 << 10
	chunkMax   = 1 << 20
	chunkParts = 256 // a new chunk is about this part of the arena
)

// chunk is a slab of entries, one behind the other. Bytes once written never
// change and are never reused, not even where the edit that wrote them was given
// up: somebody may read them. Only editors look at used.
type chunk struct {
	data []byte
	used int
}

// arena is where entries live, as one version sees it: a value that pictures
// carry. Which chunks there are and how much of each is alive belong to the
// version, so giving an edit up needs no undo.
type arena struct {
	id     uint64   // the edit that may change what it owns
	chunks []*chunk // by slot; nil where a slot is free
	live   []*page  // live bytes by slot
	mine   owned    // which of the two belongs to id
	tail   int      // the slot that takes new entries, or -1
	free   int      // how many slots are nil
	bytes  int      // of all chunks
	alive  int      // of all entries that the tree refers to
	debt   int      // bytes to sweep, see sweep.go
	hot    ref      // of the slot with hotRef; hotless where none has it
	broom  ref      // where the sweep goes on; broomless without one
}

type owned struct{ chunks, live bool }

// page is a part of the live bytes by slot, copied when an edit first changes it.
type page struct {
	owner uint64
	bytes [pageSlots]uint32
}

const pageSlots = 64

// pace is how many bytes are swept for each byte that dies. Two would keep step
// with chunks that are all half dead; the third pays for what waited.
const pace = 3

// broomless and hotless are no place in an arena.
const (
	broomless = ^ref(0)
	hotless   = ^ref(0)
)

func newArena() arena { return arena{id: 1, tail: -1, broom: broomless, hot: hotless} }

// thaw begins a version: what was ours so far belongs to the frozen one.
func (a *arena) thaw() {
	a.id++
	a.mine = owned{}
}

// hotRef stands in the one slot of the tree whose entry changes with every batch,
// that of the newest writer. The picture says where it lies, so a batch need not
// copy the way to it.
const hotRef = broomless - 1

// real returns where the entry of a slot lies.
func (a *arena) real(r ref) ref {
	if r == hotRef {
		return a.hot
	}
	return r
}

// at returns the bytes from where r points to the end of its chunk.
func (a *arena) at(r ref) []byte {
	r = a.real(r)
	return a.chunks[r>>32].data[uint32(r):]
}

func (a *arena) key(r ref) []byte { return readKey(a.at(r)) }

func (a *arena) entry(r ref) Entry { return readEntry(a.at(r)) }

// raw returns the bytes of an entry.
func (a *arena) raw(r ref) []byte {
	b := a.at(r)
	n := sizeAt(b)
	return b[:n:n]
}

func (a *arena) liveAt(slot int) int {
	return int(a.live[slot/pageSlots].bytes[slot%pageSlots])
}

// write stores an entry.
func (a *arena) write(e Entry) ref {
	b, r := a.room(entrySize(e.Key, e.Value, e.Seq))
	writeEntry(b, e)
	return r
}

// move stores the bytes of an entry once more.
func (a *arena) move(raw []byte) ref {
	b, r := a.room(len(raw))
	copy(b, raw)
	return r
}

// room returns size bytes that nobody has written to, counted as live.
func (a *arena) room(size int) ([]byte, ref) {
	slot := a.tail
	if size > chunkMax/4 || slot < 0 || len(a.chunks[slot].data)-a.chunks[slot].used < size {
		slot = a.grow(size)
	}
	c := a.chunks[slot]
	offset := c.used
	c.used += size
	a.count(slot, size)
	return c.data[offset : offset+size], refOf(slot, offset)
}

// grow returns the slot of a new chunk with room for size bytes: one for this
// entry alone, or a new tail.
func (a *arena) grow(size int) int {
	n := a.chunkSize()
	if size > n/4 {
		return a.add(&chunk{data: make([]byte, size)})
	}
	old := a.tail
	a.tail = a.add(&chunk{data: make([]byte, n)})
	if old >= 0 && a.liveAt(old) == 0 {
		a.drop(old)
	}
	return a.tail
}

func (a *arena) chunkSize() int {
	n := 1 << bits.Len(uint(a.bytes/chunkParts))
	return min(max(n, chunkMin), chunkMax)
}

// add puts a chunk into the first free slot.
func (a *arena) add(c *chunk) int {
	a.ownChunks()
	a.bytes += len(c.data)
	if a.free > 0 {
		slot := slices.Index(a.chunks, (*chunk)(nil))
		a.chunks[slot] = c
		a.free--
		return slot
	}
	slot := len(a.chunks)
	a.chunks = append(a.chunks, c)
	if slot%pageSlots == 0 {
		a.ownLive()
		a.live = append(a.live, &page{owner: a.id})
	}
	return slot
}

func (a *arena) ownChunks() {
	if !a.mine.chunks {
		a.chunks = slices.Clone(a.chunks)
		a.mine.chunks = true
	}
}

func (a *arena) ownLive() {
	if !a.mine.live {
		a.live = slices.Clone(a.live)
		a.mine.live = true
	}
}

// count changes the live bytes of a slot.
func (a *arena) count(slot, delta int) {
	a.alive += delta
	p := a.live[slot/pageSlots]
	if p.owner != a.id {
		a.ownLive()
		p = &page{owner: a.id, bytes: p.bytes}
		a.live[slot/pageSlots] = p
	}
	p.bytes[slot%pageSlots] = uint32(int(p.bytes[slot%pageSlots]) + delta)
}

// kill says that the tree no longer refers to an entry.
func (a *arena) kill(r ref) {
	size := sizeAt(a.at(r))
	a.debt += size * pace
	if r == hotRef {
		r, a.hot = a.hot, hotless
	}
	a.release(r, size)
}

// release counts an entry as dead. A chunk with nothing alive leaves the table;
// older pictures may still have it.
func (a *arena) release(r ref, size int) {
	slot := r.slot()
	a.count(slot, -size)
	if slot != a.tail && a.liveAt(slot) == 0 {
		a.drop(slot)
	}
}

func (a *arena) drop(slot int) {
	a.ownChunks()
	a.bytes -= len(a.chunks[slot].data)
	a.chunks[slot] = nil
	a.free++
	if a.broom != broomless && a.broom.slot() == slot {
		a.broom = broomless
	}
}
