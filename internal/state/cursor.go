package state

// cursor goes through a picture node by node. It stands before the first key of a
// subtree that it has not looked into, or inside a leaf.
type cursor struct {
	in     *Picture
	path   []stop // above top
	top    subtree
	height int // of top, 0 for a leaf
	n      int // keys in top
	pos    int // in top, a leaf; else 0
}

// subtree is a leaf or what a kid is.
type subtree struct {
	leaf *leaf
	kid
}

// stop is a node above the cursor and which kid it is in.
type stop struct {
	kid
	i int
}

// newCursor returns a cursor before the first key not below from.
func newCursor(p *Picture, from []byte) *cursor {
	c := &cursor{in: p, top: subtree{kid: p.root}, height: p.height, n: p.keys}
	if from == nil {
		return c
	}
	for c.height > 0 {
		c.path = append(c.path, stop{c.top.kid, c.find(from)})
		c.stand()
	}
	c.pos, _ = span{from: from}.slots(c.top.leaf, &p.arena)
	return c
}

func (c *cursor) find(key []byte) int {
	if c.height == 1 {
		return c.top.twig.find(key, 0)
	}
	return c.top.bough.find(key, 0)
}

// stand puts the cursor to the kid where its path ends.
func (c *cursor) stand() {
	s := c.path[len(c.path)-1]
	c.height = c.in.height - len(c.path)
	if c.height == 0 {
		c.top, c.n = subtree{leaf: s.twig.kids[s.i]}, int(s.twig.counts[s.i])
	} else {
		c.top, c.n = subtree{kid: s.bough.kids[s.i]}, int(s.bough.counts[s.i])
	}
}

// enter goes to the first kid where the cursor stands at that height.
func (c *cursor) enter(height int) {
	if c.height == height {
		c.path = append(c.path, stop{c.top.kid, 0})
		c.stand()
	}
}

// rest returns how many keys of the leaf come next.
func (c *cursor) rest() int { return c.n - c.pos }

// skip goes over n keys of the leaf.
func (c *cursor) skip(n int) {
	c.pos += n
	if c.rest() == 0 {
		c.next()
	}
}

// next goes to the subtree behind, the highest that begins there.
func (c *cursor) next() {
	c.pos, c.top = 0, subtree{}
	for len(c.path) > 0 {
		last := len(c.path) - 1
		s := &c.path[last]
		s.i++
		if s.i < s.size(c.in.height-last) {
			c.stand()
			return
		}
		c.path = c.path[:last]
	}
}
