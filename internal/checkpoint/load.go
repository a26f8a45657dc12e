package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// Load reads a checkpoint, verifies all of it and returns its picture. Errors:
// ErrForeign, ErrCorrupt, ErrIncompatible, ErrIO, each with path and offset.
func Load(fsys vfs.FS, name string, store wal.StoreID) (*state.Picture, Summary, error) {
	return load(fsys, name, store, worthAhead)
}

// load reads files of least bytes or more several blocks at once.
func load(fsys vfs.FS, name string, store wal.StoreID, least int64) (*state.Picture, Summary, error) {
	var l *state.Loader
	sum, err := read(fsys, name, ask{store, least}, func(r reading, h Header) func([]byte) error {
		l = state.NewLoader(h.At)
		return func(block []byte) error {
			entries, err := r.entries(block)
			if err != nil {
				return err
			}
			return l.Add(entries)
		}
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
	return read(fsys, name, ask{store, math.MaxInt64}, func(reading, Header) func([]byte) error {
		return func([]byte) error { return nil }
	})
}

// sink is given the header and returns what takes the blocks.
type sink func(reading, Header) func(block []byte) error

// reading is what differs between the codecs on the way out of a file. Its parts are
// read in this order: the header, blocks, the footer.
type reading interface {
	header() (Header, error)
	// block returns the next block once its checksum holds, as it stands in the file;
	// nil where there is none any more. It is valid until the next call.
	block() ([]byte, error)
	// entries returns the entries of that block, for a loader to own.
	entries(block []byte) ([]byte, error)
	footer() (Summary, error)
	// peek fills in, behind the header, what the end of the file says.
	peek(sum *Summary) error
}

// ask is what a reader wants.
type ask struct {
	store wal.StoreID
	ahead int64 // how long a file must be, in bytes, to have several blocks read at once
}

func read(fsys vfs.FS, name string, want ask, to sink) (Summary, error) {
	f, err := fsys.Open(name, vfs.ReadOnly)
	if err != nil {
		return Summary{}, err
	}
	sum, err := readFile(f, name, want, to)
	return sum, errors.Join(err, f.Close())
}

func readFile(f vfs.File, name string, want ask, to sink) (Summary, error) {
	st, err := f.Stat()
	if err != nil {
		return Summary{}, err
	}
	s := &source{f: f, name: name, size: st.Size}
	sum, err := s.run(want, to)
	if err != nil {
		return Summary{}, at(err, name, s.at)
	}
	return sum, nil
}

// at adds path and offset to an error of ours that lacks them.
func at(err error, name string, off int64) error {
	e, ok := err.(*fault.Error)
	if !ok || e.At.Path != "" {
		return err
	}
	placed := *e
	placed.At.Path, placed.At.Offset = name, off
	if placed.Op == "" {
		placed.Op = "read checkpoint"
	}
	return &placed
}

// source is a checkpoint that is read front to back. No length is believed before it
// was compared with what is left of the file.
type source struct {
	f    vfs.File
	name string
	size int64
	at   int64 // where the part stands that is being read
}

// begin reads the header, which must be of the store.
func (s *source) begin(store wal.StoreID) (reading, Header, error) {
	r, err := s.open()
	if err != nil {
		return nil, Header{}, err
	}
	h, err := r.header()
	if err == nil && h.Store != store {
		err = &fault.Error{Err: fault.ErrForeign, Detail: fmt.Sprintf("checkpoint of store %x", h.Store)}
	}
	return r, h, err
}

func (s *source) run(want ask, to sink) (Summary, error) {
	r, h, err := s.begin(want.store)
	if err != nil {
		return Summary{}, err
	}
	if c, ok := r.(*chunkReader); ok && s.size >= want.ahead {
		a := &aheadReader{chunkReader: c}
		defer a.stop()
		r = a
	}
	take := to(r, h)
	for {
		block, err := r.block()
		if err != nil {
			return Summary{}, err
		}
		if block == nil {
			return r.footer()
		}
		if err := take(block); err != nil {
			return Summary{}, err
		}
	}
}

// open decides by the first byte how the file is spelled.
func (s *source) open() (reading, error) {
	var first [1]byte
	if err := s.read(first[:], 0); err != nil {
		return nil, err
	}
	switch first[0] {
	case '{':
		return &lineReader{source: s}, nil
	case magicHead[0]:
		return &chunkReader{source: s}, nil
	}
	return nil, at(damage("not a checkpoint: it begins as none does"), s.name, 0)
}

// read fills b from off; a file that ends inside is damage.
func (s *source) read(b []byte, off int64) error {
	if off+int64(len(b)) > s.size {
		return at(damage("ends after %d bytes", s.size), s.name, s.size)
	}
	n, err := s.f.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return at(damage("became shorter while it was read"), s.name, off+int64(n))
	}
	return err
}

// over returns an error where the file does not end at off.
func (s *source) over(off int64) error {
	if off != s.size {
		return at(damage("%d bytes behind the footer", s.size-off), s.name, off)
	}
	return nil
}
