package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/vlogdb/vlog/engine"
)

// damageExit is the exit code where check finds damage.
const damageExit = 5

func (a *app) checkCommand() *cobra.Command {
	return &cobra.Command{Use: "check DIR [flags]", Short: "Read every byte that counts and tell what is damaged",
		Long: `Read every byte that counts and tell what is damaged: one line a finding, then what was
gone through, and ok where nothing is damaged. Exit code 5 where something is. Nothing
is changed, and nobody may have the store open for writing meanwhile.`,
		Example: `  vlog check ./data
  vlog check ./data --json --progress=never`, RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.take(args, 0, 0)
			if err != nil {
				return err
			}
			return a.check(cmd.Context(), w.dir)
		}}
}

func (a *app) check(ctx context.Context, dir string) error {
	p := a.newProgress("check", "bytes")
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var wrote error
	sum, err := engine.Check(ctx, dir, engine.CheckOptions{Progress: p.at}, func(f engine.Finding) {
		p.end()
		if wrote != nil {
			return
		}
		if wrote = a.finding(f); wrote != nil {
			stop() // nobody reads what is found
		}
	})
	p.end()
	if err := firstError(wrote, err); err != nil {
		return err
	}
	if err := a.checked(sum); err != nil {
		return err
	}
	if sum.Errors > 0 {
		return &found{damageExit}
	}
	return nil
}

// findingLine is a finding in JSON.
type findingLine struct {
	Finding  string `json:"finding"`
	Severity string `json:"severity"`
	File     string `json:"file"`
	Offset   int64  `json:"offset"`
	Seq      uint64 `json:"seq"`
	Detail   string `json:"detail"`
	Affects  string `json:"affects"`
}

func (a *app) finding(f engine.Finding) error {
	if a.json {
		return a.line(findingLine{f.Kind, f.Severity, f.File, f.Offset, f.Seq, f.Detail, f.Affects})
	}
	code := "33"
	if f.Severity == "error" {
		code = "31"
	}
	where := f.File
	if f.Offset > 0 {
		where += " offset " + strconv.FormatInt(f.Offset, 10)
	}
	text := a.paint(a.outTerm, code, f.Severity) + "  " + where + "  " + f.Kind + ": " + f.Detail
	if f.Affects != "" {
		text += "  affects " + f.Affects
	}
	return a.print("%s", text)
}

// checked ends a check: what was gone through, and for people `ok` as the last
// line where nothing is damaged.
func (a *app) checked(s engine.CheckSummary) error {
	if a.json {
		return a.line(map[string]any{"summary": map[string]any{"segments": s.Segments, "checkpoints": s.Checkpoints, "batches": s.Batches, "bytes": s.Bytes,
			"errors": s.Errors, "warnings": s.Warnings, "seconds": s.Took.Seconds()}})
	}
	what := plural(s.Segments, "segment") + ", " + plural(s.Batches, "batch") + ", " + plural(s.Checkpoints, "checkpoint") + ", " + size(s.Bytes) + ", " + took(s.Took)
	if s.Errors+s.Warnings > 0 {
		what += ": " + plural(s.Errors, "error") + ", " + plural(s.Warnings, "warning")
	}
	if s.Errors > 0 {
		return a.print("%s", what)
	}
	return a.print("%s\n%s", what, a.paint(a.outTerm, "32", "ok"))
}
