package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"github.com/vlogdb/vlog/engine"
)

// tidy are the tests, which fail where a goroutine is left when all have ended.
type tidy struct{ *testing.M }

func (t tidy) Run() int {
	code := t.M.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func TestMain(m *testing.M) {
	testscript.Main(tidy{m}, map[string]func(){"vlog": func() { os.Exit(mainCode()) }})
}

// holding is the key under which a script keeps the store that it holds open.
type holding struct{}

// TestScripts runs the command the way people and scripts do; each script says in
// its first line what it shows.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Values[holding{}] = new(*engine.DB)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"hold": hold, "release": release, "write": write, "flip": flip, "edit": edit, "append": appendTo, "code": code, "interrupted": interrupted, "deaf": deaf, "truncated": truncated, "followed": followed, "watched": watched, "empty": empty},
	})
}

// hold opens a store in this process, which is not the one that runs vlog: hold DIR.
func hold(ts *testscript.TestScript, _ bool, args []string) {
	db, err := engine.Open(context.Background(), ts.MkAbs(args[0]), engine.Options{})
	ts.Check(err)
	*ts.Value(holding{}).(**engine.DB) = db
}

// empty fails where a directory has anything in it: empty DIR.
func empty(ts *testscript.TestScript, _ bool, args []string) {
	left, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(left) > 0 {
		ts.Fatalf("%s has %v", args[0], left)
	}
}

// release closes what hold opened.
func release(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check((*ts.Value(holding{}).(**engine.DB)).Close())
}

// write puts into the store that hold opened: write KEY VALUE.
func write(ts *testscript.TestScript, _ bool, args []string) {
	db := *ts.Value(holding{}).(**engine.DB)
	ts.Check(db.Put(context.Background(), []byte(args[0]), []byte(args[1])))
}

// truncated writes a truncate file of ptvp35: truncated FILE CHARACTERS.
func truncated(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.ParseUint(args[1], 10, 64)
	ts.Check(err)
	b := make([]byte, 16)
	binary.LittleEndian.PutUint64(b, n)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o600))
}

// flip turns a bit over: flip FILE OFFSET.
func flip(ts *testscript.TestScript, _ bool, args []string) {
	name := ts.MkAbs(args[0])
	b, err := os.ReadFile(name)
	ts.Check(err)
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	b[at] ^= 1
	ts.Check(os.WriteFile(name, b, 0o600))
}

// code runs a command and compares its exit code: code N COMMAND ARGS…
func code(ts *testscript.TestScript, _ bool, args []string) {
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if args[0] != strconv.Itoa(got) {
		ts.Fatalf("exit code %d, not %s", got, args[0])
	}
}

// edit replaces text in a file, everywhere: edit FILE OLD NEW, with \n and \r for line ends.
func edit(ts *testscript.TestScript, _ bool, args []string) {
	name := ts.MkAbs(args[0])
	b, err := os.ReadFile(name)
	ts.Check(err)
	ends := strings.NewReplacer(`\n`, "\n", `\r`, "\r")
	text := strings.ReplaceAll(string(b), ends.Replace(args[1]), ends.Replace(args[2]))
	if text == string(b) {
		ts.Fatalf("%s has no %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(name, []byte(text), 0o600))
}

// appendTo appends text to a file: append FILE TEXT, with \n for line ends.
func appendTo(ts *testscript.TestScript, _ bool, args []string) {
	name := ts.MkAbs(args[0])
	b, err := os.ReadFile(name)
	ts.Check(err)
	ts.Check(os.WriteFile(name, append(b, strings.ReplaceAll(args[1], `\n`, "\n")...), 0o600))
}
