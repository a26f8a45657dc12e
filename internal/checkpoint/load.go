package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// Load reads a checkpoint, verifies all of it and returns its picture. Errors:
// ErrForeign, ErrCorrupt, ErrIncompatible, ErrIO, each with path and offset.
func Load(fsys vfs.FS, name string, store wal.StoreID) (*state.Picture, Summary, error) {
	var l *state.Loader
	sum, err := read(fsys, name, store, func(h Header) func([]byte) error {
		l = state.NewLoader(h.At)
		return l.Add
	})
	if err != nil {
		return nil, sum, err
	}
	p, err := l.Picture()
	if err == nil && uint64(p.Len()) != sum.Entries {
		err = damage("%d entries, the footer says %d", p.Len(), sum.Entries)
	}
	return p, sum, at(err, name, 0)
}

// Verify reads a checkpoint without keeping it: every checksum and the digest.
func Verify(fsys vfs.FS, name string, store wal.StoreID) (Summary, error) {
	return read(fsys, name, store, func(Header) func([]byte) error {
		return func([]byte) error { return nil }
	})
}

// ReadHeader reads the header of a checkpoint and nothing else.
func ReadHeader(fsys vfs.FS, name string, store wal.StoreID) (Header, error) {
	f, err := fsys.Open(name, vfs.ReadOnly)
	if err != nil {
		return Header{}, err
	}
	st, err := f.Stat()
	if err != nil {
		return Header{}, errors.Join(err, f.Close())
	}
	r := &blockReader{f: f, name: name, size: st.Size}
	h, err := r.header(store)
	return h, errors.Join(err, f.Close())
}

// sink is given the header and returns what takes the blocks, which it then owns.
type sink func(Header) func(block []byte) error

func read(fsys vfs.FS, name string, store wal.StoreID, to sink) (Summary, error) {
	f, err := fsys.Open(name, vfs.ReadOnly)
	if err != nil {
		return Summary{}, err
	}
	sum, err := readFile(f, name, store, to)
	return sum, errors.Join(err, f.Close())
}

func readFile(f vfs.File, name string, store wal.StoreID, to sink) (Summary, error) {
	st, err := f.Stat()
	if err != nil {
		return Summary{}, err
	}
	r := &blockReader{f: f, name: name, size: st.Size}
	h, err := r.header(store)
	if err != nil {
		return Summary{}, err
	}
	r.sum = newSummer(h)
	take := to(h)
	for {
		block, err := r.next()
		if err != nil {
			return Summary{}, err
		}
		if block == nil {
			err := r.footer()
			return r.sum.sum, err
		}
		if err := take(block); err != nil {
			return Summary{}, at(err, name, r.off)
		}
	}
}

// at adds path and offset to an error of ours that lacks them.
func at(err error, name string, off int64) error {
	e, ok := err.(*fault.Error)
	if !ok {
		return err
	}
	placed := *e
	placed.At.Path, placed.At.Offset = name, off
	if placed.Op == "" {
		placed.Op = "read checkpoint"
	}
	return &placed
}

// blockReader reads a checkpoint front to back. No length is believed before it
// was compared with what is left of the file.
type blockReader struct {
	f    vfs.File
	name string
	size int64
	off  int64 // of the next block
	head [blockHead]byte
	sum  *summer
}

// read fills b from off; a file that ends inside is damage.
func (r *blockReader) read(b []byte, off int64) error {
	if off+int64(len(b)) > r.size {
		return at(damage("ends after %d bytes", r.size), r.name, r.size)
	}
	n, err := r.f.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return at(damage("became shorter while it was read"), r.name, off+int64(n))
	}
	return err
}

func (r *blockReader) header(store wal.StoreID) (Header, error) {
	b := make([]byte, headerSize+blockHead)
	if err := r.read(b, 0); err != nil {
		return Header{}, err
	}
	h, err := decodeHeader(b)
	if err != nil {
		return h, at(err, r.name, 0)
	}
	if h.Store != store {
		return h, at(&fault.Error{Err: fault.ErrForeign, Detail: fmt.Sprintf("checkpoint of store %x", h.Store)}, r.name, 0)
	}
	r.off = headerSize
	copy(r.head[:], b[headerSize:])
	return h, nil
}

// next returns the entries of the next block, or nil where the footer begins. The
// head of the following block is read with it.
func (r *blockReader) next() ([]byte, error) {
	n := int64(binary.LittleEndian.Uint32(r.head[:]))
	if n == 0 {
		return nil, nil
	}
	if n > r.size-r.off-blockHead-footerSize {
		return nil, at(damage("block of %d bytes runs over the end of the file", n), r.name, r.off)
	}
	b := make([]byte, n+blockHead)
	if err := r.read(b, r.off+blockHead); err != nil {
		return nil, err
	}
	entries := b[:n:n]
	if head := r.sum.head(entries); head != r.head {
		return nil, at(damage("block does not match its checksum"), r.name, r.off)
	}
	r.off += blockHead + n
	copy(r.head[:], b[n:])
	return entries, nil
}

func (r *blockReader) footer() error {
	b := make([]byte, footerSize)
	if err := r.read(b, r.off); err != nil {
		return err
	}
	want := r.sum.footer(binary.LittleEndian.Uint64(b[24:]))
	if string(want) != string(b) {
		return at(damage("footer does not match the blocks"), r.name, r.off)
	}
	if r.off+footerSize != r.size {
		return at(damage("%d bytes behind the footer", r.size-r.off-footerSize), r.name, r.off+footerSize)
	}
	return nil
}
