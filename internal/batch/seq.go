// Package batch says what a batch is: all changes of one transaction, as a value
// and as canonical bytes. It is pure: no disk, no clock, no goroutine.
//
// Canonical bytes (the payload of a record), integers little-endian, lengths as
// the shortest unsigned varint:
//
//	offset  size  field
//	0       1     encoding, 1
//	1       1     flags, 0 (bit 0: objects follow the ops; not yet in use)
//	2       16    writer
//	18      8     counter
//	26      var   number of ops
//	        …     ops: first delete-ranges, ascending, disjoint, not touching; then
//	              puts and deletes, strictly ascending by key; no delete inside a
//	              range
//
//	put           1 | key length | key | value length | value
//	delete        2 | key length | key
//	delete-range  3 | key length | key | end length | end
//
// A key is (space, tenant, bytes) in the order-preserving form of [AppendKey].
// The same ops have one spelling: [Decode] refuses every other.
//
// Embedders do not need this package.
package batch

import (
	"encoding/hex"
	"strconv"
)

// Seq is the number of a batch: 1, 2, 3, … without gaps. Zero means before the first.
type Seq uint64

// String returns the number the way people read it, for example #1042.
func (s Seq) String() string { return "#" + strconv.FormatUint(uint64(s), 10) }

// Chain is the chain value behind a batch: it commits to every batch up to there.
// The zero Chain stands before the first batch.
type Chain [32]byte

// String returns 64 hex digits.
func (c Chain) String() string { return hex.EncodeToString(c[:]) }

// Digest is a BLAKE3 digest.
type Digest [32]byte

// String returns 64 hex digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// Writer identifies who made a batch: a store on a machine, or a remote client.
type Writer [16]byte

// String returns 32 hex digits.
func (w Writer) String() string { return hex.EncodeToString(w[:]) }
