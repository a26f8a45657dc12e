package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

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

// failureOf takes an error apart.
func failureOf(err error) *failure {
	f := &failure{code: "FAILED", exit: 1, message: err.Error(), details: map[string]any{}}
	if u, ok := errors.AsType[*usage](err); ok {
		return &failure{code: "USAGE", exit: 2, message: u.message, details: f.details}
	}
	if x, ok := errors.AsType[*found](err); ok {
		return &failure{exit: x.exit}
	}
	if errors.Is(err, context.Canceled) {
		return &failure{code: "INTERRUPTED", exit: 130, message: "interrupted"}
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
	if f.hint != "" {
		f.details["hint"] = f.hint
	}
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
	line, err := json.Marshal(map[string]any{"error": map[string]any{"code": f.code, "message": f.message, "details": f.details}})
	if err != nil {
		line = []byte(`{"error":{"code":"FAILED","message":"the error cannot be told","details":{}}}`)
	}
	fmt.Fprintf(a.err, "%s\n", line)
}
