package state

// Len returns how many keys there are.
func (p *Picture) Len() int { return p.root.n }

// Count returns how many keys there are with from <= key < to; a nil to means to
// the end. It costs about as much as two lookups.
func (p *Picture) Count(from, to []byte) int {
	n := p.root.n
	if to != nil {
		n = p.rankOf(to)
	}
	if from != nil {
		n -= p.rankOf(from)
	}
	return max(n, 0)
}

// rankOf returns how many keys are below key.
func (p *Picture) rankOf(key []byte) int {
	n, known, i := 0, 0, 0
	c := &p.root
	for range p.height {
		in := c.in
		i, known = in.find(key, known)
		n += sum(in.kids[:i])
		c = &in.kids[i]
	}
	lo, _ := span{from: key}.slots(c.leaf, &p.arena)
	return n + lo
}
