package vfs

import (
	"errors"
	"os"

	"github.com/vlogdb/vlog/internal/fault"
)

// lockByte is the byte of the lock file that the kernel lock lies on, where the
// system locks bytes: far behind any content, so that everybody can read who
// holds the lock, also where such locks forbid reading.
const lockByte = 1 << 62

// rootLock is a held lock: that on the file, which others can ask about, and, where the
// system has it, that on the directory. Whoever removes the file, or puts another in
// its place, would let a second writer in but for the directory's.
type rootLock struct {
	f   *rootFile
	dir *os.File
}

var _ Lock = (*rootLock)(nil)

// Lock takes the exclusive lock on a file.
func (r *rootFS) Lock(name string) (Lock, error) {
	dir, err := r.lockRoot()
	if err != nil {
		return nil, fail("lock", name, err)
	}
	f, err := r.lockNamed(name)
	if err != nil {
		return nil, also(fail("lock", name, err), fail("unlock", name, dir.Close()))
	}
	return &rootLock{f: f, dir: dir}, nil
}

// lockRoot takes the lock of the directory.
func (r *rootFS) lockRoot() (*os.File, error) {
	d, err := r.openDir(".")
	if err != nil {
		return nil, err
	}
	err = r.lockable(d)
	if err == nil {
		err = lockDir(d)
	}
	if err != nil {
		return nil, also(fail("lock", ".", err), fail("close", ".", d.Close()))
	}
	return d, nil
}

// lockNamed takes the lock of the file that has a name.
func (r *rootFS) lockNamed(name string) (*rootFile, error) {
	for range openTries {
		f, err := r.open(name, Create)
		if err != nil {
			return nil, err
		}
		if err := lockFile(f.File); err != nil {
			return nil, also(fail("lock", name, err), f.Close())
		}
		same, err := r.stillNamed(f)
		if same {
			return f, nil
		}
		if err := also(fail("lock", name, err), f.Close()); err != nil {
			return nil, err
		}
	}
	return nil, fault.ErrLocked
}

// lockable fails on the network file systems known to take a lock here and let
// another machine take it too.
func (r *rootFS) lockable(d *os.File) error {
	kind, err := networkFS(d)
	if err != nil || kind == "" {
		return err
	}
	return &fault.Error{Op: "lock", At: fault.Place{Path: r.path}, Err: fault.ErrNoLocks, Detail: "this is " + kind}
}

// stillNamed reports whether f is the file that its name leads to: one that was
// removed between opening and locking locks nobody out.
func (r *rootFS) stillNamed(f *rootFile) (bool, error) {
	local, err := r.local(f.name)
	if err != nil {
		return false, err
	}
	got, err := f.File.Stat()
	if err != nil {
		return false, err
	}
	named, err := r.root.Lstat(local)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(got, named), err
}

// Held reports whether somebody has the lock. A file that is missing is not locked.
func (r *rootFS) Held(name string) (bool, error) {
	f, err := r.open(name, ReadOnly)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fail("held", name, err)
	}
	held, err := lockHeld(f.File)
	return held, also(fail("held", name, err), f.Close())
}

// SetContent replaces what the lock file says. It writes before it cuts, so that
// a reader never finds the file empty.
func (l *rootLock) SetContent(data []byte, durable bool) error {
	if _, err := l.f.WriteAt(data, 0); err != nil {
		return err
	}
	if err := l.f.Truncate(int64(len(data))); err != nil {
		return err
	}
	if !durable {
		return nil
	}
	return l.f.syncNameless()
}

// Close lets the lock go, the file's before the directory's: whoever gets the one gets
// the other. It unlocks before it closes: a child being started at this moment may still
// have the files, and would keep the lock until it runs.
func (l *rootLock) Close() error {
	err := fail("unlock", l.f.name, unlockFile(l.f.File))
	err = also(err, l.f.Close())
	err = also(err, fail("unlock", ".", unlockDir(l.dir)))
	return also(err, fail("close", ".", l.dir.Close()))
}
