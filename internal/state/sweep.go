package state

// Chunks that are half dead are swept: what is alive in them moves to the tail,
// then they leave the table. It is done by the edit that kills, a step at a time,
// in proportion to what it killed.
const (
	sweepStep  = 8 << 10  // bytes walked at a time
	sweepStart = 64 << 10 // debt before a next chunk is looked for
)

// sweep pays the debt as far as there is something to sweep.
func (e *Edit) sweep() {
	a := &e.now.arena
	for a.debt >= sweepStep {
		if a.broom == broomless && !a.pick() {
			return
		}
		a.debt -= e.walk(sweepStep)
	}
}

// pick puts the broom to the chunk with the smallest live part, if one is half
// dead and a third of all is. Waiting pays: the longer, the less is left to move.
// Looking costs a step for each chunk, so where none is found, the debt is let off.
func (a *arena) pick() bool {
	if a.bytes < a.alive+a.alive/2 {
		return false
	}
	best := -1
	for slot, c := range a.chunks {
		if c == nil || slot == a.tail || a.liveAt(slot)*2 >= c.used {
			continue
		}
		if best < 0 || a.liveAt(slot)*a.chunks[best].used < a.liveAt(best)*c.used {
			best = slot
		}
	}
	if best < 0 {
		a.debt = 0
		return false
	}
	a.broom = refOf(best, 0)
	return true
}

// walk moves what is alive in the next n bytes under the broom and returns how
// many bytes it walked. The chunk leaves the table when its last entry moved.
func (e *Edit) walk(n int) int {
	a := &e.now.arena
	r := a.broom
	c, start := a.chunks[r.slot()], r.offset()
	offset := start
	for a.broom == r && offset < c.used && offset-start < n {
		size := sizeAt(c.data[offset:])
		e.relocate(refOf(r.slot(), offset), c.data[offset:offset+size])
		offset += size
	}
	if a.broom == r {
		a.broom = refOf(r.slot(), offset)
	}
	if offset >= c.used {
		a.broom = broomless
	}
	return offset - start
}

// relocate moves an entry to the tail, if the tree still refers to it.
func (e *Edit) relocate(r ref, raw []byte) {
	key := readKey(raw)
	l, pos, found := e.now.find(key)
	if !found || e.now.real(l.slots[pos].ref) != r {
		return
	}
	to := e.now.move(raw)
	if r == e.now.hot {
		e.now.hot = to
	} else {
		e.seek(key).slots[pos].ref = to
	}
	e.now.release(r, len(raw))
}
