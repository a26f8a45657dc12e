// Command simulate runs whole lives of a store in the simulated world of package
// fuzz/sim, seed after seed, on all cores:
//
//	go run ./fuzz/simulate -seeds 1000
//	go run ./fuzz/simulate -for 1h
//	go run ./fuzz/simulate -story 4711
//
// It ends at the first seed that shows anything wrong, and tells its story.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/term"
)

// settings are what the command line asks for.
type settings struct {
	first, seeds uint64
	span         time.Duration
	jobs         int
	story        uint64
}

func main() {
	var s settings
	flag.Uint64Var(&s.first, "first", 1, "seed to begin with")
	flag.Uint64Var(&s.seeds, "seeds", 1000, "seeds to run")
	flag.DurationVar(&s.span, "for", 0, "run for so long instead, however many seeds that are")
	flag.IntVar(&s.jobs, "j", runtime.NumCPU(), "processes at once")
	flag.Uint64Var(&s.story, "story", 0, "run this one seed and tell its story")
	flag.Parse()
	if flag.NArg() > 0 || s.jobs < 1 || s.seeds < 1 || s.span < 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "simulate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) (err error) {
	dir, err := os.MkdirTemp("", "simulate")
	if err != nil {
		return err
	}
	defer func() { err = first(err, os.RemoveAll(dir)) }()
	bin := filepath.Join(dir, "sim.test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", bin, "github.com/vlogdb/vlog/fuzz/sim")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("building the simulator: %w", err)
	}
	if s.story > 0 {
		return tellStory(ctx, bin, s.story)
	}
	h := newHerd(bin, s)
	h.terminal = term.IsTerminal(int(os.Stderr.Fd()))
	return h.run(ctx)
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
