// Package checkpoint keeps complete pictures in files, puts a new one in place by
// the flag protocol (docs/CRASH.md), and says what may be dropped then.
//
// Under the binary codec the file is the image of the map in memory: its blocks are
// the map's arena chunks, entries in key order, so that opening reads and links
// instead of inserting. Integers little-endian:
//
//	header, one sector of 512 bytes
//	offset  size  field
//	0       8     magic "vlog\x00chk"
//	8       4     format, 0
//	12      4     zero
//	16      16    store
//	32      8     seq: the picture holds every batch up to here
//	40      32    chain value behind it
//	72      8     time of that batch
//	80      428   zero
//	508     4     CRC-32C of bytes 0 to 507
//
//	block, repeated
//	0       4     length of the entries, at least 1
//	4       4     CRC-32C of store, seq, number of the block (8 bytes), entries
//	8       …     entries: key length, value length, seq as shortest varints, key, value
//
//	footer, 64 bytes
//	0       4     zero, where a block would have its length
//	4       4     CRC-32C of bytes 8 to 63
//	8       8     magic "vlog\x00end"
//	16      8     blocks
//	24      8     entries
//	32      32    digest: BLAKE3 ("vlog checkpoint v1") of the header, the length and
//	              checksum of each block, and the two counts
//
// Under the NDJSON codec the file has the same blocks in lines of JSON, for people and
// tools, one entry a line; see lines. Which of the two a file is its first byte says.
//
// Embedders do not need this package.
package checkpoint

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/zeebo/blake3"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/wal"
)

// What both spellings share.
const (
	formatVersion = 0
	digestContext = "vlog checkpoint v1"
)

// BlockSize is how many bytes the entries of a block take at most in memory; an
// entry above that is a block alone.
const BlockSize = 512 << 10

// Header is what a checkpoint says about itself.
type Header struct {
	Store wal.StoreID
	At    state.Position
}

// Summary is a checkpoint that was written or verified.
type Summary struct {
	Header
	Codec   wal.Codec
	Blocks  uint64
	Entries uint64
	Size    int64 // bytes of the file
	Digest  batch.Digest
}

func damage(format string, args ...any) *fault.Error {
	return &fault.Error{Err: fault.ErrCorrupt, Detail: fmt.Sprintf(format, args...)}
}

func future(version uint64) error {
	return &fault.Error{Err: fault.ErrIncompatible, Detail: fmt.Sprintf("checkpoint format %d, this version knows %d", version, formatVersion)}
}

// spelling turns a picture into the bytes of a file. What it returns goes into the
// file in this order: the header, each block, the footer.
type spelling interface {
	header() []byte
	// block appends the next block, made of a block of the picture's image.
	block(dst, entries []byte) []byte
	footer(entries uint64) []byte
	// summary is that of what was spelled so far.
	summary() Summary
}

func newSpelling(c wal.Codec, h Header) spelling {
	if c == wal.NDJSON {
		return lines{newSummer(c, h)}
	}
	return chunks{newSummer(c, h)}
}

// summer folds the checksums of blocks and the digest of the file.
type summer struct {
	salt   []byte // store, seq, and room for the number of the block
	digest *blake3.Hasher
	sum    Summary
}

func newSummer(c wal.Codec, h Header) *summer {
	s := &summer{digest: blake3.NewDeriveKey(digestContext), sum: Summary{Header: h, Codec: c}}
	s.salt = append(s.salt, h.Store[:]...)
	s.salt = binary.LittleEndian.AppendUint64(s.salt, uint64(h.At.Seq))
	return s
}

// summary implements spelling.
func (s *summer) summary() Summary { return s.sum }

// check returns the checksum of the next block.
func (s *summer) check(entries []byte) uint32 { return s.checkOf(s.sum.Blocks, entries) }

// checkOf returns the checksum of a block by its number. It may be called at once.
func (s *summer) checkOf(number uint64, entries []byte) uint32 {
	salt := binary.LittleEndian.AppendUint64(slices.Clip(s.salt), number)
	return batch.SumMore(batch.Sum(salt), entries)
}

// head counts the header of the file.
func (s *summer) head(b []byte) []byte {
	s.digest.Write(b) // a hash never fails to write
	s.sum.Size += int64(len(b))
	return b
}

// count counts a block of n bytes beside the mark that holds its checksum.
func (s *summer) count(mark []byte, n int) {
	s.digest.Write(mark)
	s.sum.Blocks++
	s.sum.Size += int64(len(mark) + n)
}

// end returns the digest, which the footer holds.
func (s *summer) end(entries uint64) batch.Digest {
	counts := binary.LittleEndian.AppendUint64(nil, s.sum.Blocks)
	s.digest.Write(binary.LittleEndian.AppendUint64(counts, entries))
	s.sum.Entries, s.sum.Digest = entries, batch.Digest(s.digest.Sum(nil))
	return s.sum.Digest
}
