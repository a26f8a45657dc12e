package state

import (
	"bytes"

	"github.com/vlogdb/vlog/internal/batch"
)

// leafMax makes a leaf 512 bytes, one size class of the allocator without waste,
// and one less than a multiple of four as rank wants it.
const (
	leafMax  = 31
	leafMin  = leafMax / 4     // below, a leaf looks for a neighbour to join
	leafJoin = leafMax * 3 / 4 // what joining may fill
)

// What a leaf skips, at most a whole key, must fit.
const _ = uint16(batch.MaxKey + batch.MaxPrefix)

// leaf holds references to entries, ascending by key. It has no pointers, so the
// collector never looks into it. All its keys share skip bytes; what is compared
// first are heads, which lie beside the references: sampling them touches every
// cache line of the leaf at once instead of one after the other.
type leaf struct {
	owner uint64
	n     uint16
	skip  uint16
	slots [leafMax]slot // unused ones have head none
}

type slot struct {
	head uint64
	ref  ref
}

// rank returns how many heads are below h, without a branch that could be
// guessed wrong.
func (l *leaf) rank(h uint64) int {
	s := &l.slots
	i := less(s[3].head, h) + less(s[7].head, h) + less(s[11].head, h) + less(s[15].head, h) +
		less(s[19].head, h) + less(s[23].head, h) + less(s[27].head, h)
	t := (*[3]slot)(s[i*4:])
	return i*4 + less(t[0].head, h) + less(t[1].head, h) + less(t[2].head, h)
}

// find returns where key is, or belongs, in a leaf whose skipped bytes it shares.
// One that does not share them is never found.
func (l *leaf) find(a *arena, key []byte) (int, bool) {
	h := headOf(key, int(l.skip))
	i, n := l.rank(h), int(l.n)
	end := i
	for end < n && l.slots[end].head == h {
		end++
	}
	for i < end {
		m := int(uint(i+end) >> 1)
		c := bytes.Compare(a.key(l.slots[m].ref), key)
		if c == 0 {
			return m, true
		}
		if c < 0 {
			i = m + 1
		} else {
			end = m
		}
	}
	return i, false
}

// place is find for any key. It also returns how many of the skipped bytes key
// shares; known of them need no look.
func (l *leaf) place(a *arena, key []byte, known int) (pos int, found bool, share int) {
	skip := int(l.skip)
	if skip > known {
		prefix := a.key(l.slots[0].ref)[:skip]
		share = shared(prefix, key)
		if share < skip {
			return outside(prefix, key, share) * int(l.n), false, share
		}
	}
	pos, found = l.find(a, key)
	return pos, found, skip
}

// outside returns 0 where key, which shares only share bytes with prefix, lies
// before it, else 1.
func outside[P string | []byte](prefix P, key []byte, share int) int {
	if share == len(key) || key[share] < prefix[share] {
		return 0
	}
	return 1
}

func (l *leaf) insert(pos int, s slot) {
	copy(l.slots[pos+1:l.n+1], l.slots[pos:l.n])
	l.slots[pos] = s
	l.n++
}

// remove takes out the slots from lo to before hi.
func (l *leaf) remove(lo, hi int) {
	l.clear(lo + copy(l.slots[lo:l.n], l.slots[hi:l.n]))
}

// clear cuts the leaf to n slots. One without any must go, or be a new one: what it
// skips stands in its first key.
func (l *leaf) clear(n int) {
	for i := n; i < int(l.n); i++ {
		l.slots[i] = slot{head: none}
	}
	l.n = uint16(n)
}

// joinedLeaf returns a leaf with the slots of both.
func joinedLeaf(a *arena, left, right *leaf) *leaf {
	slots := append(left.slots[:left.n:left.n], right.slots[:right.n]...)
	skip := shared(a.key(slots[0].ref), a.key(slots[len(slots)-1].ref)) - slack
	l := newLeaf(a.id, 0, slots)
	l.rebase(a, max(skip, 0))
	return l
}

// newLeaf returns a leaf with these slots, whose heads are behind skip.
func newLeaf(owner uint64, skip int, slots []slot) *leaf {
	l := &leaf{owner: owner, n: uint16(len(slots)), skip: uint16(skip)}
	n := copy(l.slots[:], slots)
	for i := n; i < leafMax; i++ {
		l.slots[i].head = none
	}
	return l
}

// rebase makes the leaf skip another number of bytes, which its keys share.
func (l *leaf) rebase(a *arena, skip int) {
	l.skip = uint16(skip)
	for i := range l.n {
		l.slots[i].head = headOf(a.key(l.slots[i].ref), skip)
	}
}

// tighten makes the leaf skip more where its heads say little. It costs a look at
// every key, so heads that still say enough are left.
func (l *leaf) tighten(a *arena) {
	if l.n < 2 || sharedHead(l.slots[0].head, l.slots[l.n-1].head) < 8-slack {
		return
	}
	first, last := a.key(l.slots[0].ref), a.key(l.slots[l.n-1].ref)
	if skip := shared(first, last) - slack; skip > int(l.skip) {
		l.rebase(a, skip)
	}
}
