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
		`{"op":"put","key":"k","value":"text"}`:              "k=text",
		`{"op":"put","key":"k","value":{"a": [1, 2.50]}}`:    `k={"a":[1,2.50]}`,
		`{"op":"put","key":"","value":null}`:                 "=null",
		`{"op":"put","key_b64":"/w==","value_b64":""}`:       "\xff=",
		`{"op":"put","key":"\ud83d\ude00","value":"\ufffd"}`: "😀=\ufffd",
		`{"op":"del","key":"k"}`:                             "k deleted",
		`{"op":"put","key":"k\ud800","value":1}`:             "",
		`{"op":"put","key":"k","value":"\udc00"}`:            "",
		"{\"op\":\"put\",\"key\":\"k\xff\",\"value\":1}":     "",
		`{"op":"put","key":"k"}`:                             "",
		`{"op":"put","key":"k","value":1,"value_b64":""}`:    "",
		`{"op":"put","key":"k","key_b64":"aw==","value":1}`:  "",
		`{"op":"put","value":1}`:                             "",
		`{"op":"put","key":"k","value":1,"ttl":5}`:           "",
		`{"op":"put","key_b64":"!","value":1}`:               "",
		`{"op":"del","key":"k"} x`:                           "",
		`{"op":"","key":"k"}`:                                "",
		`[]`:                                                 "",
	} {
		s, err := parseChange([]byte(line))
		got := string(s.key) + "=" + string(s.value)
		switch {
		case err != nil:
			got = ""
		case s.del:
			got = string(s.key) + " deleted"
		}
		equal(t, line, got, want)
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
	} {
		a := &app{getenv: func(string) string { return c.env }}
		w, err := a.take(strings.Fields(c.args), c.least, c.most)
		got := strings.Join(append([]string{w.dir}, w.rest...), " ")
		if err != nil {
			got = ""
		}
		equal(t, c.env+" "+c.args, got, c.want)
	}
}
