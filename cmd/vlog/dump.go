package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/vlogdb/vlog/engine"
)

// dumping is which batches are shown.
type dumping struct {
	from, to uint64
	limit    int
}

func (a *app) dumpCommand() *cobra.Command {
	var o dumping
	cmd := &cobra.Command{Use: "dump DIR [flags]", Short: "Show the batches in the log",
		Long: `Show the batches that the log keeps, in order, with what each of them changed. With --json
a batch is one line, exact: keys and values that are no text are in base64.`,
		Example: `  vlog dump ./data --from 1040 --to 1042
  vlog dump ./data --json | jq 'select(.ops[].k == "users/42")'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.take(args, 0, 0)
			if err != nil {
				return err
			}
			if o.limit < 0 {
				return usagef("--limit is not below 0")
			}
			return a.read(cmd.Context(), w.dir, func(db *engine.DB) error { return a.dump(cmd.Context(), db, o) })
		}}
	cmd.Flags().Uint64Var(&o.from, "from", 0, "first batch (0: the first that is kept)")
	cmd.Flags().Uint64Var(&o.to, "to", 0, "last batch (0: the newest)")
	cmd.Flags().IntVar(&o.limit, "limit", 0, "at most so many batches (0: all)")
	return cmd
}

func (a *app) dump(ctx context.Context, db *engine.DB, o dumping) error {
	shown := 0
	for b, err := range db.Batches(ctx, o.from) {
		if err != nil {
			return err
		}
		if o.to > 0 && b.Seq > o.to || o.limit > 0 && shown == o.limit {
			return nil
		}
		if err := a.showBatch(b); err != nil {
			return err
		}
		shown++
	}
	return nil
}

func (a *app) showBatch(b engine.Batch) error {
	if a.json {
		return a.print("%s", b.AppendJSON(nil))
	}
	for c := range b.Changes() {
		if err := a.print("#%d  %s  %s", b.Seq, a.time(b.Time.Round(time.Millisecond)), changeText(c)); err != nil {
			return err
		}
	}
	return nil
}

// changeText is a change for people: space where it is not kv, tenant, what, key and
// the beginning of the value.
func changeText(c engine.Change) string {
	where := c.Tenant
	if c.Space != "kv" {
		where = c.Space + ":" + where
	}
	text := fmt.Sprintf("%s  %s  %s", where, c.Op, quoted(string(c.Key)))
	switch c.Op {
	case "put":
		return text + "  " + valueText(c.Value)
	case "del-range":
		return rangeText(text, c.End)
	}
	return text
}
