package vfs

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// syncerEnv names the directory in which the test binary, started again and traced,
// takes the steps of TestSystemSyncs.
const syncerEnv = "VLOG_VFS_TEST_SYNCER"

// syncSteps are what is asked of the file system, and what then reaches the system, in
// this order: which directory a name was made durable in nobody sees before a power cut.
var syncSteps = []struct {
	name string
	do   func(*syncer) error
	want string
}{
	{"create two directories", (*syncer).create, "mkdir, sync ., mkdir, sync x, sync x"},
	{"create what is there", (*syncer).create, "sync x"},
	{"open", (*syncer).open, ""},
	{"mkdir", func(s *syncer) error { return s.fs.Mkdir("log") }, "mkdir"},
	{"sync the top", func(s *syncer) error { return s.fs.SyncDir(".") }, "sync x/y"},
	{"mkdir below", func(s *syncer) error { return s.fs.Mkdir("log/sub") }, "mkdir"},
	{"sync a directory", func(s *syncer) error { return s.fs.SyncDir("log") }, "sync x/y/log"},
	{"sync it again", func(s *syncer) error { return s.fs.SyncDir("log") }, "sync x/y/log"},
	{"sync one below it", func(s *syncer) error { return s.fs.SyncDir("log/sub") }, "sync x/y/log/sub"},
	{"write", (*syncer).write, "write x/y/log/a"},
	{"sync the file", func(s *syncer) error { return s.file.Sync() }, "data x/y/log/a"},
	{"rename", func(s *syncer) error { return s.fs.Rename("log/a", "log/b") }, "rename"},
	{"sync the renamed file", func(s *syncer) error { return s.file.Sync() }, "data x/y/log/b"},
	{"replace", func(s *syncer) error { return s.fs.Replace("head", []byte("1")) }, "write x/y/.head*, sync x/y/.head*, rename, sync x/y"},
	{"replace again", func(s *syncer) error { return s.fs.Replace("head", []byte("2")) }, "write x/y/.head*, sync x/y/.head*, rename, sync x/y"},
	{"replace in a directory", func(s *syncer) error { return s.fs.Replace("log/head", []byte("1")) }, "write x/y/log/.head*, sync x/y/log/.head*, rename, sync x/y/log"},
	{"lock", (*syncer).takeLock, ""},
	{"say who, not durably", func(s *syncer) error { return s.lock.SetContent([]byte("me"), false) }, "write x/y/LOCK, cut x/y/LOCK"},
	{"say who, durably", func(s *syncer) error { return s.lock.SetContent([]byte("I"), true) }, "write x/y/LOCK, cut x/y/LOCK, data x/y/LOCK"},
	{"remove", func(s *syncer) error { return s.fs.Remove("log/b") }, "unlink"},
	{"close", (*syncer).close, ""},
}

// syncer is the child that takes the steps.
type syncer struct {
	dir  string
	fs   FS
	file File
	lock Lock
}

func (s *syncer) create() error {
	fsys, err := CreateOS(filepath.Join(s.dir, "x", "y"))
	if err != nil {
		return err
	}
	return fsys.Close()
}

func (s *syncer) open() (err error) {
	s.fs, err = OpenOS(filepath.Join(s.dir, "x", "y"))
	return err
}

func (s *syncer) write() (err error) {
	if s.file, err = s.fs.Open("log/a", CreateNew); err != nil {
		return err
	}
	_, err = s.file.WriteAt([]byte("text"), 0)
	return err
}

func (s *syncer) takeLock() (err error) {
	s.lock, err = s.fs.Lock("LOCK")
	return err
}

func (s *syncer) close() error {
	return errors.Join(s.lock.Close(), s.file.Close(), s.fs.Close())
}

// run takes the steps, each behind a write to standard output of its name.
func (s *syncer) run() int {
	for _, step := range syncSteps {
		_, err := os.Stdout.WriteString(step.name)
		if err = errors.Join(err, step.do(s)); err != nil {
			fmt.Fprintln(os.Stderr, step.name, err)
			return 1
		}
	}
	if _, err := os.Stdout.WriteString("the end"); err != nil { // what the runtime does as it ends is not ours
		return 1
	}
	return 0
}

// runSyncer takes the steps where this process is the child.
func runSyncer() (code int, is bool) {
	dir := os.Getenv(syncerEnv)
	if dir == "" {
		return 0, false
	}
	return (&syncer{dir: dir}).run(), true
}

// TestSystemSyncs takes each step that promises durability in a process whose system
// calls are watched: that a directory was synced no other test can see, for only a power
// cut would tell.
func TestSystemSyncs(t *testing.T) {
	w := &watch{}
	if said, err := w.watch(t); err != nil {
		t.Fatal(err, said)
	}
	for _, step := range syncSteps {
		if got := strings.Join(w.said[step.name], ", "); got != step.want {
			t.Errorf("%s: %q, want %q", step.name, got, step.want)
		}
	}
}

// TestSystemSyncFails lets each of these syncs fail in turn: the step says so.
func TestSystemSyncFails(t *testing.T) {
	for n := 1; ; n++ {
		w := &watch{fail: n}
		said, err := w.watch(t)
		if w.syncs < n {
			if check(t, err); n < 15 {
				t.Errorf("only %d syncs", n-1)
			}
			return
		}
		if _, over := errors.AsType[exit](err); !over || !strings.HasPrefix(said, w.step+" ") || !strings.Contains(said, "input/output error") {
			t.Errorf("sync %d, in %q: %q, %v", n, w.step, said, err)
		}
	}
}

// watch runs the steps in a child, and returns what that says.
func (w *watch) watch(t *testing.T) (string, error) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	check(t, err)
	said, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	check(t, err)
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env, cmd.Stderr = append(os.Environ(), syncerEnv+"="+dir, "GODEBUG=asyncpreemptoff=1"), said
	w.dir, w.said = dir, map[string][]string{}
	err = w.run(cmd)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENOSYS) {
		t.Skip("processes may not be traced here: ", err)
	}
	check(t, said.Close())
	text, readErr := os.ReadFile(said.Name())
	check(t, readErr)
	return string(text), err
}

// watch is what a traced process did, by step.
type watch struct {
	dir  string
	step string
	said map[string][]string

	fail    int // the nth sync fails; 0: none
	syncs   int // so far
	failing int // the thread whose sync is to fail as it returns
}

// run starts a process and watches it to its end. Who traces is a thread, not a process.
func (w *watch) run(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &unix.SysProcAttr{Ptrace: true, Pdeathsig: unix.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	err := w.follow(cmd.Process.Pid)
	if _, over := errors.AsType[exit](err); err != nil && !over {
		err = errors.Join(err, reap(cmd.Process.Pid))
	}
	return errors.Join(err, cmd.Process.Release())
}

// exit is how a process ended that did not end well.
type exit unix.WaitStatus

func (e exit) Error() string { return fmt.Sprintf("the child ended with %#x", uint32(e)) }

// follow lets the process run from system call to system call until it has ended.
func (w *watch) follow(pid int) error {
	var ws unix.WaitStatus
	if _, err := wait(pid, &ws); err != nil {
		return err
	}
	const options = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_EXITKILL
	if err := unix.PtraceSetOptions(pid, options); err != nil {
		return err
	}
	tid, sig := pid, 0
	for {
		if err := unix.PtraceSyscall(tid, sig); err != nil && err != unix.ESRCH {
			return err
		}
		for done := false; !done; {
			var err error
			if tid, err = wait(-1, &ws); err != nil {
				return err
			}
			if tid == pid && (ws.Exited() || ws.Signaled()) {
				return ended(ws)
			}
			done = ws.Stopped()
		}
		if sig = 0; ws.StopSignal() == unix.SIGTRAP|0x80 {
			if err := w.call(tid); err != nil {
				return err
			}
		} else if s := ws.StopSignal(); s != unix.SIGTRAP && s != unix.SIGSTOP {
			sig = int(s)
		}
	}
}

// wait waits for a process that this thread traces, and for no other child.
func wait(pid int, ws *unix.WaitStatus) (int, error) {
	for {
		tid, err := unix.Wait4(pid, ws, unix.WALL|unix.WNOTHREAD, nil)
		if err != unix.EINTR {
			return tid, err
		}
	}
}

// reap ends a process that stands still and would for ever.
func reap(pid int) error {
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		return err
	}
	for {
		var ws unix.WaitStatus
		if _, err := wait(pid, &ws); err != nil || ws.Exited() || ws.Signaled() {
			return err
		}
	}
}

func ended(ws unix.WaitStatus) error {
	if ws.Exited() && ws.ExitStatus() == 0 {
		return nil
	}
	return exit(ws)
}

// tempDigits are what renameio puts behind the name of a file that is to come.
var tempDigits = regexp.MustCompile(`(/\.[a-z]+)[0-9]+$`)

// call notes a system call as it begins; at its end the register says another thing.
func (w *watch) call(tid int) error {
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(tid, &regs); err != nil {
		return unless(err, unix.ESRCH)
	}
	if int64(regs.Rax) != -int64(unix.ENOSYS) {
		return w.returned(tid, &regs)
	}
	switch regs.Orig_rax {
	case unix.SYS_WRITE, unix.SYS_PWRITE64:
		return w.wrote(tid, &regs)
	case unix.SYS_FTRUNCATE:
		w.note("cut " + w.path(tid, regs.Rdi))
	case unix.SYS_FSYNC:
		w.note("sync " + w.path(tid, regs.Rdi))
		w.synced(tid)
	case unix.SYS_FDATASYNC:
		w.note("data " + w.path(tid, regs.Rdi))
		w.synced(tid)
	case unix.SYS_MKDIR, unix.SYS_MKDIRAT:
		w.note("mkdir")
	case unix.SYS_RENAME, unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2:
		w.note("rename")
	case unix.SYS_UNLINK, unix.SYS_UNLINKAT:
		w.note("unlink")
	case unix.SYS_SYNC, unix.SYS_SYNCFS, unix.SYS_SYNC_FILE_RANGE, unix.SYS_MSYNC:
		w.note("another kind of sync")
	}
	return nil
}

// synced counts a sync; the one that is to fail is remembered until it returns.
func (w *watch) synced(tid int) {
	if w.syncs++; w.syncs == w.fail {
		w.failing = tid
	}
}

// returned gives the sync that is to fail an error for its answer.
func (w *watch) returned(tid int, regs *unix.PtraceRegs) error {
	if tid != w.failing {
		return nil
	}
	w.failing = 0
	failed := -int64(unix.EIO)
	regs.Rax = uint64(failed)
	return unix.PtraceSetRegs(tid, regs)
}

// unless is nil for one error.
func unless(err, one error) error {
	if err == one {
		return nil
	}
	return err
}

// wrote notes what is written to a file of the store; to standard output the name of the
// next step is.
func (w *watch) wrote(tid int, regs *unix.PtraceRegs) error {
	if regs.Rdi != 1 {
		if path := w.path(tid, regs.Rdi); filepath.IsLocal(path) {
			w.note("write " + path)
		}
		return nil
	}
	name := make([]byte, min(regs.Rdx, 1<<10))
	n, err := unix.PtracePeekData(tid, uintptr(regs.Rsi), name)
	w.step = string(name[:max(n, 0)])
	return err
}

func (w *watch) note(what string) { w.said[w.step] = append(w.said[w.step], what) }

// path returns what a descriptor of the child stands for.
func (w *watch) path(tid int, fd uint64) string {
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", tid, fd))
	if err != nil {
		return err.Error()
	}
	path = tempDigits.ReplaceAllString(path, "$1*")
	if rel, err := filepath.Rel(w.dir, path); err == nil {
		return rel
	}
	return path
}
