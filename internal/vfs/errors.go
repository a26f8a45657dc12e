package vfs

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/vlogdb/vlog/internal/fault"
)

// fail makes the one error an FS returns: what was done, to which name, of which
// class, and why. An error that says all this already passes through unchanged.
func fail(op, name string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return placed(e, name)
	}
	return &fault.Error{Op: op, At: fault.Place{Path: name}, Err: kindOf(err), Cause: cause(err), Hint: hintOf(err)}
}

// hintOf says what helps where that is nothing of the disk's; empty where the class does.
func hintOf(err error) string {
	if Exhausted(err) {
		return "close some files or raise the limit, and try again"
	}
	return ""
}

// Exhausted reports whether an error says that there was no descriptor for a file: then
// nothing was done, and the disk is as it was.
func Exhausted(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// placed returns e with a path: its own, or name where it has none.
func placed(e *fault.Error, name string) *fault.Error {
	if e.At.Path != "" {
		return e
	}
	with := *e
	with.At.Path = name
	return &with
}

// kindOf maps any error of the system to its sentinel; it is the only place that does.
func kindOf(err error) *fault.Kind {
	if k := fault.KindOf(err); k != nil {
		return k
	}
	if errors.Is(err, os.ErrClosed) {
		return fault.ErrClosed
	}
	if no, ok := errors.AsType[syscall.Errno](err); ok {
		if k := kindOfErrno(no); k != nil {
			return k
		}
	}
	return kindOfPortable(err)
}

// kindOfPortable maps what package io/fs has names for.
func kindOfPortable(err error) *fault.Kind {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fault.ErrNotFound
	case errors.Is(err, fs.ErrExist):
		return fault.ErrExists
	case errors.Is(err, fs.ErrPermission):
		return fault.ErrDenied
	}
	return fault.ErrIO
}

// cause strips what the fault.Error says already: the path, and a bare sentinel.
func cause(err error) error {
	switch e := err.(type) {
	case *fault.Kind:
		return nil
	case *fs.PathError:
		return e.Err
	case *os.LinkError:
		return e.Err
	}
	return err
}

// also keeps the first error and says in its detail that cleaning up failed as
// well: the first cause decides what the caller does, the second must not vanish.
func also(first error, second error) error {
	if first == nil {
		return second
	}
	if second == nil {
		return first
	}
	e, ok := errors.AsType[*fault.Error](first)
	if !ok {
		return errors.Join(first, second)
	}
	more := *e
	more.Detail = strings.TrimPrefix(more.Detail+"; ", "; ") + "then " + second.Error()
	return &more
}

// checkName accepts the slash-separated names that stay below the root.
func checkName(name string) error {
	if !fs.ValidPath(name) || strings.ContainsRune(name, 0) {
		return fault.ErrBadName
	}
	return nil
}

// checkEntry accepts names that can be renamed or removed: all but the root.
func checkEntry(name string) error {
	if name == "." {
		return fault.ErrBadName
	}
	return checkName(name)
}
