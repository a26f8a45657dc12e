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
	twigs  int
	boughs int
	hot    int
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
	if err := c.node(p.root, p.height, p.keys, span{}); err != nil {
		return err
	}
	if p.height > 1 && p.root.bough.n < 2 {
		return fmt.Errorf("the root has one kid")
	}
	if c.leaves != p.leaves || c.twigs != p.twigs || c.boughs != p.boughs {
		return fmt.Errorf("%d leaves, %d twigs, %d boughs, said to be %d, %d, %d", c.leaves, c.twigs, c.boughs, p.leaves, p.twigs, p.boughs)
	}
	if c.hot > 1 || (c.hot == 1) != (p.hot != hotless) {
		return fmt.Errorf("%d hot slots", c.hot)
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

func (c *checker) node(k kid, height, n int, s span) error {
	if height == 1 {
		c.twigs++
		return checkNode(c, k.twig, n, s, func(i int, s span) error {
			return c.leaf(k.twig.kids[i], int(k.twig.counts[i]), s)
		})
	}
	c.boughs++
	return checkNode(c, k.bough, n, s, func(i int, s span) error {
		return c.node(k.bough.kids[i], height-1, int(k.bough.counts[i]), s)
	})
}

func checkNode[K comparable](c *checker, b *node[K], n int, s span, kid func(int, span) error) error {
	if b.n < 1 || b.total() != n || b.owner > c.p.id {
		return fmt.Errorf("a node of %d kids with %d keys, said to be %d", b.n, b.total(), n)
	}
	if err := c.index(b.ix, b.n-1); err != nil {
		return err
	}
	for i := range b.n {
		below := s
		if i > 0 {
			below.from = []byte(b.ix.names[i-1])
		}
		if i < b.n-1 {
			below.to = []byte(b.ix.names[i])
		}
		if err := kid(i, below); err != nil {
			return err
		}
	}
	var no K
	for i := b.n; i < fanout; i++ {
		if b.kids[i] != no || b.counts[i] != 0 {
			return fmt.Errorf("kid %d of %d is in use", i, b.n)
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

func (c *checker) leaf(l *leaf, n int, s span) error {
	c.leaves++
	if int(l.n) != n || l.owner > c.p.id || n == 0 && c.p.keys > 0 {
		return fmt.Errorf("a leaf of %d, said to be %d", l.n, n)
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
	if at.ref == hotRef {
		c.hot++
	}
	c.live[c.p.real(at.ref).slot()] += len(c.p.raw(at.ref))
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
