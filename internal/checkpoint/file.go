// Package checkpoint keeps complete pictures in files, puts a new one in place by
// the flag protocol (docs/CRASH.md), and says what may be dropped then.
//
// The file is the image of the map in memory: its blocks are the map's arena
// chunks, entries in key order, so that opening reads and links instead of
// inserting. Integers little-endian:
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
// Embedders do not need this package.
package checkpoint

import (
	"encoding/binary"
	"fmt"

	"github.com/zeebo/blake3"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// Sizes of the format, in bytes.
const (
	headerSize    = vfs.SectorSize
	blockHead     = 8
	footerSize    = 64
	formatVersion = 0
	digestContext = "vlog checkpoint v1"
)

// BlockSize is how many bytes of entries a block holds at least, but for the last.
const BlockSize = 512 << 10

var (
	magicHead = [8]byte{'v', 'l', 'o', 'g', 0, 'c', 'h', 'k'}
	magicEnd  = [8]byte{'v', 'l', 'o', 'g', 0, 'e', 'n', 'd'}
)

// Header is what a checkpoint says about itself.
type Header struct {
	Store wal.StoreID
	At    state.Position
}

// Summary is a checkpoint that was written or verified.
type Summary struct {
	Header
	Blocks  uint64
	Entries uint64
	Size    int64 // bytes of the file
	Digest  batch.Digest
}

func (h *Header) encode() []byte {
	b := make([]byte, headerSize)
	copy(b, magicHead[:])
	binary.LittleEndian.PutUint32(b[8:], formatVersion)
	copy(b[16:], h.Store[:])
	binary.LittleEndian.PutUint64(b[32:], uint64(h.At.Seq))
	copy(b[40:], h.At.Chain[:])
	binary.LittleEndian.PutUint64(b[72:], uint64(h.At.Time))
	binary.LittleEndian.PutUint32(b[508:], batch.Sum(b[:508]))
	return b
}

func decodeHeader(b []byte) (h Header, err error) {
	if len(b) < headerSize || [8]byte(b[:8]) != magicHead {
		return h, damage("not a checkpoint: no magic")
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != formatVersion {
		return h, headerVersion(b, v)
	}
	if binary.LittleEndian.Uint32(b[508:]) != batch.Sum(b[:508]) {
		return h, damage("checkpoint header does not match its checksum")
	}
	copy(h.Store[:], b[16:])
	h.At.Seq = batch.Seq(binary.LittleEndian.Uint64(b[32:]))
	copy(h.At.Chain[:], b[40:])
	h.At.Time = int64(binary.LittleEndian.Uint64(b[72:]))
	return h, nil
}

// headerVersion tells a future format from a damaged version field: with this
// version put in place the checksum holds only where a bit was flipped.
func headerVersion(b []byte, v uint32) error {
	mended := append([]byte(nil), b[:headerSize]...)
	binary.LittleEndian.PutUint32(mended[8:], formatVersion)
	if binary.LittleEndian.Uint32(b[508:]) == batch.Sum(mended[:508]) {
		return damage("checkpoint header does not match its checksum")
	}
	return &fault.Error{Err: fault.ErrIncompatible, Detail: fmt.Sprintf("checkpoint format %d, this version knows %d", v, formatVersion)}
}

func damage(format string, args ...any) *fault.Error {
	return &fault.Error{Err: fault.ErrCorrupt, Detail: fmt.Sprintf(format, args...)}
}

// summer folds the checksums of blocks and the digest of the file.
type summer struct {
	salt   []byte // store, seq, and room for the number of the block
	digest *blake3.Hasher
	sum    Summary
}

func newSummer(h Header) *summer {
	s := &summer{digest: blake3.NewDeriveKey(digestContext), sum: Summary{Header: h, Size: headerSize}}
	s.salt = append(s.salt, h.Store[:]...)
	s.salt = binary.LittleEndian.AppendUint64(s.salt, uint64(h.At.Seq))
	s.digest.Write(h.encode()) // a hash never fails to write
	return s
}

// head returns the head of the next block and counts it.
func (s *summer) head(entries []byte) (b [blockHead]byte) {
	binary.LittleEndian.PutUint32(b[:], uint32(len(entries)))
	binary.LittleEndian.PutUint32(b[4:], s.check(entries))
	s.digest.Write(b[:])
	s.sum.Blocks++
	s.sum.Size += blockHead + int64(len(entries))
	return b
}

func (s *summer) check(entries []byte) uint32 {
	salt := binary.LittleEndian.AppendUint64(s.salt, s.sum.Blocks)
	return batch.SumMore(batch.Sum(salt), entries)
}

// footer ends the file.
func (s *summer) footer(entries uint64) []byte {
	b := make([]byte, footerSize)
	copy(b[8:], magicEnd[:])
	binary.LittleEndian.PutUint64(b[16:], s.sum.Blocks)
	binary.LittleEndian.PutUint64(b[24:], entries)
	s.digest.Write(b[16:32])
	copy(b[32:], s.digest.Sum(nil))
	binary.LittleEndian.PutUint32(b[4:], batch.Sum(b[8:]))
	s.sum.Entries, s.sum.Digest = entries, batch.Digest(b[32:])
	s.sum.Size += footerSize
	return b
}
