package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/vlogdb/vlog/engine"
)

func number(n uint64) string { return strconv.FormatUint(n, 10) }

func (a *app) getCommand() *cobra.Command {
	var raw bool
	cmd := &cobra.Command{Use: "get DIR KEY", Short: "Print a value",
		Long: `Print a value. Text that does not end in a newline gets one; with --raw, and for
other bytes, the value is printed as it is. With --json a value that is not UTF-8
comes in base64 as value_b64; so do keys.`,
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
		o := a.entryLine(e)
		o.Value, o.ValueB64 = textOrB64(e.Value)
		return a.line(o)
	}
	text := utf8.Valid(e.Value) && !bytes.HasSuffix(e.Value, []byte("\n"))
	if text && !raw {
		return a.print("%s", e.Value)
	}
	_, err = a.out.Write(e.Value)
	return err
}

// entryLine is an entry in JSON. Bytes that are not UTF-8 stand in the field whose
// name ends in _b64.
type entryLine struct {
	Tenant   string  `json:"tenant"`
	Key      *string `json:"key,omitempty"`
	KeyB64   *string `json:"key_b64,omitempty"`
	Value    *string `json:"value,omitempty"`
	ValueB64 *string `json:"value_b64,omitempty"`
	Size     *int    `json:"size,omitempty"` // of the value
	Seq      uint64  `json:"seq"`
}

func (a *app) entryLine(e engine.Entry) entryLine {
	o := entryLine{Tenant: a.tenant, Size: new(len(e.Value)), Seq: e.Seq}
	o.Key, o.KeyB64 = textOrB64(e.Key)
	return o
}

// noKey is the error for a key that is not there; near is the nearest that is.
type noKey struct {
	tenant    string
	key, near []byte
}

func (n *noKey) Error() string {
	s := n.tenant + " " + shown(n.key) + ": not found"
	if n.near != nil {
		s += " (nearest: " + shown(n.near) + ")"
	}
	return s
}

func (n *noKey) Unwrap() error { return engine.ErrNotFound }

// missing returns a noKey with the nearest key.
func (a *app) missing(ctx context.Context, s engine.Scope, key []byte) error {
	near, err := nearest(ctx, s, key)
	if err != nil {
		return err
	}
	return &noKey{a.tenant, key, near}
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
		if l.limit < 0 {
			return usagef("--limit is not below 0")
		}
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
	var more []byte
	err = a.buffered(func() (err error) {
		more, err = a.list(s.Scan(ctx, r), limit)
		return err
	})
	if err != nil || more == nil || a.json {
		return err
	}
	_, err = fmt.Fprintf(a.err, "next: --after %s\n", shown(more)) // no data
	return err
}

// list prints entries, at most limit of them; where there are more it returns the
// last key printed.
func (a *app) list(entries iter.Seq2[engine.Entry, error], limit int) ([]byte, error) {
	if !a.json {
		if err := a.print("%10s  %8s  %s", "SEQ", "SIZE", "KEY"); err != nil {
			return nil, err
		}
	}
	n := 0
	var last []byte
	for e, err := range entries {
		if err != nil {
			return nil, err
		}
		if limit > 0 && n == limit {
			return last, nil
		}
		if err := a.listed(e); err != nil {
			return nil, err
		}
		last = e.Key
		n++
	}
	return nil, nil
}

func (a *app) listed(e engine.Entry) error {
	if a.json {
		return a.line(a.entryLine(e))
	}
	return a.print("%10s  %8d  %s", "#"+number(e.Seq), len(e.Value), shown(e.Key))
}
