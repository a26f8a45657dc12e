package main

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/vlogdb/vlog/engine"
)

// damageExit is the exit code where check finds damage.
const damageExit = 5

func (a *app) checkCommand() *cobra.Command {
	return &cobra.Command{Use: "check DIR", Short: "Read every byte that counts and tell what is damaged", RunE: func(cmd *cobra.Command, args []string) error {
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
	what := plural(s.Segments, "segment") + ", " + plural(s.Batches, "batch") + ", " + plural(s.Checkpoints, "checkpoint") + ", " + size(s.Bytes) + ", " + s.Took.Round(time.Millisecond).String()
	if s.Errors+s.Warnings > 0 {
		what += ": " + plural(s.Errors, "error") + ", " + plural(s.Warnings, "warning")
	}
	if s.Errors > 0 {
		return a.print("%s", what)
	}
	return a.print("%s\n%s", what, a.paint(a.outTerm, "32", "ok"))
}

func (a *app) recoverCommand() *cobra.Command {
	return &cobra.Command{Use: "recover DIR", Short: "Open for writing, end what a crash interrupted, and tell what was done", RunE: func(cmd *cobra.Command, args []string) error {
		w, err := a.take(args, 0, 0)
		if err != nil {
			return err
		}
		p := a.newProgress("recover", "")
		p.at(0, 0)
		return a.with(cmd.Context(), w.dir, quiet(), func(db *engine.DB) error {
			p.end()
			return a.report(db.Report())
		})
	}}
}

// report tells what an opening found and did.
func (a *app) report(r engine.Report) error {
	if a.json {
		return a.line(reportObject(r))
	}
	for _, row := range reportRows(r) {
		if err := a.print("%-10s %s", row[0], row[1]); err != nil {
			return err
		}
	}
	return nil
}

func reportRows(r engine.Report) [][2]string {
	state := "repaired"
	if r.Clean {
		state = "clean: there was nothing to repair"
	}
	rows := [][2]string{{"store", state}, {"opening", openLine(r)}, {"newest", "#" + number(uint64(r.Last))}}
	if c := r.Cut; c != nil {
		rows = append(rows, [2]string{"cut", c.File + " at " + strconv.FormatInt(c.Offset, 10) + ": " + plural(c.Bytes, "byte") + " behind #" + number(uint64(c.After)) + " (" + c.Why + "), never acknowledged"})
		rows = append(rows, [2]string{"kept", c.Kept})
	}
	if r.Rewritten > 0 {
		rows = append(rows, [2]string{"rewritten", size(r.Rewritten) + " that nothing proved durable"})
	}
	if r.Promoted > 0 {
		rows = append(rows, [2]string{"promoted", "checkpoint of #" + number(uint64(r.Promoted))})
	}
	for _, s := range r.Skipped {
		rows = append(rows, [2]string{"skipped", "checkpoint of #" + number(uint64(s.Seq)) + ": " + s.Cause.Error()})
	}
	for _, name := range r.Removed {
		rows = append(rows, [2]string{"removed", name})
	}
	for _, name := range r.Unknown {
		rows = append(rows, [2]string{"unknown", name + " (left alone)"})
	}
	return rows
}

func reportObject(r engine.Report) map[string]any {
	skipped := []map[string]any{}
	for _, s := range r.Skipped {
		skipped = append(skipped, map[string]any{"seq": s.Seq, "cause": s.Cause.Error()})
	}
	o := map[string]any{"clean": r.Clean, "checkpoint": r.Checkpoint, "segments": r.Segments, "replayed": r.Replayed, "replayed_bytes": r.ReplayedBytes, "last": r.Last, "rewritten_bytes": r.Rewritten,
		"promoted": r.Promoted, "skipped": skipped, "removed": list(r.Removed), "unknown": list(r.Unknown), "seconds": r.Took.Seconds(), "cut": nil}
	if c := r.Cut; c != nil {
		o["cut"] = map[string]any{"file": c.File, "offset": c.Offset, "bytes": c.Bytes, "kept": c.Kept, "whole": c.Whole, "after": c.After, "why": c.Why}
	}
	return o
}

func list(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}
