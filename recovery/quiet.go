package recovery

import (
	"bytes"
	"errors"

	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

// Quiet watches over a directory that is read without its lock, and that nobody may
// write to meanwhile. Whoever writes takes the lock and says so in LOCK first, and
// leaves other words there than before: so it also tells of one who has gone again.
type Quiet struct {
	fs   vfs.FS
	said []byte
}

// NewQuiet begins to watch. It is ErrLocked, with the holder, where somebody writes to
// the directory.
func NewQuiet(fsys vfs.FS) (*Quiet, error) {
	said, err := lockWords(fsys)
	if err != nil {
		return nil, err
	}
	return &Quiet{fs: fsys, said: said}, unheld(fsys)
}

// Still returns ErrLocked where somebody has written to the directory since.
func (q *Quiet) Still() error {
	if err := unheld(q.fs); err != nil {
		return err
	}
	now, err := lockWords(q.fs)
	if err == nil && !bytes.Equal(now, q.said) {
		err = &fault.Error{Op: "read", At: fault.Place{Path: q.fs.Path()}, Err: fault.ErrLocked, Detail: "somebody wrote to it while it was read", Hint: "run it again while nobody does"}
	}
	return err
}

// Blame returns who wrote meanwhile in the place of an error that comes of that, and
// else the error.
func (q *Quiet) Blame(err error) error {
	if err == nil {
		return nil
	}
	if changed := q.Still(); errors.Is(changed, fault.ErrLocked) {
		return changed
	}
	return err
}

// lockWords returns what LOCK says, as it is.
func lockWords(fsys vfs.FS) ([]byte, error) {
	b, err := readSmall(fsys, LockName, maxLock)
	if errors.Is(err, fault.ErrNotFound) || errors.Is(err, fault.ErrCorrupt) {
		return nil, nil
	}
	return b, err
}
