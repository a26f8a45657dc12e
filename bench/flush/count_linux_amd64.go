package flush

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// counted are the calls that stop for who counts. getpgid is not counted: it is the mark
// that a child sets around what it is to be judged by.
var counted = []uint32{unix.SYS_FSYNC, unix.SYS_FDATASYNC, unix.SYS_MSYNC, unix.SYS_SYNC, unix.SYS_SYNCFS, unix.SYS_GETPGID}

// Offer makes the calling process stop at each call that is counted; it was started by
// Count. All other calls go on at full speed.
func Offer() error {
	prog := filter()
	fprog := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&fprog)))
	runtime.KeepAlive(prog)
	if errno != 0 {
		return errno
	}
	return nil
}

// filter is the program that the kernel runs at each call: those counted stop.
func filter() []unix.SockFilter {
	prog := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}} // the number of the call
	for i, nr := range counted {
		prog = append(prog, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: nr, Jt: uint8(len(counted) - i)})
	}
	return append(prog,
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_TRACE})
}

// Mark begins, and then ends, what is counted.
func Mark() error {
	_, err := unix.Getpgid(0)
	return err
}

// Count runs a process to its end and counts what it did between its marks.
func Count(cmd *exec.Cmd) (Counts, error) {
	runtime.LockOSThread() // who traces is a thread, not a process
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true, Pdeathsig: unix.SIGKILL}
	if err := cmd.Start(); err != nil {
		return Counts{}, err
	}
	c := counter{pid: cmd.Process.Pid}
	err := c.follow()
	return c.counts, errors.Join(err, cmd.Process.Release())
}

type counter struct {
	pid    int
	on     bool
	counts Counts
}

// follow lets the process run from stop to stop until it has ended.
func (c *counter) follow() error {
	ws, _, err := wait(c.pid)
	if err != nil {
		return err
	}
	const options = unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACESECCOMP | unix.PTRACE_O_EXITKILL
	if err := unix.PtraceSetOptions(c.pid, options); err != nil {
		return err
	}
	tid, sig := c.pid, 0
	for {
		if err := unix.PtraceCont(tid, sig); err != nil && err != unix.ESRCH {
			return err
		}
		for stopped := false; !stopped; stopped = ws.Stopped() {
			if ws, tid, err = wait(-1); err != nil {
				return err
			}
			if tid == c.pid && (ws.Exited() || ws.Signaled()) {
				return ended(ws)
			}
		}
		sig = c.stopped(tid, ws)
	}
}

// stopped looks at why a thread stopped, and returns the signal that it is to be given.
func (c *counter) stopped(tid int, ws unix.WaitStatus) int {
	switch s := ws.StopSignal(); {
	case s == unix.SIGTRAP && ws.TrapCause() == unix.PTRACE_EVENT_SECCOMP:
		c.call(tid)
		return 0
	case s == unix.SIGTRAP, s == unix.SIGSTOP:
		return 0
	default:
		return int(s)
	}
}

func (c *counter) call(tid int) {
	var regs unix.PtraceRegs
	if unix.PtraceGetRegs(tid, &regs) != nil {
		return // it was killed
	}
	if regs.Orig_rax == unix.SYS_GETPGID {
		c.on = !c.on
	}
	if !c.on {
		return
	}
	switch regs.Orig_rax {
	case unix.SYS_FSYNC:
		c.counts.Fsync++
	case unix.SYS_FDATASYNC:
		c.counts.Fdatasync++
	case unix.SYS_MSYNC:
		c.counts.Msync++
	case unix.SYS_SYNC, unix.SYS_SYNCFS:
		c.counts.Other++
	}
}

func wait(pid int) (ws unix.WaitStatus, tid int, err error) {
	for {
		if tid, err = unix.Wait4(pid, &ws, unix.WALL|unix.WNOTHREAD, nil); err != unix.EINTR {
			return ws, tid, err
		}
	}
}

func ended(ws unix.WaitStatus) error {
	if ws.Exited() && ws.ExitStatus() == 0 {
		return nil
	}
	return fmt.Errorf("the process ended with %#x", uint32(ws))
}
