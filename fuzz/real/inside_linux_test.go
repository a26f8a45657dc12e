package real

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// insideOf is set, to its name, for a test that runs in a process made for it.
const insideOf = "VLOG_REAL_INSIDE"

// nobody is a user without rights.
const nobody = 65534

// within runs the test again in a process made as how says, and reports whether this
// is that process already. The caller returns where it is not.
func within(t *testing.T, how *syscall.SysProcAttr) bool {
	t.Helper()
	if os.Getenv(insideOf) == t.Name() {
		return true
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout="+flag.Lookup("test.timeout").Value.String(), fmt.Sprint("-long=", *long))
	cmd.Env = append(os.Environ(), insideOf+"="+t.Name())
	cmd.Dir = "/"
	how.Pdeathsig = syscall.SIGKILL
	cmd.SysProcAttr = how
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Skipf("this machine does not let such a process be started: %v", err)
	}
	said := string(out)
	if err != nil {
		t.Fatalf("inside: %v\n%s", err, said)
	}
	if strings.Contains(said, "--- SKIP: "+t.Name()+" ") {
		t.Skip(said)
	}
	if !strings.Contains(said, "--- PASS: "+t.Name()+" ") {
		t.Fatalf("the test did not run inside:\n%s", said)
	}
	t.Log(said)
	return false
}

// alone runs the test again in a process of its own, whose limits it may change.
func alone(t *testing.T) bool { return within(t, &syscall.SysProcAttr{}) }

// asNobody runs the test again as a user to whom permissions apply.
func asNobody(t *testing.T) bool {
	if os.Getuid() != 0 {
		return true
	}
	return within(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}})
}

// withMounts runs the test again in a process that has mounts of its own, which end
// with it; as root of a namespace of users where it is not root.
func withMounts(t *testing.T) bool {
	how := &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	if uid, gid := os.Getuid(), os.Getgid(); uid != 0 {
		how.Cloneflags = unix.CLONE_NEWUSER
		how.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		how.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: gid, Size: 1}}
	}
	return within(t, how)
}

// disk is what mount is asked for.
type disk struct {
	source, kind string
	flags        uintptr
	options      string
}

// mount mounts a disk on a directory, which it makes, until the test is over. It skips
// the test where the machine has no such disk.
func mount(t *testing.T, dir string, d disk) {
	t.Helper()
	check(t, os.MkdirAll(dir, 0o700))
	if err := unix.Mount(d.source, dir, d.kind, d.flags, d.options); err != nil {
		t.Skipf("%s cannot be mounted here: %v", d.kind, err)
	}
	t.Cleanup(func() { check(t, unix.Unmount(dir, unix.MNT_DETACH)) })
}

// ext4Image makes a file that holds a small ext4 with a journal, and returns its name.
func ext4Image(t *testing.T, image string, size int64) string {
	t.Helper()
	check(t, os.WriteFile(image, nil, 0o600))
	check(t, os.Truncate(image, size))
	if out, err := run("mkfs.ext4", "-q", "-F", "-m", "0", "-J", "size=1", "-b", "1024", image); err != nil {
		t.Skipf("no ext4 can be made: %v %s", err, out)
	}
	return image
}

// mountImage mounts a file by a loop device until the test is over, or what it returns
// is called.
func mountImage(t *testing.T, image, dir string) (unmount func()) {
	t.Helper()
	check(t, os.MkdirAll(dir, 0o700))
	if out, err := run("mount", "-o", "loop", image, dir); err != nil {
		t.Skipf("an image cannot be mounted here: %v %s", err, out)
	}
	unmount = sync.OnceFunc(func() { check(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	t.Cleanup(unmount)
	return unmount
}

// run runs a program of the system and returns what it says.
func run(program string, args ...string) ([]byte, error) {
	return exec.Command(program, args...).CombinedOutput()
}
