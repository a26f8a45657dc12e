package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// signalOf returns the signal that a script calls so.
func signalOf(name string) os.Signal {
	switch name {
	case "TERM":
		return syscall.SIGTERM
	case "KILL":
		return os.Kill
	}
	return os.Interrupt
}

// waiting is how much of stdin shows that a command waits for more: no pipe and no
// buffer holds so much, so that it must have been read.
const waiting = 1 << 20

// interrupted runs a command whose stdin stays open, sends it INT, TERM or KILL while
// it waits for more, and compares its exit code: interrupted N SIGNAL COMMAND ARGS…
// It gives apply one change, which is on disk by then, and any other verb zeros.
func interrupted(ts *testscript.TestScript, _ bool, args []string) {
	cmd := command(ts, args[2:])
	in, err := cmd.StdinPipe()
	ts.Check(err)
	var out, messages bytes.Buffer
	lines, err := cmd.StdoutPipe()
	ts.Check(err)
	cmd.Stderr = &messages
	ts.Check(cmd.Start())
	killer := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() }) // against hanging; the exit code then tells
	if args[3] == "apply" {
		_, err = io.WriteString(in, `{"op":"put","key":"a","value":1}`+"\n")
		ts.Check(err)
		line, err := bufio.NewReader(lines).ReadString('\n')
		ts.Check(err)
		out.WriteString(line)
	} else {
		_, err = in.Write(make([]byte, waiting))
		ts.Check(err)
	}
	ts.Check(cmd.Process.Signal(signalOf(args[1])))
	_, err = out.ReadFrom(lines)
	ts.Check(err)
	got := exitCode(cmd.Wait())
	killer.Stop()
	ts.Logf("[stdout]\n%s[stderr]\n%s", &out, &messages)
	if args[0] != strconv.Itoa(got) {
		ts.Fatalf("exit code %d, not %s", got, args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs("told.out"), out.Bytes(), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("told.err"), messages.Bytes(), 0o600))
}

// deaf runs a command with three changes, whose stdout nobody reads; it must end
// quietly with 0: deaf COMMAND ARGS…
func deaf(ts *testscript.TestScript, _ bool, args []string) {
	cmd := command(ts, args)
	r, w, err := os.Pipe()
	ts.Check(err)
	ts.Check(r.Close())
	var messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = w, &messages
	cmd.Stdin = strings.NewReader(`{"op":"put","key":"first","value":1}` + "\n" + `{"op":"put","key":"second","value":2}` + "\n" + `{"op":"put","key":"third","value":3}`)
	if err := cmd.Run(); err != nil || messages.Len() > 0 {
		ts.Fatalf("%v: %s", err, &messages)
	}
	ts.Check(w.Close())
}

// command prepares a program of the script's own path.
func command(ts *testscript.TestScript, args []string) *exec.Cmd {
	for _, dir := range strings.Split(ts.Getenv("PATH"), string(os.PathListSeparator)) {
		path := dir + string(os.PathSeparator) + args[0]
		if _, err := os.Stat(path); err == nil {
			cmd := exec.Command(path, args[1:]...)
			cmd.Dir, cmd.Env = ts.MkAbs("."), []string{"PATH=" + ts.Getenv("PATH"), "GOCOVERDIR=" + ts.Getenv("GOCOVERDIR")} // where statements are counted
			return cmd
		}
	}
	ts.Fatalf("no %s in PATH", args[0])
	return nil
}

func exitCode(err error) int {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	if err != nil {
		return -1
	}
	return 0
}
