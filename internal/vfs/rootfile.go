package vfs

import (
	"io"
	"os"
	"sync/atomic"

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
	name string // under which it was opened
	mode Mode
	id   fileID                 // of a file that may be changed, where the system tells
	path atomic.Pointer[string] // absolute, where it stands now as far as we know
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

// Sync makes the content durable, and fails where nobody would find it again.
func (f *rootFile) Sync() error {
	if err := syncFile(f.File); err != nil {
		return fail("sync", f.name, err)
	}
	if path := f.path.Load(); path != nil && stands(*path, f.id) {
		return nil
	}
	return fail("sync", f.name, f.findable())
}

// syncNameless is Sync for a file that need not have a name: what holds the lock of a
// directory goes on where somebody removed it.
func (f *rootFile) syncNameless() error {
	if err := syncFile(f.File); err != nil {
		return fail("sync", f.name, err)
	}
	return fail("sync", f.name, f.fs.inPlace(f.name))
}

// findable looks closer where the file does not stand at the path that it had: the
// directories must be those that it was opened in, and it must have a name.
func (f *rootFile) findable() error {
	if err := f.fs.inPlace(f.name); err != nil {
		return err
	}
	st, err := statFile(f.File)
	if err == nil && st.Links == 0 {
		err = nameless()
	}
	return err
}

// nameless is what a sync of a file answers that was removed while it is open: it
// takes writes and syncs, and is gone with the process.
func nameless() error {
	return &fault.Error{Op: "sync", Err: fault.ErrNotFound, Detail: "the file was removed while it was open"}
}

// Stat returns size and link count.
func (f *rootFile) Stat() (Stat, error) {
	st, err := statFile(f.File)
	return st, fail("stat", f.name, err)
}

// Close closes the file.
func (f *rootFile) Close() error {
	f.fs.writers.remove(f)
	return f.close()
}

func (f *rootFile) close() error { return fail("close", f.name, f.File.Close()) }
