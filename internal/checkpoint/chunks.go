package checkpoint

import (
	"encoding/binary"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// Sizes of the binary spelling, in bytes.
const (
	headerSize = vfs.SectorSize
	blockHead  = 8
	footerSize = 64
)

var (
	magicHead = [8]byte{'v', 'l', 'o', 'g', 0, 'c', 'h', 'k'}
	magicEnd  = [8]byte{'v', 'l', 'o', 'g', 0, 'e', 'n', 'd'}
)

// chunks is the spelling of the binary codec: entries as they lie in memory.
type chunks struct{ *summer }

// header implements spelling.
func (c chunks) header() []byte {
	b, h := make([]byte, headerSize), &c.sum.Header
	copy(b, magicHead[:])
	binary.LittleEndian.PutUint32(b[8:], formatVersion)
	copy(b[16:], h.Store[:])
	binary.LittleEndian.PutUint64(b[32:], uint64(h.At.Seq))
	copy(b[40:], h.At.Chain[:])
	binary.LittleEndian.PutUint64(b[72:], uint64(h.At.Time))
	binary.LittleEndian.PutUint32(b[508:], batch.Sum(b[:508]))
	return c.head(b)
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
	return future(uint64(v))
}

// block implements spelling.
func (c chunks) block(dst, entries []byte) []byte {
	mark := c.mark(entries)
	return append(append(dst, mark[:]...), entries...)
}

// mark returns what stands before the entries of the next block, and counts both.
func (c chunks) mark(entries []byte) (b [blockHead]byte) {
	binary.LittleEndian.PutUint32(b[:], uint32(len(entries)))
	binary.LittleEndian.PutUint32(b[4:], c.check(entries))
	c.count(b[:], len(entries))
	return b
}

// footer implements spelling.
func (c chunks) footer(entries uint64) []byte {
	b := make([]byte, footerSize)
	copy(b[8:], magicEnd[:])
	binary.LittleEndian.PutUint64(b[16:], c.sum.Blocks)
	binary.LittleEndian.PutUint64(b[24:], entries)
	digest := c.end(entries)
	copy(b[32:], digest[:])
	binary.LittleEndian.PutUint32(b[4:], batch.Sum(b[8:]))
	c.sum.Size += footerSize
	return b
}

// chunkReader reads what chunks spells.
type chunkReader struct {
	*source
	want chunks
	off  int64           // of the next block
	next [blockHead]byte // its head
	buf  []byte          // for the next block, where nobody has taken the last one
}

// header implements reading.
func (r *chunkReader) header() (Header, error) {
	b := make([]byte, headerSize+blockHead)
	if err := r.read(b, 0); err != nil {
		return Header{}, err
	}
	h, err := decodeHeader(b)
	if err != nil {
		return h, err
	}
	r.want = chunks{newSummer(wal.Binary, h)}
	r.want.header()
	r.off = headerSize
	copy(r.next[:], b[headerSize:])
	return h, nil
}

// block implements reading. The head of the following block is read with it.
func (r *chunkReader) block() ([]byte, error) {
	r.at = r.off
	n := int64(binary.LittleEndian.Uint32(r.next[:]))
	if n == 0 {
		return nil, nil
	}
	if n > r.size-r.off-blockHead-footerSize {
		return nil, damage("block of %d bytes runs over the end of the file", n)
	}
	if int64(cap(r.buf)) < n+blockHead {
		r.buf = make([]byte, n+blockHead)
	}
	b := r.buf[:n+blockHead]
	if err := r.read(b, r.off+blockHead); err != nil {
		return nil, err
	}
	entries := b[:n:n]
	if r.want.mark(entries) != r.next {
		return nil, damage("block does not match its checksum")
	}
	r.off += blockHead + n
	copy(r.next[:], b[n:])
	return entries, nil
}

// entries implements reading. Whoever gets them has them for good.
func (r *chunkReader) entries(block []byte) ([]byte, error) {
	r.buf = nil
	return block, nil
}

// footer implements reading.
func (r *chunkReader) footer() (Summary, error) {
	b := make([]byte, footerSize)
	if err := r.read(b, r.off); err != nil {
		return Summary{}, err
	}
	want := r.want.footer(binary.LittleEndian.Uint64(b[24:]))
	if string(want) != string(b) {
		return Summary{}, damage("footer does not match the blocks")
	}
	return r.want.sum, r.over(r.off + footerSize)
}
