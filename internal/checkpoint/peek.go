package checkpoint

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
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
	s := &source{f: f, name: name, size: st.Size}
	sum, err := s.peek(store)
	return sum, at(err, name, s.at)
}

func (s *source) peek(store wal.StoreID) (Summary, error) {
	r, h, err := s.begin(store)
	if err != nil {
		return Summary{}, err
	}
	sum := Summary{Header: h, Size: s.size}
	err = r.peek(&sum)
	return sum, err
}

// noFooter is damage to the end of a file.
func (s *source) noFooter(off int64) error {
	return at(damage("does not end in a footer"), s.name, off)
}

// peek implements reading.
func (r *chunkReader) peek(sum *Summary) error {
	sum.Codec = wal.Binary
	b := make([]byte, footerSize)
	off := max(r.size-footerSize, headerSize)
	if err := r.read(b, off); err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(b) != 0 || [8]byte(b[8:16]) != magicEnd || binary.LittleEndian.Uint32(b[4:]) != batch.Sum(b[8:]) {
		return r.noFooter(off)
	}
	sum.Blocks, sum.Entries = binary.LittleEndian.Uint64(b[16:]), binary.LittleEndian.Uint64(b[24:])
	copy(sum.Digest[:], b[32:])
	return nil
}

// peek implements reading.
func (r *lineReader) peek(sum *Summary) error {
	sum.Codec = wal.NDJSON
	off := max(r.size-maxMark, 0)
	b := make([]byte, r.size-off)
	if err := r.read(b, off); err != nil {
		return err
	}
	line := b[bytes.LastIndexByte(b[:max(len(b)-1, 0)], '\n')+1:]
	var says struct {
		Blocks  uint64 `json:"blocks"`
		Entries uint64 `json:"entries"`
		Digest  Hex    `json:"digest"`
	}
	if !bytes.HasPrefix(line, []byte(beginFooter)) || !summed(line) || json.Unmarshal(line, &says) != nil {
		return r.noFooter(r.size - int64(len(line)))
	}
	sum.Blocks, sum.Entries = says.Blocks, says.Entries
	copy(sum.Digest[:], says.Digest)
	return nil
}
