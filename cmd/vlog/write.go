package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/vlogdb/vlog/engine"
)

func (a *app) initCommand() *cobra.Command {
	var doc, codec string
	cmd := &cobra.Command{Use: "init DIR [flags]", Short: "Make a store",
		Long: `Make a store in a directory that is empty or not there yet; its parents are made too.`,
		Example: `  vlog init ./data
  vlog init ./data --doc "orders, production"
  vlog init ./data --codec ndjson`, RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.take(args, 0, 0)
			if err != nil {
				return err
			}
			spelled, err := codecNamed(codec)
			if err != nil {
				return err
			}
			opts := engine.Options{MustNotExist: true, Documentation: doc, Codec: spelled, CheckpointAfter: -1}
			return a.with(cmd.Context(), w.dir, opts, func(db *engine.DB) error {
				return untold("store "+quoted(w.dir), a.created(cmd.Context(), db))
			})
		}}
	cmd.Flags().StringVar(&doc, "doc", "", "text to keep with the store")
	codecFlag(cmd, &codec)
	return cmd
}

// codecFlag adds the flag of a verb that makes a store.
func codecFlag(cmd *cobra.Command, codec *string) {
	cmd.Flags().StringVar(codec, "codec", "binary", "how the files are spelled: binary, or ndjson for cat, grep and jq")
}

func codecNamed(name string) (engine.Codec, error) {
	c, ok := engine.ParseCodec(name)
	if !ok {
		return c, usagef("--codec is binary or ndjson, not %q", name)
	}
	return c, nil
}

func (a *app) created(ctx context.Context, db *engine.DB) error {
	info, err := db.Info(ctx)
	if err != nil {
		return err
	}
	if a.json {
		return a.line(map[string]any{"store": info.Path, "id": info.ID, "format": info.Format, "codec": info.Codec, "created": true})
	}
	return a.print("created %s  id %s  format %d", info.Path, info.ID, info.Format)
}

func (a *app) putCommand() *cobra.Command {
	var k keyFlags
	cmd := &cobra.Command{Use: "put DIR KEY VALUE [flags]", Short: "Set a key", Long: `Set a key. VALUE is taken as it is; @FILE reads it from a file, - from stdin.
A key or value that begins with a dash goes behind --.`,
		Example: `  vlog put ./data users/42 '{"name":"Alice"}'
  vlog put ./data mesh/7 @mesh.bin
  vlog put ./data users/42 @alice.json --if-seq 1032
  vlog put ./data -- temperature -5`,
		ValidArgsFunction: a.completeKeys, RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.take(args, 2, 2)
			if err != nil {
				return err
			}
			if err := k.check(cmd); err != nil {
				return err
			}
			c := change{dir: w.dir, ifSeq: k.ifSeq}
			if c.key, err = k.bytes(w.rest[0]); err != nil {
				return err
			}
			value, err := a.value(cmd.Context(), w.rest[1])
			if err != nil {
				return err
			}
			c.do = func(tx *engine.Tx) error { return tx.Put(c.key, value) }
			return a.change(cmd.Context(), c)
		}}
	k.addKeyB64(cmd)
	k.addIfSeq(cmd)
	return cmd
}

func (a *app) delCommand() *cobra.Command {
	var k keyFlags
	cmd := &cobra.Command{Use: "del DIR KEY [flags]", Short: "Remove a key; not found is an error",
		Example: `  vlog del ./data users/42
  vlog del ./data users/42 --if-seq 1042`,
		ValidArgsFunction: a.completeKeys, RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.take(args, 1, 1)
			if err != nil {
				return err
			}
			if err := k.check(cmd); err != nil {
				return err
			}
			c := change{dir: w.dir, ifSeq: k.ifSeq, mustExist: true}
			if c.key, err = k.bytes(w.rest[0]); err != nil {
				return err
			}
			c.do = func(tx *engine.Tx) error { return tx.Delete(c.key) }
			return a.change(cmd.Context(), c)
		}}
	k.addKeyB64(cmd)
	k.addIfSeq(cmd)
	return cmd
}

// manySegments are read at opening before a write takes a checkpoint along: each
// run of the command that writes leaves one.
const manySegments = 64

// change is one change of one key.
type change struct {
	dir       string
	key       []byte
	ifSeq     int64 // -1: any
	mustExist bool
	do        func(*engine.Tx) error
}

// change runs a change and tells its number.
func (a *app) change(ctx context.Context, c change) error {
	return a.with(ctx, c.dir, quiet(), func(db *engine.DB) error {
		s, err := a.scope(db)
		if err != nil {
			return err
		}
		seq, err := submit(ctx, s, func(tx *engine.Tx) error {
			if err := a.asExpected(tx, c); err != nil {
				return err
			}
			return c.do(tx)
		})
		if err != nil {
			return err
		}
		if err := a.changed(c.key, seq); err != nil {
			return untold(a.tenant+" "+quoted(string(c.key))+"  #"+number(seq), err)
		}
		if db.Report().Segments < manySegments {
			return nil
		}
		_, err = db.Checkpoint(ctx) // behind the answer: where it fails, the change is on disk all the same
		return err
	})
}

// asExpected looks before a change whether the key is what the caller takes it for.
func (a *app) asExpected(tx *engine.Tx, c change) error {
	e, err := tx.Entry(c.key)
	missing := errors.Is(err, engine.ErrNotFound)
	if err != nil && !missing {
		return err
	}
	if c.ifSeq >= 0 && e.Seq != uint64(c.ifSeq) {
		return &otherSeq{a.tenant, c.key, uint64(c.ifSeq), e.Seq}
	}
	if missing && c.mustExist {
		return &noKey{tenant: a.tenant, key: c.key}
	}
	return nil
}

func (a *app) changed(key []byte, seq uint64) error {
	if !a.json {
		return a.print("%s %s  #%d", a.tenant, shown(key), seq)
	}
	o := entryLine{Tenant: a.tenant, Seq: seq}
	o.Key, o.KeyB64 = textOrB64(key)
	return a.line(o)
}

// submit runs one transaction and returns its number once it is on disk. An
// interrupt ends it before it has its place in the log, never behind that: then it
// will be written, and its outcome is worth the short wait.
func submit(ctx context.Context, s engine.Scope, fn func(*engine.Tx) error) (uint64, error) {
	p, err := s.Submit(ctx, func(_ context.Context, tx *engine.Tx) error { return fn(tx) })
	if err != nil {
		return 0, err
	}
	return p.Wait(context.WithoutCancel(ctx))
}

func (a *app) compactCommand() *cobra.Command {
	var dry bool
	cmd := &cobra.Command{Use: "compact DIR [flags]", Short: "Write a checkpoint and drop what the store need not keep",
		Long: `Write the whole map to a checkpoint, so that the next opening reads that instead of the
log before it, and drop the log and the checkpoints that the store need no longer keep.
--dry-run tells what would be written and won, and changes nothing.`,
		Example: `  vlog compact ./data --dry-run
  vlog compact ./data
  vlog compact ./data --json`, RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.take(args, 0, 0)
			if err != nil {
				return err
			}
			if dry {
				return a.read(cmd.Context(), w.dir, func(db *engine.DB) error {
					plan, err := db.PlanCheckpoint(cmd.Context())
					if err != nil {
						return err
					}
					return a.planned(plan)
				})
			}
			return a.with(cmd.Context(), w.dir, quiet(), func(db *engine.DB) error {
				res, err := db.Checkpoint(cmd.Context())
				if err != nil {
					return err
				}
				return untold("the checkpoint", a.compacted(res))
			})
		}}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only tell what would be done")
	return cmd
}

// planned tells what a checkpoint would do.
func (a *app) planned(p engine.CheckpointPlan) error {
	if a.json {
		return a.line(map[string]any{"dry_run": true, "seq": p.Seq, "written": p.Written, "keys": p.Keys, "bytes": p.Bytes, "base": p.Base,
			"segments": p.Segments, "segment_bytes": p.SegmentBytes, "checkpoints": p.Checkpoints, "checkpoint_bytes": p.CheckpointBytes})
	}
	if !p.Written {
		return a.print("nothing to do: the newest checkpoint is of #%d", p.Seq)
	}
	gone := "nothing would go: the whole log is kept"
	if p.Segments+p.Checkpoints > 0 {
		gone = plural(p.Segments, "segment") + " and " + plural(p.Checkpoints, "older checkpoint") + " would go, " + size(p.SegmentBytes+p.CheckpointBytes)
	}
	return a.print("would write a checkpoint of #%d: %s, about %s; %s", p.Seq, plural(p.Keys, "entry"), size(p.Bytes), gone)
}

func (a *app) compacted(r engine.CheckpointResult) error {
	if a.json {
		return a.line(map[string]any{"seq": r.Seq, "written": r.Written, "keys": r.Keys, "bytes": r.Bytes, "base": r.Base, "dropped": r.Dropped, "seconds": r.Took.Seconds()})
	}
	if !r.Written {
		return a.print("nothing to do: the newest checkpoint is of #%d", r.Seq)
	}
	kept := "the whole log is kept"
	if r.Base > 0 {
		kept = "the log is kept from #" + number(r.Base+1) + " on"
	}
	if r.Dropped > 0 {
		kept += "; " + plural(r.Dropped, "older checkpoint") + " dropped"
	}
	return a.print("checkpoint of #%d: %s, %s, %s; %s", r.Seq, plural(r.Keys, "entry"), size(r.Bytes), took(r.Took), kept)
}
