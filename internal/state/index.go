package state

// index is what an inner node knows about its children's keys: separator i is
// above every key of child i and not above any key of child i+1. It never
// changes, so versions of a node that differ only in their children share it.
// Separators own their bytes; a chunk is not kept alive by them.
type index struct {
	skip  int          // bytes that all separators share
	heads [seps]uint64 // unused ones are none
	names [seps]string
}

// seps is how many separators there are at most: one less than a multiple of
// eight, as rank wants it.
const seps = fanout - 1

func newIndex(names []string) *index {
	x := &index{}
	n := copy(x.names[:], names)
	if n > 0 {
		x.skip = max(0, shared(names[0], names[n-1])-slack)
	}
	for i := range n {
		x.heads[i] = headOf(names[i], x.skip)
	}
	for i := n; i < seps; i++ {
		x.heads[i] = none
	}
	return x
}

// rank returns how many heads are below h.
func (x *index) rank(h uint64) int {
	i := 0
	for j := 7; j < seps; j += 8 {
		i += less(x.heads[j], h)
	}
	t := (*[7]uint64)(x.heads[i*8:])
	return i*8 + less(t[0], h) + less(t[1], h) + less(t[2], h) + less(t[3], h) + less(t[4], h) + less(t[5], h) + less(t[6], h)
}

// find returns the kid, of n+1, that key belongs to. known is how many bytes key
// surely shares with every key in this node.
func (x *index) find(key []byte, n, known int) int {
	if x.skip > known {
		prefix := x.names[0][:x.skip]
		if s := shared(prefix, key); s < x.skip {
			return outside(prefix, key, s) * n
		}
	}
	h := headOf(key, x.skip)
	i := x.rank(h)
	if i < n && x.heads[i] == h {
		return x.ties(key, n, i)
	}
	return i
}

// ties returns the kid where separators from i on have the head of key.
func (x *index) ties(key []byte, n, i int) int {
	h, end := x.heads[i], i
	for end < n && x.heads[end] == h {
		end++
	}
	for i < end {
		m := int(uint(i+end) >> 1)
		if x.names[m] <= string(key) {
			i = m + 1
		} else {
			end = m
		}
	}
	return i
}

// share returns how many bytes all keys of kid i share at least, known being what
// all in the node share. Zeros that fill up a head are not bytes of a key.
func (x *index) share(i, n, known int) int {
	if i == 0 || i == n {
		return known
	}
	return min(x.skip+sharedHead(x.heads[i-1], x.heads[i]), len(x.names[i-1]))
}

// insert returns an index of n separators with one more at i.
func (x *index) insert(n, i int, name string) *index {
	if n == 0 || shared(x.names[0], name) < x.skip {
		return newIndex(spliced(x.names[:n], i, name))
	}
	y := &index{skip: x.skip}
	copy(y.names[:i], x.names[:i])
	copy(y.heads[:i], x.heads[:i])
	y.names[i], y.heads[i] = name, headOf(name, x.skip)
	copy(y.names[i+1:], x.names[i:seps-1])
	copy(y.heads[i+1:], x.heads[i:seps-1])
	return y
}

func spliced(names []string, i int, name string) []string {
	all := make([]string, 0, seps)
	all = append(all, names[:i]...)
	all = append(all, name)
	return append(all, names[i:]...)
}
