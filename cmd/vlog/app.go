package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/vlogdb/vlog/engine"
)

// app is one run of the command: where it reads and writes, and the flags that
// every verb has.
type app struct {
	in       io.Reader
	out, err io.Writer
	outTerm  bool
	errTerm  bool
	getenv   func(string) string

	json     bool
	local    bool
	tenant   string
	color    string
	progress string
	store    string // of the running verb, for the details of an error
}

// run carries out one command line and returns the exit code.
func (a *app) run(ctx context.Context, args []string) int {
	root := a.rootCommand()
	a.json = wantsJSON(args)
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil || closedPipe(err) {
		return 0
	}
	f := failureOf(err)
	f.complete(cmd, a.store, err)
	a.fail(f)
	return f.exit
}

// wantsJSON looks for --json before the flags are parsed, so that an error in a
// flag that stands before it is told in JSON too.
func wantsJSON(args []string) bool {
	if i := slices.Index(args, "--"); i >= 0 {
		args = args[:i]
	}
	return slices.Contains(args, "--json") || slices.Contains(args, "--json=true")
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// words are the arguments of a verb: the store and what follows.
type words struct {
	dir  string
	rest []string
}

// take splits arguments into the store and between least and most others. Where
// VLOG_STORE is set and the store may be left out, fewer arguments mean that it was.
func (a *app) take(args []string, least, most int) (words, error) {
	env := a.getenv("VLOG_STORE")
	w := words{}
	switch {
	case len(args) > most && len(args) >= 1:
		w = words{args[0], args[1:]}
	case env != "":
		w = words{env, args}
	case len(args) == 0:
		return w, usagef("name the store, or set VLOG_STORE")
	default:
		w = words{args[0], args[1:]}
	}
	if len(w.rest) < least || len(w.rest) > most {
		return w, usagef("wrong number of arguments: %d", len(args))
	}
	if w.dir == "" { // an unset variable of a shell, as a rule; it must not mean this directory
		return w, usagef("the name of the store is empty")
	}
	a.store = w.dir
	return w, nil
}

// quiet are the options of a verb that does one thing and ends: no goroutines of
// the engine's own.
func quiet() engine.Options { return engine.Options{MustExist: true, CheckpointAfter: -1} }

// with opens the store, runs fn, and closes it; fn's error comes first.
func (a *app) with(ctx context.Context, dir string, opts engine.Options, fn func(*engine.DB) error) error {
	db, err := engine.Open(ctx, dir, opts)
	if err != nil {
		return err
	}
	err = fn(db)
	if closed := db.Close(); err == nil {
		return closed
	}
	return err
}

// read is with for a store that is only looked at.
func (a *app) read(ctx context.Context, dir string, fn func(*engine.DB) error) error {
	return a.with(ctx, dir, engine.Options{ReadOnly: true}, fn)
}

// scope returns the tenant that the flags name.
func (a *app) scope(db *engine.DB) (engine.Scope, error) { return db.Tenant(a.tenant) }

// time shows a time as the flags want it.
func (a *app) time(t time.Time) string {
	if a.local {
		return t.Local().Format(time.RFC3339Nano)
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// colored says whether a stream gets colours.
func (a *app) colored(terminal bool) bool {
	switch {
	case a.color != "auto":
		return a.color == "always"
	case a.getenv("NO_COLOR") != "":
		return false
	case oneOf(a.getenv("CLICOLOR_FORCE"), "", "0"):
		return terminal
	}
	return true
}

// print writes a line of data.
func (a *app) print(format string, args ...any) error {
	_, err := fmt.Fprintf(a.out, format+"\n", args...)
	return err
}
