// Package state holds the picture: one version of the whole map in memory, and
// the only way from one version to the next, [Edit.Apply]. It is a pure fold over
// batches: no clock, no randomness, no order of a Go map. What a crash leaves and
// what was lived through give the same picture.
//
// A picture is one copy-on-write B-tree over full keys (see batch.AppendKey) of
// all spaces and tenants together: a million tenants cost nothing extra, what the
// keys of a node share is skipped, and a tenant is a range. Leaves hold the first
// distinguishing bytes of keys beside references into an arena, where key, value
// and seq of an entry lie in one piece. So a lookup misses the cache about twice
// at the bottom, the collector sees no object per entry, and the bytes of the
// arena are those of a checkpoint.
//
// Embedders do not need this package.
package state

import "github.com/vlogdb/vlog/internal/batch"

// Position says behind which batch a picture stands. The zero Position stands
// before the first batch.
type Position struct {
	Seq   batch.Seq
	Time  int64 // of the batch, nanoseconds since 1970 UTC
	Chain batch.Chain
}

// Picture is one immutable version of the map. Any number of goroutines may use
// it at once, also while an Edit that began with it goes on. Make one with Empty,
// Edit.Picture or Loader.Picture; the zero Picture is not valid. What it shares
// with other versions lives as long as one of them.
type Picture struct {
	position Position
	tree
	arena
}

// Empty returns the picture before the first batch.
func Empty() *Picture {
	return &Picture{tree: newTree(0), arena: newArena()}
}

// Seq returns the number of the newest batch.
func (p *Picture) Seq() batch.Seq { return p.position.Seq }

// Time returns the time of the newest batch.
func (p *Picture) Time() int64 { return p.position.Time }

// Chain returns the chain value behind the newest batch.
func (p *Picture) Chain() batch.Chain { return p.position.Chain }

// Position returns all three.
func (p *Picture) Position() Position { return p.position }

// Get returns the entry of a full key. It allocates nothing.
func (p *Picture) Get(key []byte) (Entry, bool) {
	l, pos, found := p.find(key)
	if !found {
		return Entry{}, false
	}
	return p.entry(l.slots[pos].ref), true
}
