package state

import (
	"bytes"
	"fmt"

	"pgregory.net/rapid"

	"github.com/vlogdb/vlog/internal/batch"
)

// keyMaker draws keys that meet often and differ late.
type keyMaker struct {
	points  int // in a batch
	deletes int // in ten
	max     int // keys of a kind
}

func (k keyMaker) tree(t *rapid.T) (batch.Space, string) {
	space := rapid.SampledFrom([]batch.Space{batch.KV, batch.KV, batch.Sys, batch.Comm}).Draw(t, "space")
	tenant := rapid.SampledFrom([]string{batch.Main, batch.Main, "a", "ab", "tenant-with-a-long-name.1", "tenant-with-a-long-name.2"}).Draw(t, "tenant")
	return space, tenant
}

func (k keyMaker) bytes(t *rapid.T) []byte {
	i := rapid.IntRange(0, k.max).Draw(t, "i")
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0:
		return fmt.Appendf(nil, "key-%06d", i)
	case 1: // equal heads, zeros that a head cannot tell from its filling
		return append(make([]byte, i%20), byte(i/20))
	case 2: // prefixes of each other
		return bytes.Repeat([]byte{'x'}, i%90)
	case 3: // one long prefix
		return fmt.Appendf(bytes.Repeat([]byte{'y'}, 300), "%d", i)
	}
	return []byte{byte(i * 157), byte(i), byte(i >> 8)}
}

func (k keyMaker) key(t *rapid.T) []byte {
	if rapid.IntRange(0, 30).Draw(t, "writers") == 0 {
		return WriterKey(batch.Writer{rapid.Byte().Draw(t, "writer") & 3})
	}
	space, tenant := k.tree(t)
	return batch.AppendKey(nil, space, tenant, k.bytes(t))
}

// bound is a key, a part of one, or nil.
func (k keyMaker) bound(t *rapid.T) []byte {
	if rapid.IntRange(0, 5).Draw(t, "nil") == 0 {
		return nil
	}
	key := k.key(t)
	return key[:rapid.IntRange(0, len(key)).Draw(t, "length")]
}

func (k keyMaker) value(t *rapid.T) []byte {
	n := rapid.SampledFrom([]int{0, 1, 8, 130, 700}).Draw(t, "size")
	if rapid.IntRange(0, 60).Draw(t, "large") == 0 {
		n = 9000
	}
	return bytes.Repeat([]byte{rapid.Byte().Draw(t, "byte")}, n)
}
