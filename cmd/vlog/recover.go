package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/vlogdb/vlog/engine"
)

func (a *app) recoverCommand() *cobra.Command {
	var o recovering
	cmd := &cobra.Command{Use: "recover DIR [flags]", Short: "Open for writing, end what a crash interrupted, and tell what was done",
		Long: `Open for writing, end what a crash interrupted, and tell what was done. It is what every
opening does, with a report: what was cut is kept in log/error, and damage to something
acknowledged is an error that changes nothing. --dry-run looks and changes nothing.

--salvage is for a store that refuses to open: what is good and joins stays, everything
else is moved to log/error, nothing is deleted. Batches behind the damage that can still
be read go to the file that --rescue names, one line of JSON each, as dump prints them;
it is on disk before anything is moved, for what was moved is not read again. Nothing
takes them back by itself: they rested on what was lost. Look through them, drop the lines
that you do not want, and give the rest to vlog apply, which keeps every byte (jq rounds
large numbers). A backup place that holds what was lost takes no more of this store: keep
it, and begin a new one.`,
		Example: `  vlog recover ./data --dry-run
  vlog recover ./data --json
  vlog recover ./data --salvage --dry-run --rescue behind.ndjson
  vlog recover ./data --salvage --yes
  vlog apply ./data --batch 1 < behind.ndjson`,
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.take(args, 0, 0)
			if err != nil {
				return err
			}
			if err := o.check(); err != nil {
				return err
			}
			if o.salvage {
				return a.salvage(cmd.Context(), w.dir, o)
			}
			if o.dry {
				return a.rehearse(cmd.Context(), w.dir)
			}
			return a.with(cmd.Context(), w.dir, quiet(), func(db *engine.DB) error {
				return untold("what a crash interrupted has been ended; the report", a.report(db.Report()))
			})
		}}
	cmd.Flags().BoolVar(&o.dry, "dry-run", false, "only tell what would be done")
	cmd.Flags().BoolVar(&o.salvage, "salvage", false, "keep what is good of a damaged store, and set the rest aside")
	cmd.Flags().BoolVar(&o.yes, "yes", false, "do it: --salvage asks for that")
	cmd.Flags().StringVar(&o.rescue, "rescue", "", "a new file for the batches behind the damage that can be read")
	return cmd
}

// rehearse tells what recovering would do: a reader finds what would be cut, a check
// what a crash left.
func (a *app) rehearse(ctx context.Context, dir string) error {
	var r engine.Report
	err := a.read(ctx, dir, func(db *engine.DB) error {
		r = db.Report()
		return nil
	})
	if err != nil {
		return err
	}
	var left []string
	p := a.newProgress("recover", "bytes")
	_, err = engine.Check(ctx, dir, engine.CheckOptions{Progress: p.at}, func(f engine.Finding) {
		switch f.Kind {
		case "leftover":
			left = append(left, f.File+": would be finished or removed")
		case "torn":
			left = append(left, f.File+": would be sealed")
		}
	})
	p.end()
	if err != nil {
		return err
	}
	return a.rehearsed(r, left)
}

// rehearsed tells what a rehearsal found.
func (a *app) rehearsed(r engine.Report, left []string) error {
	todo := !r.Clean || len(left) > 0
	if a.json {
		o := reportObject(r)
		o["dry_run"], o["clean"], o["left"] = true, !todo, list(left)
		return a.line(o)
	}
	state := "clean: there is nothing to repair"
	if todo {
		state = "would be repaired; nothing was changed"
	}
	rows := reportRows(r)
	rows[0][1] = state
	if r.Beyond > 0 {
		rows = append(rows, [2]string{"beyond", "#" + number(uint64(r.Beyond)) + " is in the log and not known to be durable; it would be kept"})
	}
	for _, what := range left {
		rows = append(rows, [2]string{"left", what})
	}
	return a.rows(rows)
}

// report tells what an opening found and did.
func (a *app) report(r engine.Report) error {
	if a.json {
		return a.line(reportObject(r))
	}
	return a.rows(reportRows(r))
}

// rows prints a report, one fact a line.
func (a *app) rows(rows [][2]string) error {
	for _, row := range rows {
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
		if c.Kept != "" { // nothing was kept where nothing was changed
			rows = append(rows, [2]string{"kept", c.Kept})
		}
	}
	if r.Sealed {
		rows = append(rows, [2]string{"sealed", "the newest segment: the last writer had not closed the store"})
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
	o := map[string]any{"clean": r.Clean, "checkpoint": r.Checkpoint, "segments": r.Segments, "replayed": r.Replayed, "replayed_bytes": r.ReplayedBytes, "last": r.Last, "sealed": r.Sealed, "rewritten_bytes": r.Rewritten,
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
