//go:build linux || darwin

package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/vlogdb/vlog/internal/fault"
)

func TestErrorMapping(t *testing.T) {
	for err, kind := range map[error]*fault.Kind{
		syscall.ENOSPC: fault.ErrNoSpace, syscall.EDQUOT: fault.ErrNoSpace, syscall.EFBIG: fault.ErrNoSpace,
		syscall.EROFS: fault.ErrReadOnly, syscall.EACCES: fault.ErrDenied, syscall.EPERM: fault.ErrDenied,
		syscall.ENOENT: fault.ErrNotFound, syscall.EEXIST: fault.ErrExists, syscall.ENOTEMPTY: fault.ErrExists,
		syscall.ENOTDIR: fault.ErrNotRegular, syscall.EISDIR: fault.ErrNotRegular, syscall.ELOOP: fault.ErrNotRegular,
		syscall.ENXIO: fault.ErrNotRegular, syscall.ENOLCK: fault.ErrNoLocks,
		syscall.EIO: fault.ErrIO, syscall.EMFILE: fault.ErrIO, syscall.EINVAL: fault.ErrIO, syscall.EOPNOTSUPP: fault.ErrIO,
		os.ErrClosed: fault.ErrClosed, fs.ErrNotExist: fault.ErrNotFound, fs.ErrExist: fault.ErrExists,
		fs.ErrPermission: fault.ErrDenied, io.ErrShortWrite: fault.ErrIO, fault.ErrLocked: fault.ErrLocked,
		errors.New("anything"): fault.ErrIO,
	} {
		for _, in := range []error{err, &fs.PathError{Op: "x", Path: "y", Err: err}, fmt.Errorf("in: %w", err)} {
			got := fail("op", "name", in)
			want(t, got, kind)
			if !errors.Is(got, err) {
				t.Errorf("%v lost its cause %v", got, err)
			}
		}
	}
	if fail("op", "name", nil) != nil {
		t.Error("an error from nothing")
	}
	first := fail("op", "name", syscall.EIO)
	if got := fail("other", "elsewhere", first); got.Error() != first.Error() {
		t.Errorf("wrapped twice: %v", got)
	}
	both := also(first, fail("close", "name", syscall.ENOSPC))
	want(t, both, fault.ErrIO)
	if !strings.Contains(both.Error(), "no space left") {
		t.Errorf("the second error vanished: %v", both)
	}
}

// TestHintOfErrors: who has too many files open need not look at his disk.
func TestHintOfErrors(t *testing.T) {
	for no, told := range map[syscall.Errno]bool{syscall.EMFILE: true, syscall.ENFILE: true, syscall.EIO: false} {
		e, ok := errors.AsType[*fault.Error](fail("open", "a", &os.PathError{Op: "open", Path: "a", Err: no}))
		if !ok || (e.Hint != "") != told {
			t.Errorf("%v: %+v", no, e)
		}
	}
}

func TestLockErrors(t *testing.T) {
	for err, kind := range map[error]*fault.Kind{
		syscall.EAGAIN: fault.ErrLocked, syscall.EACCES: fault.ErrLocked, syscall.ENOLCK: fault.ErrNoLocks,
		syscall.EOPNOTSUPP: fault.ErrNoLocks, syscall.EIO: fault.ErrIO,
	} {
		want(t, fail("lock", "LOCK", lockError(err)), kind)
	}
}

func TestRetryIsBounded(t *testing.T) {
	calls := 0
	err := retry(func() error { calls++; return syscall.EINTR })
	if err != syscall.EINTR || calls != sysTries+1 {
		t.Errorf("%d calls, %v", calls, err)
	}
	calls = 0
	check(t, retry(func() error {
		if calls++; calls < 3 {
			return syscall.EINTR
		}
		return nil
	}))
}

func TestShortWrite(t *testing.T) {
	if checkShort(3, 5, nil) != io.ErrShortWrite || checkShort(5, 5, nil) != nil || checkShort(3, 5, syscall.EIO) != syscall.EIO {
		t.Error("a short write passes")
	}
}

func TestNetworkName(t *testing.T) {
	for magic, name := range map[uint32]string{
		0x6969: "NFS", 0x517B: "SMB", 0xFF534D42: "CIFS", 0xFE534D42: "SMB2", 0x5346414F: "AFS", 0x6B414653: "AFS",
		0x73757245: "CODA", 0x564C: "NCP", 0xEF53: "", 0x01021994: "", 0x58465342: "", 0x9123683E: "", 0x794C7630: "", 0: "",
	} {
		if got := networkName(magic); got != name {
			t.Errorf("%#x is %q, want %q", magic, got, name)
		}
	}
}

func TestIsTemp(t *testing.T) {
	for name, temp := range map[string]bool{
		"head": false, "a/head": false, ".": false, "a.tmpx": false,
		".head123": true, "a/.head.tmp": true, "b.tmp": true, "a/.head.7.tmp": true,
	} {
		if IsTemp(name) != temp {
			t.Errorf("%s: %v", name, !temp)
		}
	}
}
