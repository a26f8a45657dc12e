package state

import (
	"bytes"
	"slices"
	"testing"

	"github.com/vlogdb/vlog/internal/batch"
)

// TestTall goes through a tree that is three nodes high from both ends, and cuts whole
// subtrees out of it: small trees have none.
func TestTall(t *testing.T) {
	keys := clusterKeys(300_000)
	p := load(t, inserted(keys, 1000), 1<<16)
	if p.height < 3 {
		t.Fatalf("the tree is %d high", p.height)
	}
	keys = slices.DeleteFunc(keys, func(k []byte) bool { return k[0] != byte(batch.KV) })
	sameKeys(t, p, keys)
	for _, c := range [][2]int{{10, len(keys) - 10}, {0, 150_000}, {60_001, 270_007}} {
		e := NewEdit(p)
		op := batch.Op{Kind: batch.DeleteRange, Key: keys[c[0]]}
		if op.End = batch.NextPrefix(keys[len(keys)-1]); c[1] < len(keys) {
			op.End = keys[c[1]]
		}
		e.Apply(&batch.Batch{Ops: []batch.Op{op}}, Position{Seq: p.Seq() + 1})
		left := slices.Concat(keys[:c[0]], keys[c[1]:])
		cut := e.Picture()
		sameKeys(t, cut, left)
		if live := load(t, cut, 1<<16).Stats(); live.Keys != cut.Stats().Keys || live.LiveBytes != cut.Stats().LiveBytes {
			t.Errorf("cut %v: %+v, loaded %+v", c, cut.Stats(), live)
		}
	}
	sameKeys(t, p, keys)
}

// sameKeys compares a picture with sorted keys, from both ends and from the middle.
func sameKeys(t *testing.T, p *Picture, keys [][]byte) {
	t.Helper()
	i := 0
	for e := range p.Ascend([]byte{byte(batch.KV)}, nil) {
		if i == len(keys) || !bytes.Equal(e.Key, keys[i]) {
			t.Fatalf("at %d of %d stands %x", i, len(keys), e.Key)
		}
		i++
	}
	for e := range p.Descend([]byte{byte(batch.KV)}, nil) {
		if i--; i < 0 || !bytes.Equal(e.Key, keys[i]) {
			t.Fatalf("from the end, at %d of %d stands %x", i, len(keys), e.Key)
		}
	}
	if i != 0 {
		t.Fatalf("%d keys are missing from the end", i)
	}
	if len(keys) < 2 {
		return
	}
	from, to := len(keys)/3, len(keys)*2/3
	i = to
	for e := range p.Descend(keys[from], keys[to]) {
		if i--; !bytes.Equal(e.Key, keys[i]) {
			t.Fatalf("in the middle, at %d stands %x", i, e.Key)
		}
	}
	if i != from {
		t.Fatalf("the middle ends at %d, not at %d", i, from)
	}
}
