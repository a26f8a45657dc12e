package state

// cursor goes through a picture node by node. It stands before the first key of a
// subtree that it has not looked into, or inside a leaf.
type cursor struct {
	in     *Picture
	path   []step // above top
	top    child
	height int // of top
	pos    int // in top, a leaf; else 0
}

// newCursor returns a cursor before the first key not below from. There must be
// one.
func newCursor(p *Picture, from []byte) *cursor {
	c := &cursor{in: p, top: p.root, height: p.height}
	if from == nil {
		return c
	}
	for c.height > 0 {
		i, _ := c.top.in.find(from, 0)
		c.down(i)
	}
	c.pos, _ = span{from: from}.slots(c.top.leaf, &p.arena)
	c.skip(0)
	return c
}

// down goes to child i of the node where the cursor stands.
func (c *cursor) down(i int) {
	in := c.top.in
	c.path = append(c.path, step{in, i})
	c.top = in.kids[i]
	c.height--
}

// enter goes to the first child where the cursor stands at that height.
func (c *cursor) enter(height int) {
	if c.height == height {
		c.down(0)
	}
}

// rest returns how many keys of the leaf come next.
func (c *cursor) rest() int { return c.top.n - c.pos }

// skip goes over n keys of the leaf.
func (c *cursor) skip(n int) {
	c.pos += n
	if c.rest() == 0 {
		c.next()
	}
}

// next goes to the subtree behind, the highest that begins there.
func (c *cursor) next() {
	c.pos, c.top = 0, child{}
	for d := len(c.path) - 1; d >= 0; d-- {
		s := &c.path[d]
		c.height++
		s.i++
		if s.i < s.in.n {
			c.path = c.path[:d+1]
			c.top = s.in.kids[s.i]
			c.height--
			return
		}
	}
	c.path = c.path[:0]
}
