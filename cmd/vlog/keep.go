package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/vlogdb/vlog/engine"
)

func (a *app) keepCommand() *cobra.Command {
	var k keeping
	cmd := &cobra.Command{Use: "keep DIR [--checkpoints N | --batches N | --for SPAN | --all] [flags]", Short: "Show or set how far back a store reaches",
		Long: `Show how far back a store reaches, or set it. It is a setting of the store, written as a
batch. What it no longer asks for goes with the next checkpoint; what has gone does not
come back. --json tells --for in nanoseconds.`,
		Example: `  vlog keep ./data
  vlog keep ./data --checkpoints 3
  vlog keep ./data --for 72h
  vlog keep ./data --for 30d
  vlog keep ./data --all`,
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.take(args, 0, 0)
			if err != nil {
				return err
			}
			keep, err := k.asked(cmd)
			if err != nil {
				return err
			}
			if keep == nil {
				return a.read(cmd.Context(), w.dir, func(db *engine.DB) error { return a.kept(cmd.Context(), db) })
			}
			opts := quiet()
			opts.Keep = keep
			return a.with(cmd.Context(), w.dir, opts, func(db *engine.DB) error {
				return untold("the setting", a.kept(cmd.Context(), db))
			})
		}}
	cmd.Flags().IntVar(&k.checkpoints, "checkpoints", 0, "the log behind the Nth newest checkpoint")
	cmd.Flags().Uint64Var(&k.batches, "batches", 0, "the newest N batches")
	cmd.Flags().StringVar(&k.span, "for", "", "what is younger than this, like 72h or 30d")
	cmd.Flags().BoolVar(&k.all, "all", false, "everything")
	return cmd
}

// keeping is what `keep` was asked for.
type keeping struct {
	checkpoints int
	batches     uint64
	span        string
	all         bool
}

// asked returns the setting that the flags name; nil where they name none.
func (k *keeping) asked(cmd *cobra.Command) (*engine.Keep, error) {
	keep, given := engine.Keep{Checkpoints: k.checkpoints, Batches: k.batches, All: k.all}, 0
	for _, name := range []string{"checkpoints", "batches", "for", "all"} {
		if cmd.Flags().Changed(name) {
			given++
		}
	}
	if given == 0 {
		return nil, nil
	}
	if given > 1 {
		return nil, usagef("give one of --checkpoints, --batches, --for and --all")
	}
	if cmd.Flags().Changed("for") {
		d, ok := parseSpan(k.span)
		if !ok {
			return nil, usagef("--for is a span like 72h or 30d, not %s", quoted(k.span))
		}
		keep.For = d
	}
	if keep.Check() != nil {
		return nil, usagef("keep at least something: a number from 1 on, a span above 0, or --all")
	}
	return &keep, nil
}

// kept tells the setting, and how far back the store reaches now.
func (a *app) kept(ctx context.Context, db *engine.DB) error {
	i, err := db.Info(ctx)
	if err != nil {
		return err
	}
	if a.json {
		return a.line(map[string]any{"keep": i.Keep, "floor": i.Floor})
	}
	return a.print("keeps %s", reachText(i))
}

// reachText says what a store keeps and how far back that reaches now.
func reachText(i engine.Info) string {
	text := keepText(i.Keep)
	if i.Floor == 0 {
		return text + "; reaches back to the beginning"
	}
	return text + "; reaches back to #" + number(i.Floor)
}

func keepText(k engine.Keep) string {
	switch {
	case k.All:
		return "everything"
	case k.Batches == 1:
		return "the newest batch"
	case k.Batches > 0:
		return "the newest " + plural(k.Batches, "batch")
	case k.For > 0:
		return "what is younger than " + k.For.String()
	case k.Checkpoints == 1:
		return "the newest checkpoint"
	}
	return "the newest " + plural(k.Checkpoints, "checkpoint")
}
