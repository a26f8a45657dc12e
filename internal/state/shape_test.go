package state

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/vlogdb/vlog/internal/batch"
)

// shape is what makes a picture fast and small, though it would not be wrong
// otherwise.
type shape struct {
	equal  int // slots whose head is that of the slot before
	names  int // bytes of separators
	leaves int
	twigs  int
}

func shapeOf(p *Picture) (s shape) {
	s.leaves, s.twigs = p.leaves, p.twigs
	s.kid(p.root, p.height)
	return s
}

func (s *shape) kid(k kid, height int) {
	if height > 1 {
		s.name(k.bough.names())
		for _, k := range k.bough.kids[:k.bough.n] {
			s.kid(k, height-1)
		}
		return
	}
	s.name(k.twig.names())
	for _, l := range k.twig.kids[:k.twig.n] {
		for i := 1; i < int(l.n); i++ {
			if l.slots[i].head == l.slots[i-1].head {
				s.equal++
			}
		}
	}
}

func (s *shape) name(names []string) {
	for _, name := range names {
		s.names += len(name)
	}
}

// clusterKeys are keys of some things, each with a long name of its own; what is
// behind the number need not stand in a separator. The first has nothing in common
// with what nodes skip, and says much where they look.
func clusterKeys(n int) (keys [][]byte) {
	keys = append(keys, batch.AppendKey(nil, batch.Sys, batch.Main, bytes.Repeat([]byte{0xff}, 200)))
	for i := range n - 1 {
		keys = append(keys, kvKey("thing-%040d/%06d/%060d", i%20, i/20, 0))
	}
	slices.SortFunc(keys, bytes.Compare)
	return keys
}

func deleted(p *Picture, keys [][]byte) *Picture {
	e, seq := NewEdit(p), p.Seq()
	for keys := range slices.Chunk(keys, 100) {
		var b batch.Batch
		for _, key := range keys {
			b.Ops = append(b.Ops, batch.Op{Kind: batch.Delete, Key: key})
		}
		slices.SortFunc(b.Ops, func(x, y batch.Op) int { return bytes.Compare(x.Key, y.Key) })
		seq++
		e.Apply(&b, Position{Seq: seq})
	}
	return e.Picture()
}

// TestShape: leaves are as full, heads as telling and separators as short as the
// order of the changes allows.
func TestShape(t *testing.T) {
	const n = 40_000
	keys := clusterKeys(n)
	down := slices.Clone(keys)
	slices.Reverse(down)
	random := make([][]byte, n)
	for i, j := range perm(n) {
		random[i] = keys[j]
	}
	filled := inserted(random, 100)
	for name, c := range map[string]struct {
		p              *Picture
		leaves, twigs  int // at most
		equal, average int // heads that say nothing; bytes of a separator
	}{
		"ascending":  {inserted(keys, 1), n/leafMax + 60, n/leafMax/fanout + 6, 600, 58},
		"descending": {inserted(down, 1), n/leafMax + 60, n/leafMax/(fanout/2) + 6, 600, 58},
		"random":     {filled, n/leafMax*3/2 + 60, n/leafMax/fanout*5/2 + 6, 600, 58},
		"thinned":    {deleted(filled, random[n/10:]), n/10/leafMin + 60, n/10/leafMin/nodeMin + 6, 600, 58},
		"loaded":     {load(t, filled, 1<<16), n/leafLoad + 2, n/leafLoad/nodeLoad + 2, 600, 58},
	} {
		for e := range c.p.Ascend(nil, nil) { // the first is a writer's: it shares nothing with what nodes skip
			if got, ok := c.p.Get(e.Key); !ok || !equal(got, e) {
				t.Fatalf("%s: Get(%x) is %v", name, e.Key, ok)
			}
		}
		s := shapeOf(c.p)
		if s.leaves > c.leaves || s.twigs > c.twigs || s.equal > c.equal || s.names > c.average*s.leaves {
			t.Errorf("%s: %s, of %d keys; at most %d leaves, %d twigs, %d equal heads, %d bytes for each separator",
				name, fmt.Sprintf("%+v", s), c.p.Len(), c.leaves, c.twigs, c.equal, c.average)
		}
	}
}
