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
		if codec != "binary" {
			return &engine.Error{Op: "init", Err: engine.ErrIncompatible, Detail: "codec " + codec, Hint: "this version writes binary logs only"}
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
	return &cobra.Command{Use: "put DIR KEY VALUE", Short: "Set a key", Long: "Set a key. VALUE is taken as it is; @FILE reads it from a file, - from stdin.",
		ValidArgsFunction: a.completeKeys, RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.take(args, 2, 2)
			if err != nil {
				return err
			}
			value, err := a.value(w.rest[1])
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
			if _, err := tx.Get(key); err != nil {
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
		var seq uint64
		p, err := s.Submit(ctx, func(_ context.Context, tx *engine.Tx) error { return fn(tx) })
		if err == nil {
			seq, err = p.Wait(ctx)
		}
		if err == nil && db.Report().Segments >= manySegments {
			_, err = db.Checkpoint(ctx)
		}
		if err != nil {
			return err
		}
		if a.json {
			o := map[string]any{"tenant": a.tenant, "seq": seq}
			bytesField(o, "key", []byte(w.rest[0]))
			return a.line(o)
		}
		return a.print("%s %s  #%d", a.tenant, shown([]byte(w.rest[0])), seq)
	})
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
	return a.print("checkpoint of #%d: %s, %s, %s; %s", r.Seq, plural(r.Keys, "key"), size(r.Bytes), r.Took.Round(time.Millisecond), kept)
}
