package vfs

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/vlogdb/vlog/internal/fault"
)

// Windows has no flags of this kind; what is opened is compared with what was seen.
const (
	openFlags   = 0
	openDirFlag = 0
)

// statFile asks for the size. Links are 1: the system does not tell without
// another call.
func statFile(f *os.File) (Stat, error) {
	info, err := f.Stat()
	if err != nil {
		return Stat{}, err
	}
	return Stat{Size: info.Size(), Links: 1}, nil
}

// syncFile writes content and metadata of f by FlushFileBuffers, which wants a
// file opened for writing.
func syncFile(f *os.File) error { return f.Sync() }

// syncDir does nothing: a directory cannot be flushed here.
func syncDir(*os.File) error { return nil }

// lockFile locks one byte far behind the content: locks here forbid others to
// read the bytes that they cover.
func lockFile(f *os.File) error {
	return lockRange(f, windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY)
}

// unlockFile lets the lock go.
func unlockFile(f *os.File) error {
	return withHandle(f, func(h windows.Handle) error { return windows.UnlockFileEx(h, 0, 1, 0, farByte()) })
}

// lockDir and unlockDir do nothing: a file that is open cannot be removed here, nor
// another be put in its place.
func lockDir(*os.File) error   { return nil }
func unlockDir(*os.File) error { return nil }

// lockHeld has to try, since the lock cannot be asked about: it takes a shared
// lock and lets it go at once. Whoever calls Lock in that instant is told ErrLocked.
func lockHeld(f *os.File) (bool, error) {
	err := lockRange(f, windows.LOCKFILE_FAIL_IMMEDIATELY)
	if err == fault.ErrLocked {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, unlockFile(f)
}

func lockRange(f *os.File, flags uint32) error {
	err := withHandle(f, func(h windows.Handle) error { return windows.LockFileEx(h, flags, 0, 1, 0, farByte()) })
	switch err {
	case windows.ERROR_LOCK_VIOLATION, windows.ERROR_IO_PENDING:
		return fault.ErrLocked
	case windows.ERROR_NOT_SUPPORTED, windows.ERROR_INVALID_FUNCTION:
		return &fault.Error{Op: "lock", Err: fault.ErrNoLocks, Cause: err}
	}
	return err
}

func farByte() *windows.Overlapped {
	return &windows.Overlapped{Offset: lockByte & 0xFFFFFFFF, OffsetHigh: lockByte >> 32}
}

// withHandle calls fn with the handle of f, which stays open meanwhile.
func withHandle(f *os.File, fn func(h windows.Handle) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := conn.Control(func(h uintptr) { inner = fn(windows.Handle(h)) }); err != nil {
		return os.ErrClosed // what Control says for it is no error that can be asked for
	}
	return inner
}

// networkFS returns nothing: locks work over SMB between Windows machines.
func networkFS(*os.File) (string, error) { return "", nil }

// replace does by hand what renameio does elsewhere; renameio is not for Windows.
func (r *rootFS) replace(name string, data []byte) error { return replaceSteps(r, name, data) }

// timeOfDay is SYSTEM_TIMEOFDAY_INFORMATION as far as it is needed.
type timeOfDay struct {
	BootTime, CurrentTime, TimeZoneBias int64
	TimeZoneID, Reserved                uint32
	BootTimeBias, SleepTimeBias         uint64
}

// bootID returns the boot time that the kernel keeps. It moves when the clock is
// set: then the boot seems another one, which is the safe mistake. A time
// computed from the tick count would change by rounding alone.
func bootID() string {
	var t timeOfDay
	err := windows.NtQuerySystemInformation(windows.SystemTimeOfDayInformation, unsafe.Pointer(&t), uint32(unsafe.Sizeof(t)), nil)
	if err != nil {
		return "" // unknown, which FS.Boot allows
	}
	return fmt.Sprintf("boottime-%d", t.BootTime)
}

// fileID is not asked for here: a sync looks at each directory instead.
type fileID struct{}

func idOf(*os.File) (id fileID, ok bool) { return id, false }
func stands(path string, id fileID) bool { return false }
