//go:build linux || darwin

package vfs

import (
	"syscall"

	"github.com/vlogdb/vlog/internal/fault"
)

// kindOfErrno maps the error numbers that have a class of their own; nil is any other.
func kindOfErrno(no syscall.Errno) *fault.Kind {
	switch no {
	case syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG:
		return fault.ErrNoSpace
	case syscall.EROFS:
		return fault.ErrReadOnly
	case syscall.EACCES, syscall.EPERM:
		return fault.ErrDenied
	case syscall.ENOENT:
		return fault.ErrNotFound
	// POSIX lets a system answer either of the two for a directory that is not empty.
	case syscall.EEXIST, syscall.ENOTEMPTY:
		return fault.ErrExists
	case syscall.ENOTDIR, syscall.EISDIR, syscall.ELOOP, syscall.ENXIO:
		return fault.ErrNotRegular
	case syscall.ENOLCK:
		return fault.ErrNoLocks
	}
	return nil
}
