// Command coverage measures which statements of the rooms that hold data are run by
// the tests of the whole module, and lists those that are not.
//
//	go run ./fuzz/coverage
//	go run ./fuzz/coverage -profile cover.out
//
// docs/COVERAGE.md says of what it lists why that is so. It ends with 1 where a room
// has less than nine statements in ten, or that page does not name a function.
//
// No embedder needs this command.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
)

// rooms are what is measured.
const rooms = "./wal,./recovery,./internal/...,./engine"

// least is the share of statements that tests must run.
const least = 0.9

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	profile := flag.String("profile", "", "read this profile instead of running the tests")
	flag.Parse()
	if err := run(ctx, *profile); err != nil {
		fmt.Fprintln(os.Stderr, "coverage:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, profile string) (err error) {
	if profile == "" {
		dir, err := os.MkdirTemp("", "coverage")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		profile = filepath.Join(dir, "cover.out")
		if err := test(ctx, profile); err != nil {
			return err
		}
	}
	text, err := os.ReadFile(profile)
	if err != nil {
		return err
	}
	blocks, err := parse(string(text))
	if err != nil {
		return err
	}
	known, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	return report(os.Stdout, blocks, reasons(known))
}

// test runs all tests with every statement of the rooms counted.
func test(ctx context.Context, profile string) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-timeout=30m", "-coverpkg="+rooms, "-coverprofile="+profile, "./...")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return cmd.Run()
}
