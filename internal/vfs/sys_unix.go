//go:build linux || darwin

package vfs

import (
	"bytes"
	"os"
	"path"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"

	"github.com/vlogdb/vlog/internal/fault"
)

// What every open is given besides its access mode: nothing is followed, and
// nothing waits for the other end of a pipe.
const (
	openFlags   = unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
	openDirFlag = unix.O_DIRECTORY
)

// sysTries bounds how often an interrupted call is made again.
const sysTries = 100

// retry makes a call again while a signal interrupts it. Never for a sync: the
// one that failed may have taken the error with it.
func retry(call func() error) error {
	err := call()
	for range sysTries {
		if err != unix.EINTR {
			return err
		}
		err = call()
	}
	return err
}

// withFD calls fn with the descriptor of f, which stays open meanwhile; a closed
// file is os.ErrClosed.
func withFD(f *os.File, fn func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := conn.Control(func(fd uintptr) { inner = fn(int(fd)) }); err != nil {
		return os.ErrClosed // what Control says for it is no error that can be asked for
	}
	return inner
}

// statAll is statFile by fstat.
func statAll(f *os.File) (Stat, error) {
	info, err := f.Stat()
	if err != nil {
		return Stat{}, err
	}
	st := Stat{Size: info.Size(), Links: 1}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		st.Links = int(sys.Nlink)
	}
	return st, nil
}

// lockError tells the three outcomes apart that a try for a lock may have.
func lockError(err error) error {
	without := []error{unix.ENOLCK, unix.EOPNOTSUPP, unix.ENOTSUP, unix.EINVAL, unix.ENOSYS}
	switch {
	case err == unix.EAGAIN, err == unix.EACCES:
		return fault.ErrLocked
	case slices.Contains(without, err):
		return &fault.Error{Op: "lock", Err: fault.ErrNoLocks, Cause: err}
	}
	return err
}

// lockDir takes the lock that a directory itself has. Where there is no such thing the
// file's lock has to do.
func lockDir(d *os.File) error {
	err := flockDir(d, unix.LOCK_EX|unix.LOCK_NB)
	if err == unix.EWOULDBLOCK {
		return fault.ErrLocked
	}
	return onlyClosed(err)
}

// unlockDir lets that lock go.
func unlockDir(d *os.File) error { return onlyClosed(flockDir(d, unix.LOCK_UN)) }

func flockDir(d *os.File, how int) error {
	return withFD(d, func(fd int) error { return retry(func() error { return unix.Flock(fd, how) }) })
}

// onlyClosed passes over what a file system says that does not know this kind of lock.
func onlyClosed(err error) error {
	if err == os.ErrClosed {
		return err
	}
	return nil
}

// replace writes a temporary file, syncs it and renames it; the directory is the
// caller's. renameio puts its temporary file at the top of the root it is given,
// so it gets the directory of name as its root.
func (r *rootFS) replace(name string, data []byte) (err error) {
	local, err := r.toChange(name)
	if err != nil {
		return err
	}
	if err := r.checkTarget(local); err != nil {
		return err
	}
	dir, err := r.root.OpenRoot(filepath.FromSlash(path.Dir(name)))
	if err != nil {
		return err
	}
	defer func() { err = also(fail("replace", name, err), dir.Close()) }()

	temp, err := renameio.NewPendingFile(path.Base(name), renameio.WithRoot(dir), renameio.WithPermissions(filePerm))
	if err != nil {
		return err
	}
	defer func() { err = also(fail("replace", name, err), temp.Cleanup()) }()

	if _, err := bytes.NewReader(data).WriteTo(temp); err != nil {
		return err
	}
	return temp.CloseAtomicallyReplace()
}
