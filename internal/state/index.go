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

// find returns the child, of n+1, that key belongs to. known is how many bytes
// key surely shares with every key in this node; find returns the same for the
// child.
func (x *index) find(key []byte, n, known int) (child, share int) {
	if x.skip > known {
		prefix := x.names[0][:x.skip]
		if s := shared(prefix, key); s < x.skip {
			return outside(prefix, key, s) * n, known
		}
	}
	h := headOf(key, x.skip)
	i := x.rank(h)
	if i < n && x.heads[i] == h {
		i = x.ties(key, n, i)
	}
	if i == 0 || i == n {
		return i, known
	}
	return i, x.between(i)
}

// ties returns the child where separators from i on have the head of key.
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

// between returns how many bytes all keys between separators i-1 and i share at
// least. Zeros that fill up a head are not bytes of a key.
func (x *index) between(i int) int {
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
