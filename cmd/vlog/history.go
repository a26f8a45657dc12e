package main

import (
	"context"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/vlogdb/vlog/engine"
)

func (a *app) historyCommand() *cobra.Command {
	var limit int
	var k keyFlags
	cmd := &cobra.Command{Use: "history DIR KEY [flags]", Short: "Show the changes of one key, newest first",
		Long: `Show what the batches that are kept did to one key, newest first: puts, deletes, and
deletes of a range that covers it. Where older batches are no longer kept the last line
says what the key had where the history begins, and which batch had put that. It goes
through the whole log that is kept.`,
		Example: `  vlog history ./data users/42
  vlog history ./data users/42 --limit 3 --json`,
		ValidArgsFunction: a.completeKeys, RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 0 {
				return usagef("--limit is not below 0")
			}
			w, err := a.take(args, 1, 1)
			if err != nil {
				return err
			}
			key, err := k.bytes(w.rest[0])
			if err != nil {
				return err
			}
			return a.read(cmd.Context(), w.dir, func(db *engine.DB) error {
				return a.buffered(func() error { return a.history(cmd.Context(), db, key, limit) })
			})
		}}
	k.addKeyB64(cmd)
	cmd.Flags().IntVar(&limit, "limit", 0, "at most so many changes (0: all)")
	return cmd
}

func (a *app) history(ctx context.Context, db *engine.DB, key []byte, limit int) error {
	s, err := a.scope(db)
	if err != nil {
		return err
	}
	shown := 0
	for e, err := range s.History(ctx, key, limit) {
		if err != nil {
			return err
		}
		if shown == 0 && e.Begins && e.By == 0 { // no change, and nothing before
			break
		}
		if err := a.event(e); err != nil {
			return err
		}
		shown++
	}
	if shown == 0 {
		return looked{reading: s, tenant: a.tenant}.missing(ctx, key)
	}
	return nil
}

// event prints one event.
func (a *app) event(e engine.Event) error {
	if a.json {
		return a.line(eventObject(e))
	}
	return a.print("#%d  %s  %s", e.Seq, a.time(e.Time.Round(time.Millisecond)), eventText(e))
}

// eventText is what an event did, for people; the key is known.
func eventText(e engine.Event) string {
	switch {
	case e.Begins && e.By == 0:
		return "begins  without a value; what came before is no longer kept"
	case e.Begins:
		return "begins  " + valueText(e.Value) + "  put by #" + number(e.By) + "; what came before is no longer kept"
	case e.Op == "put":
		return "put  " + valueText(e.Value)
	case e.Op == "del-range":
		return rangeText(e.Op+"  "+quoted(string(e.Key)), e.End)
	}
	return e.Op
}

// valueText is the beginning of a value, for people.
func valueText(v []byte) string {
	if utf8.Valid(v) {
		return quoted(string(v))
	}
	return size(int64(len(v))) + " of bytes"
}

// rangeText ends the text of a range.
func rangeText(text string, end []byte) string {
	if len(end) == 0 {
		return text + " .. the end"
	}
	return text + " .. " + quoted(string(end))
}

// eventLine is an event in JSON. Bytes that are not UTF-8 stand in the field whose
// name ends in _b64.
type eventLine struct {
	Tenant   string    `json:"tenant"`
	Seq      uint64    `json:"seq"`
	Time     time.Time `json:"time"`
	Op       string    `json:"op"`
	Key      *string   `json:"key,omitempty"` // of a range: where it begins
	KeyB64   *string   `json:"key_b64,omitempty"`
	End      *string   `json:"end,omitempty"` // of a range; neither: to the end
	EndB64   *string   `json:"end_b64,omitempty"`
	Value    *string   `json:"value,omitempty"`
	ValueB64 *string   `json:"value_b64,omitempty"`
	Begins   bool      `json:"begins,omitempty"` // no change: what the key had where the history begins
	By       *uint64   `json:"by,omitempty"`     // then: the batch that had put it; 0: none
}

func eventObject(e engine.Event) eventLine {
	o := eventLine{Tenant: e.Tenant, Seq: e.Seq, Time: e.Time, Op: e.Op, Begins: e.Begins}
	o.Key, o.KeyB64 = textOrB64(e.Key)
	switch {
	case e.Op == "put":
		o.Value, o.ValueB64 = textOrB64(e.Value)
	case len(e.End) > 0:
		o.End, o.EndB64 = textOrB64(e.End)
	}
	if e.Begins {
		o.By = new(e.By)
	}
	return o
}
