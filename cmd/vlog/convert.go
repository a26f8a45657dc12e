package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/vlogdb/vlog/engine"
)

// converting is how a conversion was asked for.
type converting struct {
	codec string
	dest  string
	dry   bool
}

func (a *app) convertCommand() *cobra.Command {
	var o converting
	cmd := &cobra.Command{Use: "convert DIR DEST --codec CODEC [flags]", Short: "Copy a store into another codec",
		Long: `Copy a store that nobody has open into another codec: binary, or ndjson for cat, grep and
jq. DEST is a directory that is empty or not there yet; DIR stays as it is. Identity,
batches, checkpoints and chain values are the same before and after. Put DEST in the place
of DIR, and do not write to both: they are one store.`,
		Example: `  vlog convert ./data ./data.ndjson --codec ndjson --dry-run
  vlog convert ./data ./data.ndjson --codec ndjson
  grep -h Alice ./data.ndjson/log/*.ndjson | jq .ops`,
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.take(args, 1, 1)
			if err != nil {
				return err
			}
			codec, ok := engine.ParseCodec(o.codec)
			if !ok {
				return usagef("--codec is binary or ndjson, not %q", o.codec)
			}
			o.dest = w.rest[0]
			return a.convert(cmd.Context(), w.dir, codec, o)
		}}
	cmd.Flags().StringVar(&o.codec, "codec", "", "how the copy is spelled: binary or ndjson")
	cmd.Flags().BoolVar(&o.dry, "dry-run", false, "only tell what would be done")
	return cmd
}

func (a *app) convert(ctx context.Context, dir string, codec engine.Codec, o converting) error {
	p := a.newProgress("convert", "bytes")
	r, err := engine.Convert(ctx, dir, o.dest, codec, engine.ConvertOptions{DryRun: o.dry, Progress: p.at})
	p.end()
	if err != nil {
		return err
	}
	return untold("the copy", a.converted(r, codec, o))
}

func (a *app) converted(r engine.RestoreResult, codec engine.Codec, o converting) error {
	if a.json {
		return a.line(map[string]any{"dest": o.dest, "codec": codec.String(), "dry_run": o.dry, "seq": r.Seq, "chain": r.Chain, "segments": r.Segments, "checkpoints": r.Checkpoints,
			"source_bytes": r.Bytes, "checked": r.Checked, "seconds": r.Took.Seconds()})
	}
	what := "#" + number(r.Seq) + "  " + plural(r.Segments, "segment") + ", " + plural(r.Checkpoints, "checkpoint") + " as " + codec.String() + ", of " + size(r.Bytes)
	if o.dry {
		return a.print("would copy %s", what)
	}
	return a.print("%s, %s  chain %s", what, took(r.Took), r.Chain)
}
