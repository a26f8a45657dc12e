package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

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
	store    string // of the running verb, for messages
}

// run carries out one command line and returns the exit code.
func (a *app) run(ctx context.Context, args []string) int {
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil || errors.Is(err, syscall.EPIPE):
		return 0
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		a.fail(&failure{code: "INTERRUPTED", exit: 130, message: "interrupted"})
		return 130
	}
	f := failureOf(err)
	a.fail(f)
	return f.exit
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "vlog",
		Short: "Look into a vlog store, write to it, check and recover it",
		Long: `vlog works on a store: a directory that is a database.

The store is the first argument, or VLOG_STORE. Data goes to stdout, messages to
stderr. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 conflict or
exists already, 5 damage, 6 locked, 7 incompatible, 8 not allowed, 9 done in part,
11 outcome unknown, 130 interrupted. Unknown codes are failures.`,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("unknown verb %q; see `vlog help`", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f := root.PersistentFlags()
	f.BoolVar(&a.json, "json", false, "answer in JSON; errors too")
	f.BoolVar(&a.local, "local", false, "show times in local time instead of UTC")
	f.StringVarP(&a.tenant, "tenant", "t", or(a.getenv("VLOG_TENANT"), "main"), "tenant to work on (VLOG_TENANT)")
	f.StringVar(&a.color, "color", "auto", "auto, always or never (NO_COLOR, CLICOLOR_FORCE)")
	f.StringVar(&a.progress, "progress", "auto", "auto, json or never")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usagef("%v", err) })
	root.PersistentPreRunE = func(*cobra.Command, []string) error { return a.checkFlags() }
	root.AddCommand(a.initCommand(), a.putCommand(), a.getCommand(), a.delCommand(), a.lsCommand(), a.applyCommand(), a.infoCommand(),
		a.statsCommand(), a.checkCommand(), a.recoverCommand(), a.compactCommand(), a.versionCommand(), a.demoCommand(), a.demoWriterCommand())
	return root
}

func (a *app) checkFlags() error {
	if !oneOf(a.color, "auto", "always", "never") {
		return usagef("--color is auto, always or never, not %q", a.color)
	}
	if !oneOf(a.progress, "auto", "json", "never") {
		return usagef("--progress is auto, json or never, not %q", a.progress)
	}
	return nil
}

func oneOf(s string, all ...string) bool {
	for _, x := range all {
		if s == x {
			return true
		}
	}
	return false
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
		return w, usagef("wrong number of arguments: %s", strings.Join(args, " "))
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

// value reads the value of an argument: itself, @file, or - for stdin.
func (a *app) value(arg string) ([]byte, error) {
	switch {
	case arg == "-":
		return io.ReadAll(a.in)
	case strings.HasPrefix(arg, "@"):
		b, err := os.ReadFile(arg[1:])
		if err != nil {
			return nil, usagef("%v", err)
		}
		return b, nil
	}
	return []byte(arg), nil
}

// print writes a line of data.
func (a *app) print(format string, args ...any) error {
	_, err := fmt.Fprintf(a.out, format+"\n", args...)
	return err
}
