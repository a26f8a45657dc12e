package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/vlogdb/vlog/engine"
)

// listing is what `ls` was asked for.
type listing struct {
	keyFlags
	limit   int
	after   string
	reverse bool
	at      momentFlag
}

func (a *app) lsCommand() *cobra.Command {
	var l listing
	cmd := &cobra.Command{Use: "ls DIR [PREFIX] [flags]", Short: "List keys",
		Long: `List keys in bytewise order, with the batch that put each and the size of its value.
With --limit a last line on stderr says how to go on. With --at they are those of then.`,
		Example: `  vlog ls ./data
  vlog ls ./data users/ --at 2026-11-22T00:50:00Z
  vlog ls ./data users/ --limit 3 --after users/42
  vlog ls ./data -t acme --reverse --json`,
		ValidArgsFunction: a.completeKeys, RunE: func(cmd *cobra.Command, args []string) error {
			if l.limit < 0 {
				return usagef("--limit is not below 0")
			}
			w, err := a.takeStoreFirst(args)
			if err != nil {
				return err
			}
			r, err := l.asked(w.rest, cmd.Flags().Changed("after"))
			if err != nil {
				return err
			}
			m, err := l.at.moment(cmd, a)
			if err != nil {
				return err
			}
			return a.read(cmd.Context(), w.dir, func(db *engine.DB) error {
				s, err := a.look(cmd.Context(), db, m)
				if err != nil {
					return err
				}
				return a.ls(cmd.Context(), s, r, l.limit)
			})
		}}
	l.addKeyB64(cmd)
	cmd.Flags().IntVar(&l.limit, "limit", 0, "print at most so many (0: all)")
	cmd.Flags().StringVar(&l.after, "after", "", "begin behind this key")
	l.at.add(cmd, "at", "the keys as they were")
	cmd.Flags().BoolVar(&l.reverse, "reverse", false, "from the end")
	return cmd
}

// takeStoreFirst is take for a verb whose other argument is optional: one argument
// is the store, unless VLOG_STORE names it.
func (a *app) takeStoreFirst(args []string) (words, error) {
	if len(args) == 1 && a.getenv("VLOG_STORE") == "" {
		return a.take(args, 0, 0)
	}
	return a.take(args, 0, 1)
}

// asked returns the range that arguments and flags name. The empty key is a key:
// whether --after was given is not told by its text.
func (l *listing) asked(args []string, behind bool) (r engine.Range, err error) {
	r.Reverse = l.reverse
	if len(args) == 1 {
		if r.Prefix, err = l.bytes(args[0]); err != nil {
			return r, err
		}
	}
	if !behind {
		return r, nil
	}
	after, err := l.bytes(l.after)
	if l.reverse {
		r.To = after
	} else {
		r.From = append(after, 0)
	}
	return r, err
}

func (a *app) ls(ctx context.Context, s looked, r engine.Range, limit int) error {
	var last []byte
	more := false
	err := a.buffered(func() (err error) {
		last, more, err = a.list(ctx, s, r, limit)
		return err
	})
	if err != nil || !more || a.json {
		return err
	}
	_, err = fmt.Fprintf(a.err, "next: %s\n", next(last)) // no data
	return err
}

// next says in flags how to go on behind a key.
func next(key []byte) string {
	text := shown(key)
	switch {
	case len(key) == 0:
		return "--after ''"
	case text != string(key) || strings.Contains(text, "'"):
		return "--key-b64 --after " + base64.StdEncoding.EncodeToString(key)
	case strings.ContainsFunc(text, special):
		return "--after '" + text + "'"
	}
	return "--after " + text
}

// special says whether a shell may take a character for anything but itself.
func special(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("/._-:@+=,%", r)
}

// list prints entries, at most limit of them; it returns the last key printed, and
// whether there are more.
func (a *app) list(ctx context.Context, s looked, r engine.Range, limit int) (last []byte, more bool, err error) {
	if !a.json {
		if err := a.print("%10s  %10s  %s", "SEQ", "SIZE", "KEY"); err != nil {
			return nil, false, err
		}
	}
	n := 0
	for e, err := range s.Scan(ctx, r) {
		if err != nil {
			return nil, false, err
		}
		if limit > 0 && n == limit {
			return last, true, nil
		}
		if err := a.listed(s, e); err != nil {
			return nil, false, err
		}
		last = e.Key
		n++
	}
	return nil, false, nil
}

func (a *app) listed(s looked, e engine.Entry) error {
	if a.json {
		return a.line(s.entryLine(e))
	}
	return a.print("%10s  %10s  %s", "#"+number(e.Seq), size(int64(len(e.Value))), shown(e.Key))
}
