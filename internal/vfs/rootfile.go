package vfs

import (
	"io"
	"os"

	"github.com/vlogdb/vlog/internal/fault"
)

// rootFile is an open file of the real file system.
//
// os.File repeats a call that a signal interrupted and goes on after a short
// read or write; the syncs go to the system directly, because one that failed
// must not be tried again.
type rootFile struct {
	*os.File
	fs   *rootFS
	name string
	mode Mode
}

var _ File = (*rootFile)(nil)

// ReadAt reads len(p) bytes at off, or fewer and io.EOF.
func (f *rootFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	if err == io.EOF {
		return n, io.EOF
	}
	return n, fail("read", f.name, err)
}

// WriteAt writes all of p at off or returns an error.
func (f *rootFile) WriteAt(p []byte, off int64) (int, error) {
	if f.mode == ReadOnly {
		return 0, fail("write", f.name, fault.ErrReadOnly)
	}
	n, err := f.File.WriteAt(p, off)
	return n, fail("write", f.name, checkShort(n, len(p), err))
}

// checkShort turns a short write that claims success into an error.
func checkShort(n, want int, err error) error {
	if err == nil && n != want {
		return io.ErrShortWrite
	}
	return err
}

// Truncate sets the size.
func (f *rootFile) Truncate(size int64) error {
	if f.mode == ReadOnly {
		return fail("truncate", f.name, fault.ErrReadOnly)
	}
	return fail("truncate", f.name, f.File.Truncate(size))
}

// Sync makes the content durable, and fails where the store is no longer at its place.
func (f *rootFile) Sync() error {
	if err := syncFile(f.File); err != nil {
		return fail("sync", f.name, err)
	}
	return fail("sync", f.name, f.fs.inPlace(f.name))
}

// Stat returns size and link count.
func (f *rootFile) Stat() (Stat, error) {
	st, err := statFile(f.File)
	return st, fail("stat", f.name, err)
}

// Close closes the file.
func (f *rootFile) Close() error { return fail("close", f.name, f.File.Close()) }
