package wal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

// Sizes of the format, in bytes.
const (
	sector     = vfs.SectorSize
	HeaderSize = sector // of a segment
	frameHead  = 40
	chainSize  = 32
	openHead   = frameHead + chainSize
	sealBody   = 8 + chainSize
	sealSize   = sector // a seal with its padding
	frameAlign = 8
)

const formatVersion = 0

// Version is the format of segments that this package writes and reads.
const Version = formatVersion

var segmentMagic = [8]byte{'v', 'l', 'o', 'g', 0, 's', 'e', 'g'}

// StoreID identifies a store; it lies under every checksum.
type StoreID = [16]byte

// Header is what a segment says about itself.
type Header struct {
	Store   StoreID
	Epoch   uint64 // random, new for each use of the file
	First   Seq    // seq of the first frame
	Chain   Chain  // before the first frame
	Created int64  // nanoseconds since 1970
}

func (h *Header) encode() []byte {
	b := make([]byte, HeaderSize)
	copy(b, segmentMagic[:])
	binary.LittleEndian.PutUint32(b[8:], formatVersion)
	binary.LittleEndian.PutUint32(b[12:], sector)
	copy(b[16:], h.Store[:])
	binary.LittleEndian.PutUint64(b[32:], h.Epoch)
	binary.LittleEndian.PutUint64(b[40:], uint64(h.First))
	copy(b[48:], h.Chain[:])
	binary.LittleEndian.PutUint64(b[80:], uint64(h.Created))
	binary.LittleEndian.PutUint32(b[HeaderSize-4:], batch.Sum(b[:HeaderSize-4]))
	return b
}

// decodeHeader reads a segment header. The version is looked at before anything
// else that could be wrong, so that a file from the future is named as such.
func decodeHeader(b []byte) (h Header, err error) {
	if len(b) < HeaderSize || [8]byte(b[:8]) != segmentMagic {
		return h, damage("not a segment: no magic")
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != formatVersion {
		return h, headerVersion(b, v)
	}
	if want := binary.LittleEndian.Uint32(b[HeaderSize-4:]); want != batch.Sum(b[:HeaderSize-4]) {
		return h, damage("segment header does not match its checksum")
	}
	if s := binary.LittleEndian.Uint32(b[12:]); s != sector {
		return h, &fault.Error{Err: fault.ErrIncompatible, Detail: fmt.Sprintf("sector size %d", s)}
	}
	copy(h.Store[:], b[16:])
	h.Epoch = binary.LittleEndian.Uint64(b[32:])
	h.First = Seq(binary.LittleEndian.Uint64(b[40:]))
	copy(h.Chain[:], b[48:])
	h.Created = int64(binary.LittleEndian.Uint64(b[80:]))
	return h, nil
}

// headerVersion tells a future format from a damaged version field: the checksum
// of this format holds over the bytes with version 0 only where a bit was flipped.
func headerVersion(b []byte, v uint32) error {
	mended := append([]byte(nil), b[:HeaderSize]...)
	binary.LittleEndian.PutUint32(mended[8:], formatVersion)
	if binary.LittleEndian.Uint32(b[HeaderSize-4:]) == batch.Sum(mended[:HeaderSize-4]) {
		return damage("segment header does not match its checksum")
	}
	return &fault.Error{Err: fault.ErrIncompatible, Detail: fmt.Sprintf("segment format %d, this version knows %d", v, formatVersion)}
}

func damage(detail string) *fault.Error {
	return &fault.Error{Err: fault.ErrCorrupt, Detail: detail}
}

// salt is the part of a frame's checksum that is the same in a whole segment.
type salt uint32

func (h *Header) salt() salt {
	var b [24]byte
	copy(b[:], h.Store[:])
	binary.LittleEndian.PutUint64(b[16:], h.Epoch)
	return salt(batch.Sum(b[:]))
}

// Kinds of frame.
const (
	kindBatch = 1
	kindSeal  = 2
)

const (
	flagsRecord = byte(batch.FlagRef | batch.FlagCompressed | batch.FlagEncrypted)
	flagOpens   = 1 << 7
)

// frame is a decoded frame header.
type frame struct {
	kind   byte
	flags  byte
	length uint32
	seq    Seq
	time   int64
	synced Seq
	sum    uint32
	chain  Chain // only where it opens a group

	size  int64  // of header and payload in the file
	why   string // why it is none; empty where it is one
	text  []byte // of a line: what spells the payload
	count uint64 // of a line: frames that a seal counts
}

func (f *frame) opens() bool { return f.flags&flagOpens != 0 }

// head returns how long the header is.
func (f *frame) head() int64 {
	if f.opens() {
		return openHead
	}
	return frameHead
}

// appendFrame appends the header of f, which will stand at file offset off.
func appendFrame(dst []byte, f *frame, s salt, off int64) []byte {
	at := len(dst)
	dst = append(dst, 'v', 'F', f.kind, f.flags)
	dst = binary.LittleEndian.AppendUint32(dst, f.length)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(f.seq))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(f.time))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(f.synced))
	dst = binary.LittleEndian.AppendUint32(dst, f.sum)
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	if f.opens() {
		dst = append(dst, f.chain[:]...)
	}
	sum := frameSum(dst[at:], s, off)
	binary.LittleEndian.PutUint32(dst[at+36:], sum)
	return dst
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// frameSum computes the header checksum of b, a header of 40 or 72 bytes.
func frameSum(b []byte, s salt, off int64) uint32 {
	var place [8]byte
	binary.LittleEndian.PutUint64(place[:], uint64(off))
	sum := crc32.Update(uint32(s), castagnoli, place[:])
	sum = crc32.Update(sum, castagnoli, b[:36])
	return crc32.Update(sum, castagnoli, b[frameHead:])
}

// decodeFrame reads the header at the start of b, which stands at file offset
// off. ok is false where no header of this segment stands there; b may be longer.
func decodeFrame(b []byte, s salt, off int64) (f frame, ok bool) {
	if len(b) < frameHead || b[0] != 'v' || b[1] != 'F' {
		return f, false
	}
	f.kind, f.flags = b[2], b[3]
	if int64(len(b)) < f.head() {
		return f, false
	}
	if binary.LittleEndian.Uint32(b[36:]) != frameSum(b[:f.head()], s, off) {
		return f, false
	}
	f.length = binary.LittleEndian.Uint32(b[4:])
	f.seq = Seq(binary.LittleEndian.Uint64(b[8:]))
	f.time = int64(binary.LittleEndian.Uint64(b[16:]))
	f.synced = Seq(binary.LittleEndian.Uint64(b[24:]))
	f.sum = binary.LittleEndian.Uint32(b[32:])
	if f.opens() {
		copy(f.chain[:], b[frameHead:])
	}
	f.size = f.head() + int64(f.length)
	return f, true
}

// known returns fault.ErrIncompatible where f has a kind or flag of the future.
func (f *frame) known() error {
	if f.kind != kindBatch && f.kind != kindSeal {
		return &fault.Error{Err: fault.ErrIncompatible, Detail: fmt.Sprintf("frame kind %d", f.kind)}
	}
	if rest := f.flags &^ (flagOpens | byte(batch.FlagRef)); rest != 0 {
		return &fault.Error{Err: fault.ErrIncompatible, Detail: fmt.Sprintf("frame flags %#x", rest)}
	}
	return nil
}

// group is what one append writes.
type group struct {
	after   Seq
	chain   Chain // before the first record
	synced  Seq
	records []Record
	texts   [][]byte // how the records are spelled, where that is not their payload
}

func sealPayload(count uint64, chain Chain) []byte {
	return append(binary.LittleEndian.AppendUint64(make([]byte, 0, sealBody), count), chain[:]...)
}

type sealPlace struct {
	salt salt
	off  int64
	time int64
}

// appendZeros pads dst until its length since base is a multiple of unit.
func appendZeros(dst []byte, base, unit int) []byte {
	for (len(dst)-base)%unit != 0 {
		dst = append(dst, 0)
	}
	return dst
}

func alignUp(n, unit int64) int64 { return (n + unit - 1) / unit * unit }
