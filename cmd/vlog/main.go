// Command vlog looks into a store, writes to it, checks and recovers it.
//
// Data goes to stdout, everything else to stderr; a pipe never gets a colour, a
// bar or a prompt. With --json an answer is one JSON value, a sequence one object
// per line, and an error one line on stderr. Exit codes: 0 done, 1 failed, 2 wrong
// usage, 3 not found, 4 conflict or exists already, 5 damage or a foreign file,
// 6 locked, 7 incompatible, 8 not allowed, 9 done in part, 11 outcome unknown,
// 130 interrupted; unknown codes are failures.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

func main() { os.Exit(mainCode()) }

// mainCode runs the command and returns its exit code. A closed pipe must reach us
// as an error of the write, not as the signal that ends a Go program.
func mainCode() int {
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once: a store survives that
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr,
		outTerm: term.IsTerminal(int(os.Stdout.Fd())), errTerm: term.IsTerminal(int(os.Stderr.Fd())), getenv: os.Getenv}
	return a.run(ctx, os.Args[1:])
}
