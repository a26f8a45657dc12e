package wal

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

// Mark is log/durable for those who do not write it: it is kept open, so that to look
// again costs one small read and a question for the links. Peek and Absent may be
// called at once with everything; Read and Close belong to one goroutine at a time.
type Mark struct {
	fs    vfs.FS
	store StoreID
	f     atomic.Pointer[markFile] // nil where it is not open
	bufs  sync.Pool                // of *[durableSize]byte: a Peek allocates nothing
}

type markFile struct{ vfs.File }

// NewMark returns the mark of a store. Nothing is opened yet.
func NewMark(fsys vfs.FS, store StoreID) *Mark {
	m := &Mark{fs: fsys, store: store}
	m.bufs.New = func() any { return new([durableSize]byte) }
	return m
}

// markTries bounds how often the mark is read again: because it was read in the middle
// of being overwritten, which its checksum tells, or because the file has gone.
const markTries = 100

// Read returns what log/durable says now; ok is false where it is absent, does not
// verify, or belongs to another store.
func (m *Mark) Read() (d Durable, ok bool, err error) {
	for range markTries {
		f, err := m.open()
		if f == nil || err != nil {
			return d, false, err
		}
		d, ok, named, err := m.read(f)
		if ok && named || err != nil {
			return d, ok, err
		}
		if named {
			continue
		}
		if err := m.Close(); err != nil { // by now another may have the name
			return d, false, err
		}
	}
	return Durable{}, false, nil
}

// open returns the open file; nil where there is none.
func (m *Mark) open() (*markFile, error) {
	if f := m.f.Load(); f != nil {
		return f, nil
	}
	f, err := m.fs.Open(DurableName, vfs.ReadOnly)
	if errors.Is(err, fault.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m.f.Store(&markFile{f})
	return m.f.Load(), nil
}

// read reads the mark and then asks whether the file still has its name: where it
// has, what was read was said when this was called, or later.
func (m *Mark) read(f *markFile) (d Durable, ok, named bool, err error) {
	buf := m.bufs.Get().(*[durableSize]byte)
	defer m.bufs.Put(buf)
	n, err := f.ReadAt(buf[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return d, false, false, err
	}
	if n == durableSize {
		d, ok = decodeDurable(buf[:], m.store)
	}
	st, err := f.Stat()
	return d, ok, st.Links > 0, err
}

// Peek is Read where the mark is open and simply says something; ok is false where
// that is not so and somebody has to look properly.
func (m *Mark) Peek() (d Durable, ok bool) {
	f := m.f.Load()
	if f == nil {
		return d, false
	}
	d, ok, named, err := m.read(f)
	return d, ok && named && err == nil
}

// Absent reports that there is no log/durable. It is false also where nobody can tell.
func (m *Mark) Absent() bool {
	f, err := m.fs.Open(DurableName, vfs.ReadOnly)
	if err != nil {
		return errors.Is(err, fault.ErrNotFound)
	}
	_ = f.Close() // it was there, and that is all that counts
	return false
}

// Close closes the file; Read opens it again.
func (m *Mark) Close() error {
	if f := m.f.Swap(nil); f != nil {
		return f.Close()
	}
	return nil
}
