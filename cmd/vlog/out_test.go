package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vlogdb/vlog/engine"
)

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, not %v", what, got, want)
	}
}

func TestSizes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 64 << 20: "64.0 MiB", 5 << 40: "5.0 TiB", math.MaxInt64: "8388608.0 TiB"} {
		equal(t, "size", size(n), want)
	}
	equal(t, "plural", plural(1, "batch")+" "+plural(2, "batch")+" "+plural(0, "key")+" "+plural(3, "entry"), "1 batch 2 batches 0 keys 3 entries")
}

// TestShown: a key never breaks a line, moves a cursor, or looks like nothing.
func TestShown(t *testing.T) {
	for key, want := range map[string]string{"users/42": "users/42", "größe 1": "größe 1", "": `""`, "a\nb": `"a\nb"`, "\x1b[31m": `"\x1b[31m"`, "\xff": `"\xff"`} {
		equal(t, "shown", shown([]byte(key)), want)
	}
}

// TestFailures: every error has its exit code and its code for JSON.
func TestFailures(t *testing.T) {
	holder := &engine.Holder{PID: 7, Program: "orders", Host: "a", Since: time.Unix(0, 0).UTC()}
	for _, c := range []struct {
		err  error
		code string
		exit int
	}{
		{errors.New("x"), "FAILED", 1},
		{usagef("x"), "USAGE", 2},
		{&badLine{3, errors.New("x")}, "BAD_LINE", 2},
		{&noKey{tenant: "main", key: []byte("k")}, "NOT_FOUND", 3},
		{&engine.Error{Err: engine.ErrNotStore}, "NOT_STORE", 3},
		{&engine.Error{Err: engine.ErrExists}, "EXISTS", 4},
		{&engine.Error{Err: engine.ErrConflict}, "CONFLICT", 4},
		{&engine.Error{Err: engine.ErrCorrupt}, "CORRUPT", 5},
		{&engine.Error{Err: engine.ErrForeign}, "FOREIGN", 5},
		{&engine.Error{Err: engine.ErrLocked, Cause: holder}, "LOCKED", 6},
		{&engine.Error{Err: engine.ErrIncompatible}, "INCOMPATIBLE", 7},
		{&engine.Error{Err: engine.ErrReadOnly}, "READ_ONLY", 8},
		{&engine.Error{Err: engine.ErrDenied}, "DENIED", 8},
		{&engine.Error{Err: engine.ErrAmbiguous}, "AMBIGUOUS", 11},
		{fmt.Errorf("reading: %w", context.Canceled), "INTERRUPTED", 130},
	} {
		f := failureOf(c.err)
		equal(t, "code of "+c.err.Error(), f.code, c.code)
		equal(t, "exit of "+c.err.Error(), f.exit, c.exit)
	}
	f := failureOf(errors.Join(&engine.Error{Err: engine.ErrLocked, Cause: holder}, errors.New("and more")))
	equal(t, "pid", f.details["pid"], any(7))
	equal(t, "lines", strings.Count(f.message, "\n"), 0)
	equal(t, "a closed pipe", closedPipe(fmt.Errorf("write: %w", syscall.EPIPE)), true)
	equal(t, "another error", closedPipe(syscall.ENOSPC), false)
}

// TestProgress: a line at most once a second, a bar that is wiped, and silence.
func TestProgress(t *testing.T) {
	lines := func(a *app, wait time.Duration) string {
		var out bytes.Buffer
		a.err = &out
		p := a.newProgress("check", "bytes")
		p.last = p.last.Add(-wait)
		for n := range int64(100) {
			p.at(n, 100)
		}
		p.end()
		return out.String()
	}
	const first = `{"event":"progress","op":"check","done":0,"total":100,"unit":"bytes"}` + "\n"
	equal(t, "asked for", lines(&app{progress: "json"}, 0), first)
	equal(t, "--json, done at once", lines(&app{progress: "auto", json: true}, 0), "")
	equal(t, "--json, later", lines(&app{progress: "auto", json: true}, 2*time.Second), first)
	equal(t, "pipe", lines(&app{progress: "auto"}, 2*time.Second), "")
	equal(t, "never", lines(&app{progress: "never", errTerm: true}, 2*time.Second), "")
	bar := lines(&app{progress: "auto", errTerm: true}, 2*time.Second)
	if !strings.HasPrefix(bar, "\rcheck [ ") || !strings.HasSuffix(bar, " \r") {
		t.Errorf("bar %q", bar)
	}
	full := (&progress{op: "check"}).text(200, 100)
	equal(t, "full", full, "check ["+strings.Repeat("=", 30)+"] 100 %")
}

// TestChanges: what a line of changes may be, and that no byte is changed on the way.
func TestChanges(t *testing.T) {
	for line, want := range map[string]string{
		`{"op":"put","key":"k","value":"text"}`:                        "k=text",
		`{"op":"put","key":"k","value":{"a": [1, 2.50]}}`:              `k={"a":[1,2.50]}`,
		`{"op":"put","key":"","value":null}`:                           "=null",
		`{"op":"put","key_b64":"/w==","value_b64":""}`:                 "\xff=",
		`{"op":"put","key":"\ud83d\ude00","value":"\ufffd"}`:           "😀=\ufffd",
		`{"op":"del","key":"k"}`:                                       "k deleted",
		`{"op":"put","key":"k\ud800","value":1}`:                       "",
		`{"op":"put","key":"k","value":"\udc00"}`:                      "",
		"{\"op\":\"put\",\"key\":\"k\xff\",\"value\":1}":               "",
		`{"op":"put","key":"k"}`:                                       "",
		`{"op":"put","key":"k","value":1,"value_b64":""}`:              "",
		`{"op":"put","key":"k","key_b64":"aw==","value":1}`:            "",
		`{"op":"put","value":1}`:                                       "",
		`{"op":"put","key":"k","value":1,"ttl":5}`:                     "",
		`{"op":"put","key_b64":"!","value":1}`:                         "",
		`{"op":"del","key":"k"} x`:                                     "",
		`{"op":"","key":"k"}`:                                          "",
		`[]`:                                                           "",
		`null`:                                                         "",
		`{"op":"put","key":"a","key":"b","value":1}`:                   "",
		`{"op":"put","key":"a","value":1,"value":1}`:                   "",
		`{"op":"put","OP":"del","key":"a","value":1}`:                  "",
		`{"OP":"del","KEY":"a"}`:                                       "",
		`{"op":"del","key":null}`:                                      "",
		`{"op":"del","key":"a",}`:                                      "",
		`{"op":"del","key_b64":"AB=="}`:                                "",
		`{"op":"del","key_b64":"AA=\n="}`:                              "",
		`{"op":"put","key":"k","value":1e400}`:                         "k=1e400",
		`{"op":"put","key":"k","value":{"a":1,"a":"\ud800"}}`:          `k={"a":1,"a":"\ud800"}`,
		"{\"op\":\"put\",\"key\":\"\ufffd\\ud800\",\"value\":1}":       "",
		"{\"op\":\"put\",\"key\":\"k\",\"value\":\"\ufffd\\\\ud800\"}": "k=\ufffd\\ud800",
		`{"op":"put","key":"k","value":"\ud83d\ud83d\ude00"}`:          "",
		`{"op":"put","key":"k","value":"\u0000\n"}`:                    "k=\x00\n",
		`{"op":"put","key":"k","value":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`: "",
	} {
		s, err := oneChange([]byte(line))
		got := string(s.key) + "=" + string(s.value)
		switch {
		case err != nil:
			got = ""
		case s.del:
			got = string(s.key) + " deleted"
		}
		equal(t, brief(line), got, want)
	}
}

// TestTake: the store is the first argument, or VLOG_STORE where there are fewer.
func TestTake(t *testing.T) {
	for _, c := range []struct {
		env, args   string
		least, most int
		want        string // store, rest
	}{
		{"", "s k", 1, 1, "s k"},
		{"", "k", 1, 1, ""},
		{"", "", 0, 0, ""},
		{"e", "k", 1, 1, "e k"},
		{"e", "s k", 1, 1, "s k"},
		{"e", "", 0, 0, "e"},
		{"e", "s", 0, 0, "s"},
		{"e", "p", 0, 1, "e p"},
		{"e", "s p", 0, 1, "s p"},
		{"e", "s k v x", 2, 2, ""},
		{"", " k", 1, 1, ""},
		{"e", " k", 1, 1, ""}, // an empty first argument is not one left out
	} {
		a := &app{getenv: func(string) string { return c.env }}
		args := strings.Split(c.args, " ")
		if c.args == "" {
			args = nil
		}
		w, err := a.take(args, c.least, c.most)
		got := strings.Join(append([]string{w.dir}, w.rest...), " ")
		if err != nil {
			got = ""
		}
		equal(t, c.env+" "+c.args, got, c.want)
	}
}

// TestTook: a duration has three or four digits, and is never shown as none.
func TestTook(t *testing.T) {
	for d, want := range map[time.Duration]string{357_912: "358µs", 1_234_567: "1.23ms", 98_765_432: "98.8ms", 12_345_678_901: "12.3s", time.Hour + time.Second: "1h0m0s"} {
		equal(t, "took", took(d), want)
	}
}

// TestBrief: a message shows the beginning of a long text, whole characters, and
// how long it is.
func TestBrief(t *testing.T) {
	equal(t, "short", brief(strings.Repeat("k", briefMax)), strings.Repeat("k", briefMax))
	equal(t, "long", brief(strings.Repeat("k", briefMax+1)), strings.Repeat("k", briefMax)+"… (81 bytes)")
	equal(t, "cut in a character", brief(strings.Repeat("k", briefMax-1)+"ß!"), strings.Repeat("k", briefMax-1)+"… (82 bytes)")
}

// TestNext: what says how to go on can be pasted into a shell.
func TestNext(t *testing.T) {
	for key, want := range map[string]string{"users/42": "--after users/42", "größe": "--after größe", "a b": "--after 'a b'", "$HOME": "--after '$HOME'", "it's": "--key-b64 --after aXQncw==", "": "--after ''", "\xff": "--key-b64 --after /w=="} {
		equal(t, "next", next([]byte(key)), want)
	}
}

// TestHelp: every verb shows how it is called, and where its flags go.
func TestHelp(t *testing.T) {
	root := (&app{getenv: func(string) string { return "" }}).rootCommand()
	for _, cmd := range root.Commands() {
		if cmd.Hidden || oneOf(cmd.Name(), "help", "completion") {
			continue
		}
		if !strings.Contains(cmd.Example, "vlog "+cmd.Name()) || !strings.Contains(cmd.UseLine(), "[flags]") {
			t.Errorf("%s: %q, examples %q", cmd.Name(), cmd.UseLine(), cmd.Example)
		}
	}
}

// TestHints: what to do is said in the words of the command line.
func TestHints(t *testing.T) {
	for _, kind := range []*engine.Kind{engine.ErrNotStore, engine.ErrExists, engine.ErrCorrupt, engine.ErrForeign, engine.ErrNotRegular, engine.ErrLocked, engine.ErrIncompatible,
		engine.ErrReadOnly, engine.ErrDenied, engine.ErrAmbiguous, engine.ErrPoisoned, engine.ErrNoSpace, engine.ErrNoLocks, engine.ErrTooLarge, engine.ErrBadName, engine.ErrIO} {
		err := &engine.Error{Op: "open", Err: kind, Detail: "x"}
		f := failureOf(err)
		f.explain(err, "put", "s")
		if f.hint == "" || strings.Contains(f.hint, "Options") || strings.Contains(f.hint, "ReadOnly") || strings.Contains(f.hint, "close and open") {
			t.Errorf("%s: %q", kind.Code(), f.hint)
		}
		if !strings.HasPrefix(f.message, "s: ") {
			t.Errorf("%s: %q does not name the store", kind.Code(), f.message)
		}
	}
}
