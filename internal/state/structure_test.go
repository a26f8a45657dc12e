package state

import (
	"bytes"
	"fmt"
	"testing"
)

// checker looks at every node of a picture and computes anew all that it says of
// itself.
type checker struct {
	p      *Picture
	last   []byte
	live   []int
	leaves int
	inners int
}

// mustBeSound fails the test where a picture's structure is not what it should be.
func mustBeSound(t testing.TB, p *Picture) {
	t.Helper()
	if err := sound(p); err != nil {
		t.Fatal(err)
	}
}

func sound(p *Picture) error {
	c := &checker{p: p, live: make([]int, len(p.chunks))}
	if err := c.node(p.root, p.height, span{}); err != nil {
		return err
	}
	if c.leaves != p.leaves || c.inners != p.inners {
		return fmt.Errorf("%d leaves and %d inner nodes, said to be %d and %d", c.leaves, c.inners, p.leaves, p.inners)
	}
	return c.slots()
}

func (c *checker) slots() error {
	bytes, alive, free := 0, 0, 0
	for i, chunk := range c.p.chunks {
		if c.live[i] != c.p.liveAt(i) {
			return fmt.Errorf("slot %d has %d live bytes, said to be %d", i, c.live[i], c.p.liveAt(i))
		}
		alive += c.live[i]
		if chunk == nil {
			free++
			continue
		}
		bytes += len(chunk.data)
		if c.live[i] == 0 && i != c.p.tail {
			return fmt.Errorf("slot %d has nothing alive", i)
		}
	}
	if bytes != c.p.bytes || alive != c.p.alive || free != c.p.free {
		return fmt.Errorf("bytes %d, alive %d, free %d, said to be %d, %d, %d", bytes, alive, free, c.p.bytes, c.p.alive, c.p.free)
	}
	return nil
}

func (c *checker) node(n child, height int, s span) error {
	if height == 0 {
		return c.leaf(n, s)
	}
	c.inners++
	in := n.in
	if n.leaf != nil || in.n < 1 || in.total() != n.n || in.owner > c.p.id {
		return fmt.Errorf("an inner node of %d children with %d keys, said to be %d", in.n, in.total(), n.n)
	}
	if err := c.index(in.ix, in.n-1); err != nil {
		return err
	}
	for i := range in.n {
		below := s
		if i > 0 {
			below.from = []byte(in.ix.names[i-1])
		}
		if i < in.n-1 {
			below.to = []byte(in.ix.names[i])
		}
		if err := c.node(in.kids[i], height-1, below); err != nil {
			return err
		}
	}
	for i := in.n; i < fanout; i++ {
		if in.kids[i] != (child{}) {
			return fmt.Errorf("child %d of %d is in use", i, in.n)
		}
	}
	return nil
}

func (c *checker) index(x *index, n int) error {
	for i := range seps {
		if i >= n {
			if x.heads[i] != none || x.names[i] != "" {
				return fmt.Errorf("separator %d of %d is in use", i, n)
			}
			continue
		}
		if i > 0 && x.names[i-1] >= x.names[i] {
			return fmt.Errorf("separators %d do not ascend", i)
		}
		if x.heads[i] != headOf(x.names[i], x.skip) || shared(x.names[0], x.names[i]) < x.skip {
			return fmt.Errorf("separator %d has a wrong head or prefix", i)
		}
	}
	return nil
}

func (c *checker) leaf(n child, s span) error {
	c.leaves++
	l := n.leaf
	if n.in != nil || int(l.n) != n.n || l.owner > c.p.id || l.n == 0 && c.p.height > 0 {
		return fmt.Errorf("a leaf of %d, said to be %d", l.n, n.n)
	}
	if l.n == 0 && l.skip != 0 {
		return fmt.Errorf("an empty leaf skips %d", l.skip)
	}
	for i := int(l.n); i < leafMax; i++ {
		if l.slots[i] != (slot{head: none}) {
			return fmt.Errorf("slot %d of %d is in use", i, l.n)
		}
	}
	for i, at := range l.slots[:l.n] {
		if err := c.slot(l, i, at, s); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) slot(l *leaf, i int, at slot, s span) error {
	key := c.p.key(at.ref)
	c.live[at.ref.slot()] += len(c.p.raw(at.ref))
	if c.last != nil && bytes.Compare(c.last, key) >= 0 {
		return fmt.Errorf("keys do not ascend at %x", key)
	}
	c.last = key
	if s.from != nil && bytes.Compare(key, s.from) < 0 || s.to != nil && bytes.Compare(key, s.to) >= 0 {
		return fmt.Errorf("key %x outside %x to %x", key, s.from, s.to)
	}
	first := c.p.key(l.slots[0].ref)
	if shared(first, key) < int(l.skip) || at.head != headOf(key, int(l.skip)) {
		return fmt.Errorf("slot %d: key %x, skip %d, head %x", i, key, l.skip, at.head)
	}
	return nil
}
