package state

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
)

// check looks at the entries of an image, one behind the other. Nothing in them
// is trusted.
type check struct {
	at     Position
	last   []byte // key of the entry before
	prefix int    // how many bytes of it are its space and tenant
}

// next returns the key of the entry that b begins with and the entry's size.
func (c *check) next(b []byte) (key []byte, size int, err error) {
	keyLen, valueLen, seq, n, err := fields(b)
	if err != nil {
		return nil, 0, err
	}
	left := uint64(len(b) - n)
	if keyLen > left || valueLen > left-keyLen {
		return nil, 0, corrupt("an entry of %d and %d bytes, %d left", keyLen, valueLen, left)
	}
	if seq == 0 || seq > uint64(c.at.Seq) {
		return nil, 0, corrupt("an entry of batch #%d in an image at %v", seq, c.at.Seq)
	}
	key = b[n : n+int(keyLen)]
	if err := c.key(key); err != nil {
		return nil, 0, err
	}
	return key, n + int(keyLen+valueLen), nil
}

// key checks that a key is well-formed and behind the one before. A prefix that
// the key before had needs no second look.
func (c *check) key(key []byte) error {
	if bytes.Compare(c.last, key) >= 0 {
		return corrupt("keys do not ascend")
	}
	if c.prefix == 0 || len(key) < c.prefix || string(key[:c.prefix]) != string(c.last[:c.prefix]) {
		if _, _, _, err := batch.SplitKey(key); err != nil {
			return &fault.Error{Op: "load image", Err: fault.ErrCorrupt, Cause: err}
		}
		c.prefix = batch.PrefixLen(key)
	}
	if own := len(key) - c.prefix; own > batch.MaxKey {
		return corrupt("a key of %d bytes, at most %d", own, batch.MaxKey)
	}
	c.last = key
	return nil
}

// fields reads the header of an entry, n bytes long.
func fields(b []byte) (key, value, seq uint64, n int, err error) {
	var v [3]uint64
	for i := range v {
		m := 0
		if n < len(b) && b[n] < 0x80 {
			v[i], m = uint64(b[n]), 1
		} else if v[i], m = binary.Uvarint(b[n:]); m <= 0 || b[n+m-1] == 0 {
			return 0, 0, 0, 0, corrupt("a length is not a shortest varint")
		}
		n += m
	}
	if v[0] > math.MaxUint32 || v[1] > math.MaxUint32 {
		return 0, 0, 0, 0, corrupt("an entry of %d and %d bytes", v[0], v[1])
	}
	return v[0], v[1], v[2], n, nil
}
