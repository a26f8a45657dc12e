package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vlogdb/vlog/engine"
)

func (a *app) backupCommand() *cobra.Command {
	var opts engine.BackupOptions
	cmd := &cobra.Command{Use: "backup DIR PLACE [flags]", Short: "Copy a store to a place, and only what the place lacks",
		Long: `Copy a store to a place, and only what the place lacks. A place is a directory that is not
there, empty, or the place of an earlier backup of the same store. It can be looked into
like any store (get, ls, info, dump, check) and never be written; restore makes a store of it.

Whatever stops a backup, the place leads to what it led to before, or further; running it
again goes on. Without --prune it keeps what the store has forgotten meanwhile, as long as
that joins: where the store has forgotten what comes behind the end of the place, the
place begins anew with what the store keeps (see keep). --dry-run tells what would go.

What the place has is known by its ends; --verify reads all of it, and copies again what
is damaged and still kept by the store.`,
		Example: `  vlog backup ./data /backup/orders
  vlog backup ./data /backup/orders --verify
  vlog backup ./data /backup/orders --dry-run --json`,
		ValidArgsFunction: completeDirs, RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.take(args, 1, 1)
			if err != nil {
				return err
			}
			if w.rest[0] == "" {
				return usagef("the name of the place is empty")
			}
			return a.about(w.rest[0], a.backup(cmd.Context(), w, opts))
		}}
	cmd.Flags().BoolVar(&opts.Prune, "prune", false, "forget in the place what the store no longer keeps")
	cmd.Flags().BoolVar(&opts.Verify, "verify", false, "read the whole place, copy again what is damaged in it, and read it back at the end")
	cmd.Flags().BoolVar(&opts.DryRun, "dry-run", false, "only tell what would be done")
	return cmd
}

func (a *app) backup(ctx context.Context, w words, opts engine.BackupOptions) error {
	p := a.newProgress("backup", "bytes")
	opts.Progress = p.at
	res, err := engine.Backup(ctx, w.dir, w.rest[0], opts)
	p.end()
	if err != nil {
		return err
	}
	if opts.DryRun {
		return a.backedUp(res, true)
	}
	return untold("the backup", a.backedUp(res, false))
}

// backedUp tells what a backup did, or would do.
func (a *app) backedUp(r engine.BackupResult, dry bool) error {
	if a.json {
		o := map[string]any{"seq": r.Seq, "chain": r.Chain, "time": orNil(r.Time), "segments": r.Segments, "checkpoints": r.Checkpoints, "there": r.There,
			"removed": r.Removed, "bytes": r.Bytes, "verified": r.Verified, "seconds": r.Took.Seconds()}
		if dry {
			o["dry_run"] = true
		}
		return a.line(o)
	}
	what := plural(r.Segments, "new segment")
	if r.Checkpoints > 0 {
		what += ", " + plural(r.Checkpoints, "new checkpoint")
	}
	what += ", " + size(r.Bytes)
	if r.Removed > 0 {
		what += ", " + plural(r.Removed, "older file") + " forgotten"
	}
	if dry {
		return a.print("would back up to #%d: %s", r.Seq, what)
	}
	if r.Verified {
		what += ", verified"
	}
	return a.print("#%d  %s, %s", r.Seq, what, took(r.Took))
}

func (a *app) restoreCommand() *cobra.Command {
	var at momentFlag
	var opts engine.RestoreOptions
	cmd := &cobra.Command{Use: "restore PLACE DIR [flags]", Short: "Make a store of a backup place, as it was at a moment",
		Long: `Make a store of a backup place, or of another store that nobody writes to, as it was at a
moment: its newest, or the one that --at names, the number of a batch or a time. What was
later than a time is left out from the first such batch on, as far as batches are kept:
where the clock went back, one that was trimmed cannot be counted. DIR is a directory that is not
there, or empty. What was made is checked; --dry-run only tells what would be made.`,
		Example: `  vlog restore /backup/orders ./data2
  vlog restore /backup/orders ./data2 --at 1031
  vlog restore /backup/orders ./data2 --at 2026-11-22T00:50:00Z --dry-run`,
		ValidArgsFunction: completeDirs, RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usagef("wrong number of arguments: %d; name the place and the directory, both", len(args))
			}
			if args[0] == "" || args[1] == "" {
				return usagef("the name of a directory is empty")
			}
			m, err := at.moment(cmd, a)
			if err != nil {
				return err
			}
			a.store = args[0]
			if err := a.restoreAt(cmd.Context(), args[0], m, &opts); err != nil {
				return err
			}
			return a.about(args[1], a.restore(cmd.Context(), args, opts))
		}}
	at.add(cmd, "at", "the moment")
	cmd.Flags().BoolVar(&opts.NoCheck, "no-check", false, "do not read back what was made")
	cmd.Flags().BoolVar(&opts.DryRun, "dry-run", false, "only tell what would be done")
	return cmd
}

// restoreAt puts a moment into the options of a restore; nil is the newest.
func (a *app) restoreAt(ctx context.Context, src string, m *moment, opts *engine.RestoreOptions) error {
	if m == nil || m.kind == atEnd {
		return nil
	}
	opts.Seq, opts.Time = m.seq, m.time
	if m.kind == byTime && m.time.IsZero() { // which would be no time, so the newest moment
		opts.Time = m.time.Add(1)
	}
	if m.kind == atStart {
		err := a.read(ctx, src, func(db *engine.DB) (err error) {
			opts.Seq, err = db.Floor(ctx)
			return err
		})
		if err != nil {
			return err
		}
	}
	if m.kind != byTime && opts.Seq == 0 {
		return usagef("--at is a batch from 1 on, or a time: before the first batch there is nothing to restore")
	}
	return nil
}

func (a *app) restore(ctx context.Context, dirs []string, opts engine.RestoreOptions) error {
	p := a.newProgress("restore", "bytes")
	opts.Progress = p.at
	res, err := engine.Restore(ctx, dirs[0], dirs[1], opts)
	p.end()
	if err != nil {
		return err
	}
	if opts.DryRun {
		return a.restored(res, true)
	}
	return untold("the store", a.restored(res, false))
}

// chainDigits is how much of a chain value stands in a line for people.
const chainDigits = 12

// restored tells what a restore did, or would do.
func (a *app) restored(r engine.RestoreResult, dry bool) error {
	if a.json {
		o := map[string]any{"seq": r.Seq, "chain": r.Chain, "time": orNil(r.Time), "segments": r.Segments, "checkpoints": r.Checkpoints, "bytes": r.Bytes, "checked": r.Checked, "seconds": r.Took.Seconds()}
		if dry {
			o["dry_run"] = true
		}
		return a.line(o)
	}
	to := "#" + number(r.Seq) + " (" + r.Chain[:chainDigits] + ")"
	if !r.Time.IsZero() {
		to += " of " + a.time(r.Time)
	}
	what := plural(r.Segments, "segment") + ", " + plural(r.Checkpoints, "checkpoint") + ", " + size(r.Bytes)
	if dry {
		return a.print("would restore to %s: %s", to, what)
	}
	if r.Checked {
		what += ", checked"
	}
	return a.print("restored to %s: %s, %s", to, what, took(r.Took))
}

// orNil leaves out a time that is not known.
func orNil(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

// about sees to it that an error in the second of two directories is not told as one
// of the first.
func (a *app) about(dest string, err error) error {
	if e, ok := errors.AsType[*engine.Error](err); ok && strings.HasPrefix(e.At.Path, dest) {
		a.store = dest
	}
	return err
}

// completeDirs offers directories for two arguments.
func completeDirs(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 1 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveFilterDirs
}
