package vfs

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/vlogdb/vlog/internal/fault"
)

// syncFile writes f through the cache of the drive: plain fsync stops before it.
func syncFile(f *os.File) error {
	return withFD(f, func(fd int) error {
		_, err := unix.FcntlInt(uintptr(fd), unix.F_FULLFSYNC, 0)
		return err
	})
}

// syncDir writes the entries of a directory.
func syncDir(d *os.File) error { return syncFile(d) }

// statFile asks for size and links.
func statFile(f *os.File) (Stat, error) { return statAll(f) }

// lockFile takes the lock of the open file, which keeps two opens of one process
// apart as well. It is on the file as a whole and does not hinder reading.
func lockFile(f *os.File) error { return tryFlock(f, unix.LOCK_EX) }

// unlockFile lets the lock go.
func unlockFile(f *os.File) error { return tryFlock(f, unix.LOCK_UN) }

// lockHeld has to try, since this lock cannot be asked about: it takes a shared
// lock and lets it go at once. Whoever calls Lock in that instant is told ErrLocked.
func lockHeld(f *os.File) (bool, error) {
	err := tryFlock(f, unix.LOCK_SH)
	if err == fault.ErrLocked {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, unlockFile(f)
}

func tryFlock(f *os.File, how int) error {
	return withFD(f, func(fd int) error {
		return lockError(retry(func() error { return unix.Flock(fd, how|unix.LOCK_NB) }))
	})
}

// networkFS names the network file system that d lies on; empty for a local one.
func networkFS(d *os.File) (string, error) {
	var st unix.Statfs_t
	err := withFD(d, func(fd int) error {
		return retry(func() error { return unix.Fstatfs(fd, &st) })
	})
	if err != nil || st.Flags&unix.MNT_LOCAL != 0 {
		return "", err
	}
	return unix.ByteSliceToString(st.Fstypename[:]), nil
}

// bootID returns the system's random name of this boot, or where it has none the
// boot time, which moves when the clock is set: then the boot seems another one,
// which is the safe mistake.
func bootID() string {
	if id, err := unix.Sysctl("kern.bootsessionuuid"); err == nil && id != "" {
		return id
	}
	at, err := unix.SysctlTimeval("kern.boottime")
	if err != nil {
		return "" // unknown, which FS.Boot allows
	}
	return fmt.Sprintf("boottime-%d.%06d", at.Sec, at.Usec)
}

// fileID is not asked for here: a sync looks at each directory instead.
type fileID struct{}

func idOf(*os.File) (id fileID, ok bool) { return id, false }
func stands(path string, id fileID) bool { return false }
