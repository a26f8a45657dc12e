// Package vfs is the one door to the disk: everything that vlog reads or writes
// goes through an [FS], so that tests can put a crashing, failing, logging or
// slow file system in the place of the real one.
//
// An FS is rooted at one directory, the store. Names are slash-separated paths
// relative to that root ("log/durable"); "." is the root itself. A name never
// leads outside the root.
//
// What may be relied on, and what not:
//   - Bytes written are durable after Sync of the file returned nil.
//   - A name created, renamed or removed is durable after SyncDir of its
//     directory returned nil, and not before, whatever was synced in the file.
//   - Overwriting a sector of 512 bytes leaves it old or new. Only a sector that
//     was never written since the file got it may be zero or garbage after a crash.
//   - After a failed Sync nothing is known about the bytes written before it, and
//     a later Sync that succeeds does not make them durable.
//
// Embedders do not need this package.
package vfs

import "io"

// SectorSize is the unit that a crash leaves old or new, in bytes.
const SectorSize = 512

// Mode says how Open opens a file.
type Mode uint8

// The modes. ReadOnly is the zero value. Create makes the file where it is not
// there; CreateNew fails with fault.ErrExists where it is. Both write.
const (
	ReadOnly Mode = iota
	ReadWrite
	Create
	CreateNew
)

// FS is a directory tree on some disk. All methods may be called at once from
// any goroutine. Errors are *fault.Error and name operation and path:
// ErrNotFound, ErrExists, ErrNotRegular, ErrNoSpace, ErrReadOnly, ErrDenied,
// ErrLocked, ErrNoLocks, ErrClosed, and ErrIO for everything else.
type FS interface {
	// Open opens a regular file. Links, pipes, devices and directories are
	// ErrNotRegular and are never followed.
	Open(name string, mode Mode) (File, error)
	// Replace puts data under name in one step: a crash leaves the old content
	// or the new one. It is durable on return, directory entry included.
	Replace(name string, data []byte) error
	// Rename moves a file, replacing what stands at newname. Not durable before SyncDir.
	Rename(oldname, newname string) error
	// Remove removes a file or an empty directory. Not durable before SyncDir.
	Remove(name string) error
	// Mkdir makes one directory. Not durable before SyncDir of its parent.
	Mkdir(name string) error
	// ReadDir lists a directory, sorted by name.
	ReadDir(name string) ([]DirEntry, error)
	// SyncDir makes the entries of a directory durable.
	SyncDir(name string) error
	// Lock takes the exclusive kernel lock on a file, which it creates where it
	// is missing, and never waits: ErrLocked where somebody else, in this process
	// or another, has it. The lock ends with the process. A directory has one: nobody
	// gets it beside the holder where the file was removed or replaced meanwhile.
	Lock(name string) (Lock, error)
	// Held reports whether somebody has the lock, without taking it.
	Held(name string) (bool, error)
	// Hints tells when something in a directory may have changed. What it tells may
	// be late or missing, so nobody may rely on it; an error means that there are none.
	Hints(dir string) (Hints, error)
	// Present returns ErrNotFound where the directory that was opened is no longer what
	// stands at its path: it was removed, replaced or renamed. What is open goes on there
	// untold, but for syncs, which ask themselves.
	Present() error
	// Boot names the running system's boot: equal until a power cut or restart.
	Boot() string
	// Path returns the root as the user knows it, for messages.
	Path() string
	// Close releases the root. Open files stay usable until they are closed.
	Close() error
}

// File is an open regular file. ReadAt may be called at once from any goroutine;
// WriteAt, Truncate, Sync and Close belong to one goroutine at a time.
type File interface {
	io.ReaderAt
	// WriteAt writes all of p or returns an error; it extends the file where needed.
	io.WriterAt
	io.Closer
	// Truncate sets the size; what is added reads as zeros.
	Truncate(size int64) error
	// Sync makes the content durable, and the metadata needed to read it. ErrNotFound
	// where nobody would find it again: it has no name any more, or the directory is
	// another.
	Sync() error
	// Stat returns size and link count.
	Stat() (Stat, error)
}

// Stat is what the engine asks about an open file.
type Stat struct {
	Size  int64 // bytes
	Links int   // names this file has; 1 where the system does not tell
}

// DirEntry is one name in a directory.
type DirEntry struct {
	Name    string // without its directory
	Dir     bool
	Regular bool
}

// Lock is a held lock: the file it is taken on, which tells who holds it.
type Lock interface {
	// SetContent replaces what the lock file says (its holder) and, where durable, syncs it.
	SetContent(data []byte, durable bool) error
	// Close lets the lock go.
	io.Closer
}
