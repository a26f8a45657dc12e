package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/vlogdb/vlog/engine"
)

// usage is an error in the command line itself.
type usage struct{ message string }

func (u *usage) Error() string { return u.message }

func usagef(format string, args ...any) error { return &usage{fmt.Sprintf(format, args...)} }

// found is an answer that is a failure for scripts: its text is printed already.
type found struct{ exit int }

func (f *found) Error() string { return "findings" }

// failure is an error as the command tells it.
type failure struct {
	code    string
	exit    int
	message string
	hint    string
	details map[string]any
}

// closedPipe says whether the reader of stdout has gone. Windows has two codes of
// its own for that: ERROR_BROKEN_PIPE and ERROR_NO_DATA.
func closedPipe(err error) bool {
	e, ok := errors.AsType[syscall.Errno](err)
	return ok && (e == syscall.EPIPE || runtime.GOOS == "windows" && (e == 109 || e == 232))
}

// untold is the error for something that is done and could not be printed; nil
// where it could.
func untold(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s is on disk, but that could not be printed: %w", what, err)
}

// failureOf takes an error apart.
func failureOf(err error) *failure {
	if s, ok := errors.AsType[*stopped](err); ok {
		f := failureOf(s.err)
		f.message += "; " + s.rest()
		f.details["applied_lines"] = s.done.line
		return f
	}
	f := &failure{code: "FAILED", exit: 1, message: strings.ReplaceAll(err.Error(), "\n", "; "), details: map[string]any{}}
	if u, ok := errors.AsType[*usage](err); ok {
		return &failure{code: "USAGE", exit: 2, message: u.message, details: f.details}
	}
	if l, ok := errors.AsType[*badLine](err); ok {
		return &failure{code: "BAD_LINE", exit: 2, message: l.Error(), hint: "`vlog apply --help` shows what a line looks like", details: map[string]any{"line": l.line}}
	}
	if x, ok := errors.AsType[*found](err); ok {
		return &failure{exit: x.exit, details: f.details}
	}
	if errors.Is(err, context.Canceled) {
		return &failure{code: "INTERRUPTED", exit: 130, message: "interrupted", details: f.details}
	}
	if k, ok := errors.AsType[*engine.Kind](err); ok {
		f.code, f.exit, f.hint = k.Code(), k.Exit(), k.Hint()
	}
	f.place(err)
	return f
}

// place adds what the error knows of where.
func (f *failure) place(err error) {
	if e, ok := errors.AsType[*engine.Error](err); ok {
		f.hint = e.Advice()
		for name, v := range map[string]any{"path": e.At.Path, "offset": e.At.Offset, "seq": e.At.Seq, "op": e.Op} {
			if v != "" && v != int64(0) && v != uint64(0) {
				f.details[name] = v
			}
		}
	}
	if h, ok := errors.AsType[*engine.Holder](err); ok {
		f.details["pid"], f.details["program"], f.details["host"], f.details["since"] = h.PID, h.Program, h.Host, h.Since
	}
	if n, ok := errors.AsType[*noKey](err); ok {
		f.hint = "`vlog ls` lists the keys"
		if n.at != nil {
			f.hint = "`vlog ls --at " + number(*n.at) + "` lists the keys of that moment"
		}
		f.details["tenant"] = n.tenant
		f.bytes("key", n.key)
		if n.near != nil {
			f.bytes("nearest", n.near)
		}
	}
	if c, ok := errors.AsType[*otherSeq](err); ok {
		f.hint = "read it again, and decide anew"
		f.details["tenant"], f.details["expected"], f.details["is"] = c.tenant, c.want, c.is
		f.bytes("key", c.key)
	}
}

// bytes adds a key to the details, under a name that ends in _b64 where it is no text.
func (f *failure) bytes(name string, b []byte) {
	if text, b64 := textOrB64(b); text != nil {
		f.details[name] = *text
	} else {
		f.details[name+"_b64"] = *b64
	}
}

// complete adds what only the command line knows: which verb, and which store.
func (f *failure) complete(cmd *cobra.Command, store string, err error) {
	f.explain(err, cmd.Name(), store)
	if f.code == "USAGE" {
		f.hint = "usage: " + cmd.UseLine() + "; see `" + cmd.CommandPath() + " --help`"
	}
	if store != "" {
		f.details["store"] = store
	}
	if f.hint != "" {
		f.details["hint"] = f.hint
	}
}

// errorLine is an error in JSON.
type errorLine struct {
	Error errorBody `json:"error"`
}

type errorBody struct {
	Code    string         `json:"code"`
	Message string         `json:"message"`
	Details map[string]any `json:"details"`
}

// fail tells a failure on stderr. There is nowhere to tell that this fails.
func (a *app) fail(f *failure) {
	if f.message == "" {
		return
	}
	if !a.json {
		fmt.Fprintf(a.err, "%s %s\n", a.paint(a.errTerm, "31", "vlog:"), f.message)
		if f.hint != "" {
			fmt.Fprintf(a.err, "      %s\n", f.hint)
		}
		return
	}
	line, err := jsonLine(errorLine{errorBody{f.code, f.message, f.details}})
	if err != nil {
		line = []byte(`{"error":{"code":"FAILED","message":"the error cannot be told","details":{}}}` + "\n")
	}
	fmt.Fprintf(a.err, "%s", line)
}
