package wal

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/zeebo/blake3"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

// durableSize is the length of log/durable, in bytes:
//
//	offset  size  field
//	0       8     magic "vlog\x00dur"
//	8       16    store
//	24      16    boot: the first bytes of the BLAKE3 digest of the boot's name
//	40      8     first seq of the segment being written, 0 where there is none
//	48      8     seq: every batch up to here is durable
//	56      4     zero
//	60      4     CRC-32C of bytes 0 to 59
const durableSize = 64

var durableMagic = [8]byte{'v', 'l', 'o', 'g', 0, 'd', 'u', 'r'}

// Durable is what log/durable says: how far the log is known to be durable. It is
// overwritten in place and never synced, so after a crash any of its former
// contents may be there: a lower bound of what is in the log. For other
// processes of the same boot it is the upper bound of what they may show.
type Durable struct {
	Store   StoreID
	Boot    [16]byte
	Segment Seq // first seq of the segment being written
	Seq     Seq
}

// BootID returns the form in which log/durable names a boot.
func BootID(boot string) (id [16]byte) {
	sum := blake3.Sum256([]byte(boot))
	copy(id[:], sum[:])
	return id
}

func (d *Durable) encode() []byte {
	b := make([]byte, durableSize)
	copy(b, durableMagic[:])
	copy(b[8:], d.Store[:])
	copy(b[24:], d.Boot[:])
	binary.LittleEndian.PutUint64(b[40:], uint64(d.Segment))
	binary.LittleEndian.PutUint64(b[48:], uint64(d.Seq))
	binary.LittleEndian.PutUint32(b[60:], batch.Sum(b[:60]))
	return b
}

// ReadDurable reads log/durable. ok is false where it is absent, does not verify,
// or belongs to another store: such a file says nothing.
func ReadDurable(fsys vfs.FS, store StoreID) (d Durable, ok bool, err error) {
	f, err := fsys.Open(DurableName, vfs.ReadOnly)
	if errors.Is(err, fault.ErrNotFound) {
		return d, false, nil
	}
	if err != nil {
		return d, false, err
	}
	b := make([]byte, durableSize)
	n, err := f.ReadAt(b, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if err = errors.Join(err, f.Close()); err != nil || n < durableSize {
		return d, false, err
	}
	d, ok = decodeDurable(b, store)
	return d, ok, nil
}

func decodeDurable(b []byte, store StoreID) (d Durable, ok bool) {
	if [8]byte(b[:8]) != durableMagic || binary.LittleEndian.Uint32(b[60:]) != batch.Sum(b[:60]) {
		return d, false
	}
	copy(d.Store[:], b[8:])
	copy(d.Boot[:], b[24:])
	d.Segment = Seq(binary.LittleEndian.Uint64(b[40:]))
	d.Seq = Seq(binary.LittleEndian.Uint64(b[48:]))
	return d, d.Store == store
}
