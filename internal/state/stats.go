package state

// Stats says what a picture costs.
type Stats struct {
	Keys       int
	LiveBytes  int // of the entries: keys, values and their headers
	ArenaBytes int // of the chunks they lie in
	Chunks     int
	Nodes      int
	HeapBytes  int // estimate: arena, nodes and tables, as if nothing were shared
}

// Stats returns what the picture costs, without looking at its entries.
func (p *Picture) Stats() Stats {
	const leafBytes, twigBytes, boughBytes, tableBytes = 512, 704 + indexBytes, 1152 + indexBytes, 48
	tree := p.leaves*leafBytes + p.twigs*twigBytes + p.boughs*boughBytes
	return Stats{
		Keys:       p.keys,
		LiveBytes:  p.alive,
		ArenaBytes: p.bytes,
		Chunks:     len(p.chunks) - p.free,
		Nodes:      p.nodes(),
		HeapBytes:  p.bytes + tree + len(p.chunks)*tableBytes,
	}
}

// indexBytes is an index with 16 bytes for each separator.
const indexBytes = 1408 + seps*16
