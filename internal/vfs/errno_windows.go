package vfs

import (
	"syscall"

	"golang.org/x/sys/windows"

	"github.com/vlogdb/vlog/internal/fault"
)

// kindOfErrno maps the error numbers that have a class of their own; nil is any other.
func kindOfErrno(no syscall.Errno) *fault.Kind {
	switch no {
	case windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL, windows.ERROR_FILE_TOO_LARGE, windows.ERROR_DISK_QUOTA_EXCEEDED:
		return fault.ErrNoSpace
	case windows.ERROR_WRITE_PROTECT:
		return fault.ErrReadOnly
	case windows.ERROR_SHARING_VIOLATION:
		return fault.ErrDenied
	case windows.ERROR_DIR_NOT_EMPTY:
		return fault.ErrExists
	case windows.ERROR_DIRECTORY, windows.ERROR_CANT_ACCESS_FILE, syscall.ENOTDIR, syscall.EISDIR, syscall.ELOOP:
		return fault.ErrNotRegular
	case windows.ERROR_NOT_SUPPORTED, windows.ERROR_INVALID_FUNCTION:
		return nil
	}
	return nil
}
