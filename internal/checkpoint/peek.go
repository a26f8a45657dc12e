package checkpoint

import (
	"encoding/binary"
	"errors"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// Peek reads the two ends of a checkpoint and none of its blocks: enough to tell
// whether two files that were verified once are the same. One whose ends it does not
// know is read whole, as Verify does.
func Peek(fsys vfs.FS, name string, store wal.StoreID) (Summary, error) {
	f, err := fsys.Open(name, vfs.ReadOnly)
	if err != nil {
		return Summary{}, err
	}
	sum, err := peek(f, name, store)
	err = errors.Join(err, f.Close())
	if errors.Is(err, fault.ErrCorrupt) {
		return Verify(fsys, name, store)
	}
	return sum, err
}

func peek(f vfs.File, name string, store wal.StoreID) (Summary, error) {
	st, err := f.Stat()
	if err != nil {
		return Summary{}, err
	}
	r := &blockReader{f: f, name: name, size: st.Size}
	h, err := r.header(store)
	if err != nil {
		return Summary{}, err
	}
	sum := Summary{Header: h, Size: st.Size}
	b := make([]byte, footerSize)
	if err := r.read(b, max(st.Size-footerSize, headerSize)); err != nil {
		return sum, err
	}
	if binary.LittleEndian.Uint32(b) != 0 || [8]byte(b[8:16]) != magicEnd || binary.LittleEndian.Uint32(b[4:]) != batch.Sum(b[8:]) {
		return sum, at(damage("does not end in a footer"), name, st.Size-footerSize)
	}
	sum.Blocks, sum.Entries = binary.LittleEndian.Uint64(b[16:]), binary.LittleEndian.Uint64(b[24:])
	copy(sum.Digest[:], b[32:])
	return sum, nil
}
