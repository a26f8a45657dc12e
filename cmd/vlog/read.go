package main

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/vlogdb/vlog/engine"
)

func number(n uint64) string { return strconv.FormatUint(n, 10) }

func (a *app) getCommand() *cobra.Command {
	var raw bool
	cmd := &cobra.Command{Use: "get DIR KEY", Short: "Print a value",
		Long:              "Print a value. Text that does not end in a newline gets one; with --raw, and for other bytes, the value is printed as it is.",
		ValidArgsFunction: a.completeKeys, RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.take(args, 1, 1)
			if err != nil {
				return err
			}
			return a.read(cmd.Context(), w.dir, func(db *engine.DB) error { return a.get(cmd.Context(), db, []byte(w.rest[0]), raw) })
		}}
	cmd.Flags().BoolVar(&raw, "raw", false, "print the value and nothing else")
	return cmd
}

func (a *app) get(ctx context.Context, db *engine.DB, key []byte, raw bool) error {
	s, err := a.scope(db)
	if err != nil {
		return err
	}
	e, err := s.Entry(ctx, key)
	if errors.Is(err, engine.ErrNotFound) {
		return a.missing(ctx, s, key)
	}
	if err != nil {
		return err
	}
	if a.json {
		o := a.entryObject(e)
		bytesField(o, "value", e.Value)
		return a.line(o)
	}
	text := utf8.Valid(e.Value) && !bytes.HasSuffix(e.Value, []byte("\n"))
	if text && !raw {
		return a.print("%s", e.Value)
	}
	_, err = a.out.Write(e.Value)
	return err
}

func (a *app) entryObject(e engine.Entry) map[string]any {
	o := map[string]any{"tenant": a.tenant, "seq": e.Seq, "size": len(e.Value)}
	bytesField(o, "key", e.Key)
	return o
}

// missing is the error for a key that is not there; it names the nearest one.
func (a *app) missing(ctx context.Context, s engine.Scope, key []byte) error {
	detail := a.tenant + " " + shown(key)
	near, err := nearest(ctx, s, key)
	if err != nil {
		return err
	}
	if near != nil {
		detail += " (nearest: " + shown(near) + ")"
	}
	return &engine.Error{Err: engine.ErrNotFound, Detail: detail, Hint: "`vlog ls` lists the keys"}
}

// nearest returns the neighbour of a key that shares more of its beginning.
func nearest(ctx context.Context, s engine.Scope, key []byte) ([]byte, error) {
	var best []byte
	for _, r := range []engine.Range{{From: key}, {To: key, Reverse: true}} {
		for e, err := range s.Scan(ctx, r) {
			if err != nil {
				return nil, err
			}
			if best == nil || common(e.Key, key) > common(best, key) {
				best = bytes.Clone(e.Key)
			}
			break
		}
	}
	return best, nil
}

func common(a, b []byte) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// listing is what `ls` was asked for.
type listing struct {
	limit   int
	after   string
	reverse bool
}

func (a *app) lsCommand() *cobra.Command {
	var l listing
	cmd := &cobra.Command{Use: "ls DIR [PREFIX]", Short: "List keys", ValidArgsFunction: a.completeKeys, RunE: func(cmd *cobra.Command, args []string) error {
		w, err := a.takeStoreFirst(args)
		if err != nil {
			return err
		}
		r := engine.Range{Reverse: l.reverse}
		if len(w.rest) == 1 {
			r.Prefix = []byte(w.rest[0])
		}
		if l.after != "" {
			l.bound(&r)
		}
		return a.read(cmd.Context(), w.dir, func(db *engine.DB) error { return a.ls(cmd.Context(), db, r, l.limit) })
	}}
	cmd.Flags().IntVar(&l.limit, "limit", 0, "print at most so many (0: all)")
	cmd.Flags().StringVar(&l.after, "after", "", "begin behind this key")
	cmd.Flags().BoolVar(&l.reverse, "reverse", false, "from the end")
	return cmd
}

// takeStoreFirst is take for a verb whose other argument is optional: one argument
// is the store, unless VLOG_STORE names it.
func (a *app) takeStoreFirst(args []string) (words, error) {
	if len(args) == 1 && a.getenv("VLOG_STORE") == "" {
		a.store = args[0]
		return words{dir: args[0]}, nil
	}
	return a.take(args, 0, 1)
}

func (l *listing) bound(r *engine.Range) {
	if l.reverse {
		r.To = []byte(l.after)
		return
	}
	r.From = append([]byte(l.after), 0)
}

func (a *app) ls(ctx context.Context, db *engine.DB, r engine.Range, limit int) error {
	s, err := a.scope(db)
	if err != nil {
		return err
	}
	if !a.json {
		if err := a.print("%10s  %8s  %s", "SEQ", "SIZE", "KEY"); err != nil {
			return err
		}
	}
	n := 0
	var last []byte
	for e, err := range s.Scan(ctx, r) {
		if err != nil {
			return err
		}
		if limit > 0 && n == limit {
			return a.next(last)
		}
		if err := a.listed(e); err != nil {
			return err
		}
		last = e.Key
		n++
	}
	return nil
}

func (a *app) listed(e engine.Entry) error {
	if a.json {
		return a.line(a.entryObject(e))
	}
	return a.print("%10s  %8d  %s", "#"+number(e.Seq), len(e.Value), shown(e.Key))
}

// next tells how to go on; it is no data.
func (a *app) next(last []byte) error {
	if a.json {
		return nil
	}
	_, err := a.err.Write([]byte("next: --after " + shown(last) + "\n"))
	return err
}

// completeKeys offers keys that begin as typed, at most 200.
func (a *app) completeKeys(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	dir, at := a.getenv("VLOG_STORE"), 0
	if dir == "" && len(args) > 0 {
		dir, at = args[0], 1
	}
	if dir == "" || len(args) != at {
		return nil, cobra.ShellCompDirectiveDefault
	}
	var keys []string
	err := a.read(cmd.Context(), dir, func(db *engine.DB) error {
		s, err := a.scope(db)
		if err != nil {
			return err
		}
		for e, err := range s.Scan(cmd.Context(), engine.Range{Prefix: []byte(typed)}) {
			if err != nil || len(keys) == 200 {
				return err
			}
			if utf8.Valid(e.Key) {
				keys = append(keys, string(e.Key))
			}
		}
		return nil
	})
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return keys, cobra.ShellCompDirectiveNoFileComp
}
