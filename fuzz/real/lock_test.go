package real

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/engine"
)

// locked fails unless a store is held: for this process, and for another.
func locked(t *testing.T, what, dir string) {
	t.Helper()
	_, err := engine.Open(t.Context(), dir, engine.Options{})
	want(t, what, err, engine.ErrLocked)
	if c := start(t, "holder", dir); c.says() != engine.ErrLocked.Code() {
		t.Fatalf("%s: another process could open it", what)
	}
}

// TestTwoOpeners: one writes, and any other is told who does, in the same process and
// in another; a process that is killed holds nothing.
func TestTwoOpeners(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	acked := written{}
	db := open(t, dir, engine.Options{})
	acked.some(t, db, 3)
	locked(t, "held here", dir)
	check(t, os.Symlink(dir, dir+"-link"))
	locked(t, "held here, by a link", dir+"-link")
	acked.some(t, db, 3)
	check(t, db.Close())

	c := start(t, "holder", dir)
	if said := c.says(); said != "held" {
		t.Fatal(said)
	}
	locked(t, "held there", dir)
	_, err := engine.Open(t.Context(), dir, engine.Options{})
	if h, ok := errors.AsType[*engine.Holder](err); !ok || h.PID != c.cmd.Process.Pid {
		t.Errorf("held by %d, told is %v", c.cmd.Process.Pid, err)
	}
	if c.ask("by the child") != "ok" {
		t.Fatal("the child could not put")
	}
	acked["by the child"] = "held"
	c.kill()
	c.killed(func(string) {})
	acked.opens(t, dir)
}

// TestOldLock: what LOCK says holds nobody off, the kernel does: that of a process that
// is gone, of one that is there and is another, and what is no line of ours.
func TestOldLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	acked := written{}
	c := start(t, "holder", dir)
	c.says()
	c.ask("by the child")
	acked["by the child"] = "held"
	c.kill()
	c.killed(func(string) {})
	name := filepath.Join(dir, "LOCK")
	old, err := os.ReadFile(name)
	check(t, err)
	for what, content := range map[string][]byte{"a dead process": old, "nothing": nil, "garbage": []byte("pid 1\n"), "much": make([]byte, 1<<20)} {
		check(t, os.WriteFile(name, content, 0o600))
		db, err := engine.Open(t.Context(), dir, engine.Options{ReadOnly: true})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		info, err := db.Info(t.Context())
		if check(t, err); info.Writer != nil {
			t.Errorf("%s: held by %v", what, info.Writer)
		}
		acked.same(t, db)
		check(t, db.Close())
		acked.opens(t, dir)
	}
	check(t, os.Remove(name))
	acked.opens(t, dir)
}

// TestLockTakenAway: where LOCK is removed, moved or replaced while the store is held,
// nobody else gets in beside the holder, who goes on.
func TestLockTakenAway(t *testing.T) {
	for what, do := range map[string]func(name string) error{
		"removed": os.Remove,
		"moved":   func(name string) error { return os.Rename(name, filepath.Dir(name)+".old") },
		"replaced": func(name string) error {
			return errors.Join(os.WriteFile(name+".new", nil, 0o600), os.Rename(name+".new", name))
		},
	} {
		t.Run(what, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			acked := written{}
			db := open(t, dir, engine.Options{NoPrepare: true})
			acked.some(t, db, 3)
			check(t, do(filepath.Join(dir, "LOCK")))
			locked(t, what, dir)
			acked.some(t, db, 3)
			acked.again(t, db, dir)
		})
	}
}

// TestInherited: a program that the holder starts inherits no lock, nor any file of
// the store, and holds nobody off when the holder has closed it.
func TestInherited(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	acked := written{}
	db := open(t, dir, engine.Options{NoPrepare: true})
	acked.some(t, db, 3)
	sleeper := exec.Command("cat")
	in, err := sleeper.StdinPipe()
	check(t, err)
	if err := sleeper.Start(); err != nil {
		t.Skipf("there is no program to start: %v", err)
	}
	acked.again(t, db, dir)
	if c := start(t, "holder", dir); c.says() != "held" {
		t.Error("a child holds the store that its parent has closed")
	}
	noneOpen(t, sleeper.Process.Pid, dir)
	check(t, errors.Join(in.Close(), sleeper.Wait()))
}

// noneOpen fails where a process has a file open below a directory, on systems that tell.
func noneOpen(t *testing.T, pid int, dir string) {
	fds, err := filepath.Glob(filepath.Join("/proc", fmt.Sprint(pid), "fd", "*"))
	check(t, err)
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, dir) {
			t.Errorf("%s is open in a child", to)
		}
	}
}
