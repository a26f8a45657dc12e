package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/vlogdb/vlog/engine"
)

func (a *app) infoCommand() *cobra.Command {
	return &cobra.Command{Use: "info DIR [flags]", Short: "Say what a store is and holds",
		Example: `  vlog info ./data
  vlog info ./data --json`, RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.take(args, 0, 0)
			if err != nil {
				return err
			}
			return a.read(cmd.Context(), w.dir, func(db *engine.DB) error { return a.info(cmd.Context(), db) })
		}}
}

func (a *app) info(ctx context.Context, db *engine.DB) error {
	i, err := db.Info(ctx)
	if err != nil {
		return err
	}
	if a.json {
		return a.line(infoObject(i))
	}
	rows := [][2]string{
		{"store", i.Path},
		{"id", i.ID + "   format " + number(uint64(i.Format)) + "   codec " + i.Codec + "   created " + a.time(i.Created)},
		{"log", logLine(i)},
		{"kept", keepLine(i)},
		{"keep", reachText(i)},
		{"keys", number(uint64(i.Keys)) + " of " + plural(i.Tenants, "tenant")},
		{"chain", i.Chain},
	}
	if i.Backup {
		rows[0][1] += "   a backup place"
	}
	if i.Documentation != "" {
		rows = append(rows, [2]string{"about", i.Documentation})
	}
	if !i.LastTime.IsZero() {
		rows = append(rows, [2]string{"synced", "#" + number(i.Durable) + " of " + a.time(i.LastTime)})
	}
	if w := i.Writer; w != nil {
		rows = append(rows, [2]string{"writer", "pid " + strconv.Itoa(w.PID) + " " + w.Program + " on " + w.Host + " since " + a.time(w.Since)})
	}
	if i.Beyond > 0 {
		rows = append(rows, [2]string{"beyond", "#" + number(i.Beyond) + " is in the log and not known to be durable"})
	}
	for _, r := range rows {
		if err := a.print("%-8s %s", r[0], r[1]); err != nil {
			return err
		}
	}
	return nil
}

func logLine(i engine.Info) string {
	if i.First > i.Last {
		return "no batches kept; the last was #" + number(i.Last)
	}
	return "#" + number(i.First) + " .. #" + number(i.Last) + "   " + plural(i.Segments, "segment") + "   " + size(i.LogBytes)
}

func keepLine(i engine.Info) string {
	s := plural(len(i.Checkpoints), "checkpoint") + ", " + size(i.CheckpointBytes)
	if len(i.Checkpoints) > 0 {
		s += ", newest of #" + number(i.Checkpoints[0])
	}
	if i.Aside > 0 {
		s += "; " + plural(i.Aside, "file") + " set aside in log/error"
	}
	if i.KeptTails > 0 {
		s += "; " + plural(i.KeptTails, "torn tail") + " in log/error"
	}
	return s
}

func infoObject(i engine.Info) map[string]any {
	checkpoints := i.Checkpoints
	if checkpoints == nil {
		checkpoints = []uint64{}
	}
	o := map[string]any{
		"store": i.Path, "id": i.ID, "format": i.Format, "codec": i.Codec, "created": i.Created, "documentation": i.Documentation,
		"log":         map[string]any{"first": i.First, "last": i.Last, "segments": i.Segments, "bytes": i.LogBytes, "chain": i.Chain},
		"checkpoints": map[string]any{"seqs": checkpoints, "bytes": i.CheckpointBytes},
		"keep":        i.Keep, "floor": i.Floor, "keys": i.Keys, "tenants": i.Tenants, "kept_tails": i.KeptTails, "aside": i.Aside, "read_only": i.ReadOnly, "backup": i.Backup,
		"writer": i.Writer, "beyond": i.Beyond,
	}
	synced := map[string]any{"seq": i.Durable}
	if !i.LastTime.IsZero() {
		synced["time"] = i.LastTime
	}
	o["synced"] = synced
	return o
}

func (a *app) statsCommand() *cobra.Command {
	var every time.Duration
	cmd := &cobra.Command{Use: "stats DIR [flags]", Short: "Say what the map costs in memory and how long opening took",
		Long: `Say what the map costs in memory and how long opening took. With --watch look again and
again, until interrupted: how many batches a second come, from whoever writes, and how
much there is; in place on a terminal, else a line whenever something changed.`,
		Example: `  vlog stats ./data
  vlog stats ./data --watch
  vlog stats ./data --watch=500ms --json`, RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.take(args, 0, 0)
			if err != nil {
				return err
			}
			if every < 0 || every == 0 && cmd.Flags().Changed("watch") {
				return usagef("--watch is above 0")
			}
			return a.read(cmd.Context(), w.dir, func(db *engine.DB) error {
				if every > 0 {
					return a.watchStats(cmd.Context(), db, every)
				}
				return a.stats(db)
			})
		}}
	cmd.Flags().DurationVar(&every, "watch", 0, "look again so often")
	cmd.Flags().Lookup("watch").NoOptDefVal = watchEvery.String()
	return cmd
}

func (a *app) stats(db *engine.DB) error {
	s, r := db.Stats(), db.Report()
	if a.json {
		return a.line(map[string]any{"seq": s.Seq, "durable": s.Durable, "keys": s.Keys, "live_bytes": s.LiveBytes, "arena_bytes": s.ArenaBytes, "heap_bytes": s.HeapBytes,
			"open": map[string]any{"checkpoint": r.Checkpoint, "segments": r.Segments, "replayed": r.Replayed, "replayed_bytes": r.ReplayedBytes, "seconds": r.Took.Seconds()}})
	}
	rows := [][2]string{
		{"batches", "#" + number(s.Seq)},
		{"keys", number(uint64(s.Keys)) + " of all spaces"},
		{"memory", size(int64(s.HeapBytes)) + ": " + size(int64(s.LiveBytes)) + " of entries in " + size(int64(s.ArenaBytes)) + " of arena, the rest nodes"},
		{"opening", openLine(r)},
	}
	for _, row := range rows {
		if err := a.print("%-8s %s", row[0], row[1]); err != nil {
			return err
		}
	}
	return nil
}

func openLine(r engine.Report) string {
	from := "no checkpoint"
	if r.Checkpoint > 0 {
		from = "checkpoint of #" + number(uint64(r.Checkpoint))
	}
	return from + ", " + plural(r.Segments, "segment") + ", " + plural(r.Replayed, "batch") + " replayed" + ", " + took(r.Took)
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{Use: "version [flags]", Short: "Print the version and the formats it knows", Args: noArgs,
		Example: `  vlog version
  vlog version --json`, RunE: func(*cobra.Command, []string) error {
			version, vcs := "(devel)", ""
			if b, ok := debug.ReadBuildInfo(); ok {
				version = or(b.Main.Version, version)
				for _, s := range b.Settings {
					if s.Key == "vcs.revision" {
						vcs = s.Value
					}
				}
			}
			if a.json {
				return a.line(map[string]any{"version": version, "go": runtime.Version(), "format": map[string]any{"write": engine.FormatVersion, "read": []int{engine.FormatVersion}}, "vcs": vcs})
			}
			return a.print("vlog %s  %s  format %d", version, runtime.Version(), engine.FormatVersion)
		}}
}

func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%q is too much", args[0])
	}
	return nil
}
