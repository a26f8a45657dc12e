//go:build linux || darwin

package vfs

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/vlogdb/vlog/internal/fault"
)

// lockerEnv names the directory in which the test binary, started again, takes
// the lock and waits to be killed.
const lockerEnv = "VLOG_VFS_TEST_LOCKER"

// TestMain fails where a goroutine is left when all tests have ended. As a child it holds
// a lock, or takes the steps of TestSystemSyncs.
func TestMain(m *testing.M) {
	if dir := os.Getenv(lockerEnv); dir != "" {
		fmt.Println(holdLock(dir))
		_, err := io.Copy(io.Discard, os.Stdin)
		fmt.Println(err)
		return
	}
	if code, is := runSyncer(); is {
		os.Exit(code)
	}
	goleak.VerifyTestMain(m)
}

func holdLock(dir string) string {
	fsys, err := OpenOS(dir)
	if err != nil {
		return err.Error()
	}
	l, err := fsys.Lock("LOCK")
	if err != nil {
		return fault.KindOf(err).Code()
	}
	if err := l.SetContent([]byte("the child"), true); err != nil {
		return err.Error()
	}
	return "held"
}

// startLocker starts a process that takes the lock in dir, and returns what it said.
func startLocker(t *testing.T, dir string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), lockerEnv+"="+dir)
	stdin, err := cmd.StdinPipe()
	check(t, err)
	stdout, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			check(t, stdin.Close())
			check(t, cmd.Wait())
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	check(t, err)
	return cmd, strings.TrimSpace(line)
}

func TestLockAcrossProcesses(t *testing.T) {
	dir := t.TempDir()
	fsys, err := OpenOS(dir)
	check(t, err)
	child, said := startLocker(t, dir)
	if said != "held" {
		t.Fatal(said)
	}
	_, err = fsys.Lock("LOCK")
	want(t, err, fault.ErrLocked)
	if held, err := fsys.Held("LOCK"); !held || err != nil {
		t.Fatal(held, err)
	}
	if got := read(t, fsys, "LOCK"); got != "the child" {
		t.Fatalf("%q", got)
	}
	check(t, child.Process.Kill())
	if err := child.Wait(); err == nil {
		t.Fatal("the child was not killed")
	}
	if held, err := fsys.Held("LOCK"); held || err != nil {
		t.Fatal("a killed process holds the lock", err)
	}
	l, err := fsys.Lock("LOCK")
	check(t, err)
	if _, said := startLocker(t, dir); said != "LOCKED" {
		t.Fatal(said)
	}
	check(t, l.Close())
	if _, said := startLocker(t, dir); said != "held" {
		t.Fatal(said)
	}
}

func TestLockTwoOpensOneProcess(t *testing.T) {
	dir := t.TempDir()
	one, err := OpenOS(dir)
	check(t, err)
	two, err := OpenOS(dir)
	check(t, err)
	l, err := one.Lock("LOCK")
	check(t, err)
	_, err = two.Lock("LOCK")
	want(t, err, fault.ErrLocked)
	if held, err := two.Held("LOCK"); !held || err != nil {
		t.Fatal(held, err)
	}
	check(t, l.Close())
	l, err = two.Lock("LOCK")
	check(t, err)
	check(t, l.Close())
}

func TestHeldNeedsNoRightToWrite(t *testing.T) {
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "LOCK"), []byte("x"), 0o400))
	fsys, err := OpenOS(dir)
	check(t, err)
	if held, err := fsys.Held("LOCK"); held || err != nil {
		t.Fatal(held, err)
	}
}

func TestOnlyPlainFiles(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	check(t, os.WriteFile(at("plain"), []byte("text"), 0o600))
	check(t, os.Mkdir(at("dir"), 0o700))
	check(t, os.WriteFile(at("dir/file"), nil, 0o600))
	check(t, os.Symlink("plain", at("link")))
	check(t, os.Symlink("nowhere", at("dangling")))
	check(t, os.Symlink("dangling2", at("dangling2")))
	check(t, os.Symlink("/etc/passwd", at("outside")))
	check(t, os.Symlink("dir", at("dirlink")))
	check(t, syscall.Mkfifo(at("pipe"), 0o600))
	fsys, err := OpenOS(dir)
	check(t, err)
	for _, name := range []string{"link", "dangling", "dangling2", "outside", "dirlink", "pipe", "dir", "dirlink/file"} {
		for _, mode := range []Mode{ReadOnly, ReadWrite, Create} {
			_, err := fsys.Open(name, mode)
			want(t, err, fault.ErrNotRegular)
		}
		_, err := fsys.Lock(name)
		want(t, err, fault.ErrNotRegular)
	}
	for _, name := range []string{"link", "dangling", "pipe", "dir"} {
		_, err := fsys.Open(name, CreateNew)
		want(t, err, fault.ErrExists)
	}
	want(t, fsys.SyncDir("dirlink"), fault.ErrNotRegular)
	_, err = fsys.ReadDir("dirlink")
	want(t, err, fault.ErrNotRegular)
	want(t, fsys.Replace("dirlink/x", nil), fault.ErrNotRegular)
	check(t, fsys.Replace("link", []byte("mine")))
	if got := read(t, fsys, "plain"); got != "text" {
		t.Fatalf("Replace followed a link: %q", got)
	}
	if _, err := os.Lstat(at("nowhere")); !os.IsNotExist(err) {
		t.Fatal("a dangling link was followed", err)
	}
	list, err := fsys.ReadDir(".")
	check(t, err)
	for _, e := range list {
		if e.Regular != (e.Name == "plain" || e.Name == "link") || e.Dir != (e.Name == "dir") {
			t.Errorf("%+v", e)
		}
	}
}

func TestHardLink(t *testing.T) {
	dir := t.TempDir()
	fsys, err := OpenOS(dir)
	check(t, err)
	f := create(t, fsys, "a", "text")
	check(t, os.Link(filepath.Join(dir, "a"), filepath.Join(t.TempDir(), "b")))
	if st, err := f.Stat(); err != nil || st.Links != 2 || st.Size != 4 {
		t.Fatalf("%+v, %v", st, err)
	}
}

func TestRoot(t *testing.T) {
	dir := t.TempDir()
	check(t, os.Symlink("real", filepath.Join(dir, "link")))
	_, err := CreateOS(filepath.Join(dir, "link"))
	want(t, err, fault.ErrNotFound)
	real := filepath.Join(dir, "real")
	_, err = OpenOS(real)
	want(t, err, fault.ErrNotFound)
	fsys, err := CreateOS(filepath.Join(real, "x", "y"))
	check(t, err)
	check(t, fsys.Close())
	link := filepath.Join(dir, "link")
	fsys, err = CreateOS(link)
	check(t, err)
	if fsys.Path() != link {
		t.Error(fsys.Path())
	}
	check(t, fsys.Replace("a", []byte("text")))
	check(t, os.Remove(link))
	if got := read(t, fsys, "a"); got != "text" {
		t.Error(got)
	}
	check(t, fsys.SyncDir("."))
	_, err = OpenOS(filepath.Join(real, "a"))
	want(t, err, fault.ErrNotRegular)
	_, err = CreateOS(filepath.Join(real, "a"))
	want(t, err, fault.ErrNotRegular)
	_, err = CreateOS(filepath.Join(real, "a", "b"))
	want(t, err, fault.ErrNotRegular)
	pipe := filepath.Join(dir, "pipe")
	check(t, syscall.Mkfifo(pipe, 0o600))
	_, err = OpenOS(pipe)
	want(t, err, fault.ErrNotRegular)
	if fsys.Boot() == "" || fsys.Boot() != fsys.Boot() {
		t.Error("boot", fsys.Boot())
	}
}

// The store is moved, replaced, put back, removed: each sync and rename tells.
func TestRootGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	fsys, err := CreateOS(dir)
	check(t, err)
	f := create(t, fsys, "a", "text")
	gone := func() {
		t.Helper()
		want(t, f.Sync(), fault.ErrNotFound)
		want(t, fsys.Present(), fault.ErrNotFound)
		want(t, fsys.SyncDir("."), fault.ErrNotFound)
		want(t, fsys.Replace("b", nil), fault.ErrNotFound)
	}
	check(t, f.Sync())
	check(t, fsys.Present())
	check(t, os.Rename(dir, dir+".moved"))
	gone()
	want(t, fsys.Rename("b", "c"), fault.ErrNotFound)
	check(t, os.Mkdir(dir, 0o700))
	gone()
	check(t, os.Remove(dir))
	check(t, os.Rename(dir+".moved", dir))
	check(t, f.Sync())
	check(t, os.RemoveAll(dir))
	gone()
	_, err = fsys.Open("new", Create)
	want(t, err, fault.ErrNotFound)
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Error("the directory came back", err)
	}
}

// A directory in the store is moved, and another put in its place: nothing is read or
// written there, and what is open in the old one tells at the next sync.
func TestDirGone(t *testing.T) {
	dir := t.TempDir()
	fsys, err := OpenOS(dir)
	check(t, err)
	at := filepath.Join(dir, "log")
	check(t, fsys.Mkdir("log"))
	f := create(t, fsys, "log/a", "text")
	check(t, fsys.SyncDir("log"))
	check(t, os.Rename(at, at+".moved"))
	gone := func() {
		t.Helper()
		want(t, f.Sync(), fault.ErrNotFound)
		want(t, fsys.SyncDir("log"), fault.ErrNotFound)
		want(t, fsys.Replace("log/b", nil), fault.ErrNotFound)
		want(t, fsys.Rename("log/a", "log/c"), fault.ErrNotFound)
		want(t, fsys.Remove("log/a"), fault.ErrNotFound)
		_, err := fsys.Open("log/b", Create)
		want(t, err, fault.ErrNotFound)
	}
	gone()
	check(t, os.Mkdir(at, 0o700))
	check(t, os.WriteFile(filepath.Join(at, "a"), []byte("a stranger"), 0o600))
	gone()
	if list, err := os.ReadDir(at); len(list) != 1 || err != nil {
		t.Fatalf("written into another directory: %v %v", list, err)
	}
	if got := read(t, fsys, "log/a"); got != "a stranger" { // who reads is told by what he finds
		t.Errorf("read %q", got)
	}
	check(t, os.RemoveAll(at))
	check(t, os.Rename(at+".moved", at))
	check(t, f.Sync())
	check(t, fsys.Remove("log/a"))
	check(t, fsys.Remove("log"))
	check(t, fsys.Mkdir("log"))
	check(t, create(t, fsys, "log/a", "text").Sync())
}

func TestDenied(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may do anything")
	}
	dir := t.TempDir()
	fsys, err := OpenOS(dir)
	check(t, err)
	check(t, create(t, fsys, "a", "text").Close())
	check(t, os.Chmod(filepath.Join(dir, "a"), 0))
	_, err = fsys.Open("a", ReadOnly)
	want(t, err, fault.ErrDenied)
}

func TestFileTooBig(t *testing.T) {
	fsys := openTemp(t)
	f := create(t, fsys, "a", "")
	_, err := f.WriteAt([]byte("x"), 1<<62)
	want(t, err, fault.ErrNoSpace)
	f = create(t, NewMem(MemOptions{}), "a", "")
	_, err = f.WriteAt([]byte("x"), 1<<62)
	want(t, err, fault.ErrNoSpace)
}
