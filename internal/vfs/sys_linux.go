package vfs

import (
	"bytes"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// syncFile writes the content of f and the metadata needed to read it.
func syncFile(f *os.File) error { return withFD(f, unix.Fdatasync) }

// syncDir writes the entries of a directory.
func syncDir(d *os.File) error { return withFD(d, unix.Fsync) }

// statFile asks for size and links and for nothing else. An fstat behind each sync,
// which asks for times too, made the next sync on ext4 take 40 µs of 140 more;
// likely because the next write then has to give the file a new time.
// Where there is no statx, or a sandbox forbids it, fstat has to do.
func statFile(f *os.File) (st Stat, err error) {
	var x unix.Statx_t
	err = withFD(f, func(fd int) error {
		return retry(func() error { return unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_SIZE|unix.STATX_NLINK, &x) })
	})
	if err == unix.ENOSYS || err == unix.EPERM {
		return statAll(f)
	}
	st = Stat{Size: int64(x.Size), Links: 1}
	if x.Mask&unix.STATX_NLINK != 0 { // else the file system does not tell
		st.Links = int(x.Nlink)
	}
	return st, err
}

// fileID tells a file from others of the machine.
type fileID struct {
	major, minor uint32
	ino          uint64
}

// idOf returns the identity of an open file.
func idOf(f *os.File) (id fileID, ok bool) {
	err := withFD(f, func(fd int) (err error) {
		id, err = statID(fd, "", unix.AT_EMPTY_PATH)
		return err
	})
	return id, err == nil
}

// stands reports whether a file is what stands at a path. Like statFile it asks for no
// times.
func stands(path string, id fileID) bool {
	at, err := statID(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW)
	return err == nil && at == id
}

func statID(dir int, path string, flags int) (fileID, error) {
	var x unix.Statx_t
	err := retry(func() error { return unix.Statx(dir, path, flags, unix.STATX_INO, &x) })
	if err == nil && x.Mask&unix.STATX_INO == 0 {
		err = unix.ENOSYS
	}
	return fileID{x.Dev_major, x.Dev_minor, x.Ino}, err
}

// lockFile takes the open file description lock: unlike the older kind it also
// keeps two opens of one process apart, and survives the close of other files.
func lockFile(f *os.File) error {
	return withFD(f, func(fd int) error {
		return lockError(retry(func() error {
			return unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, flock(unix.F_WRLCK))
		}))
	})
}

// unlockFile lets the lock go.
func unlockFile(f *os.File) error {
	return withFD(f, func(fd int) error {
		return retry(func() error { return unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, flock(unix.F_UNLCK)) })
	})
}

// lockHeld asks who would stand in the way of the lock, without taking it; that
// needs no right to write.
func lockHeld(f *os.File) (bool, error) {
	lock := flock(unix.F_WRLCK)
	err := withFD(f, func(fd int) error {
		return lockError(retry(func() error { return unix.FcntlFlock(uintptr(fd), unix.F_OFD_GETLK, lock) }))
	})
	return err == nil && lock.Type != unix.F_UNLCK, err
}

func flock(kind int16) *unix.Flock_t {
	return &unix.Flock_t{Type: kind, Whence: io.SeekStart, Start: lockByte, Len: 1}
}

// networkFS names the network file system that d lies on; empty for a local one.
func networkFS(d *os.File) (string, error) {
	var st unix.Statfs_t
	err := withFD(d, func(fd int) error {
		return retry(func() error { return unix.Fstatfs(fd, &st) })
	})
	return networkName(uint32(st.Type)), err
}

// bootID returns the kernel's random name of this boot. It is the host's also
// inside a container, and so is the page cache whose loss it stands for.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "" // no /proc: unknown, which FS.Boot allows
	}
	return string(bytes.TrimSpace(id))
}
