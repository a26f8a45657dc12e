package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/vlogdb/vlog/engine"
)

func (a *app) initCommand() *cobra.Command {
	var doc, codec string
	cmd := &cobra.Command{Use: "init DIR", Short: "Make a store", RunE: func(cmd *cobra.Command, args []string) error {
		w, err := a.take(args, 0, 0)
		if err != nil {
			return err
		}
		switch codec {
		case "binary":
		case "ndjson":
			return &engine.Error{Op: "init", Err: engine.ErrIncompatible, Detail: "codec ndjson", Hint: "this version writes binary logs only; leave --codec out"}
		default:
			return usagef("--codec is binary, not %q", codec)
		}
		opts := engine.Options{MustNotExist: true, Documentation: doc, CheckpointAfter: -1}
		return a.with(cmd.Context(), w.dir, opts, func(db *engine.DB) error { return a.created(cmd.Context(), db) })
	}}
	cmd.Flags().StringVar(&doc, "doc", "", "text to keep with the store")
	cmd.Flags().StringVar(&codec, "codec", "binary", "codec of the log")
	return cmd
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
	return &cobra.Command{Use: "put DIR KEY VALUE", Short: "Set a key", Long: `Set a key. VALUE is taken as it is; @FILE reads it from a file, - from stdin.
A key or value that begins with a dash goes behind --.`,
		Example: `  vlog put ./data users/42 '{"name":"Alice"}'
  vlog put ./data mesh/7 @mesh.bin
  vlog put ./data -- temperature -5`,
		ValidArgsFunction: a.completeKeys, RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.take(args, 2, 2)
			if err != nil {
				return err
			}
			value, err := a.value(cmd.Context(), w.rest[1])
			if err != nil {
				return err
			}
			return a.change(cmd.Context(), w, func(tx *engine.Tx) error { return tx.Put([]byte(w.rest[0]), value) })
		}}
}

func (a *app) delCommand() *cobra.Command {
	return &cobra.Command{Use: "del DIR KEY", Short: "Remove a key; not found is an error", ValidArgsFunction: a.completeKeys, RunE: func(cmd *cobra.Command, args []string) error {
		w, err := a.take(args, 1, 1)
		if err != nil {
			return err
		}
		key := []byte(w.rest[0])
		return a.change(cmd.Context(), w, func(tx *engine.Tx) error {
			has, err := tx.Has(key)
			if err == nil && !has {
				err = &noKey{tenant: a.tenant, key: key}
			}
			if err != nil {
				return err
			}
			return tx.Delete(key)
		})
	}}
}

// manySegments are read at opening before a write takes a checkpoint along: each
// run of the command that writes leaves one.
const manySegments = 64

// change runs one transaction on one key and tells its number.
func (a *app) change(ctx context.Context, w words, fn func(*engine.Tx) error) error {
	return a.with(ctx, w.dir, quiet(), func(db *engine.DB) error {
		s, err := a.scope(db)
		if err != nil {
			return err
		}
		seq, err := submit(ctx, s, fn)
		if err != nil {
			return err
		}
		if err := a.changed([]byte(w.rest[0]), seq); err != nil {
			return err
		}
		if db.Report().Segments < manySegments {
			return nil
		}
		_, err = db.Checkpoint(ctx) // behind the answer: where it fails, the change is on disk all the same
		return err
	})
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
	return &cobra.Command{Use: "compact DIR", Short: "Write a checkpoint and drop what the store need not keep", RunE: func(cmd *cobra.Command, args []string) error {
		w, err := a.take(args, 0, 0)
		if err != nil {
			return err
		}
		return a.with(cmd.Context(), w.dir, quiet(), func(db *engine.DB) error {
			p := a.newProgress("compact", "keys")
			p.at(0, 0)
			res, err := db.Checkpoint(cmd.Context())
			p.end()
			if err != nil {
				return err
			}
			return a.compacted(res)
		})
	}}
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
	return a.print("checkpoint of #%d: %s, %s, %s; %s", r.Seq, plural(r.Keys, "entry"), size(r.Bytes), r.Took.Round(time.Millisecond), kept)
}
