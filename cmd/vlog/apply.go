package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/vlogdb/vlog/engine"
)

func (a *app) applyCommand() *cobra.Command {
	var per int
	cmd := &cobra.Command{Use: "apply DIR [flags] < changes.ndjson", Short: "Apply changes from stdin",
		Long: `Apply changes, one JSON object per line:

  {"op":"put","key":"users/42","value":{"name":"Alice"}}
  {"op":"del","key":"users/41"}

A value that is a string is stored as its text, any other value as compact JSON;
key_b64 and value_b64 take other bytes. Removing a key that is not there is no error.
A line as dump --json and recover --rescue print it, a whole batch, is taken too: to the
byte, and in the tenants that it names; only settings of the store that was dumped, as
vlog keep writes them, are left out, which is told. All lines are one transaction, or with --batch N
every N lines are. One line is printed for each transaction once it is on disk.`,
		Example: `  vlog apply ./data < changes.ndjson
  vlog apply ./data --batch 1000 --json < changes.ndjson
  vlog dump ./data --json | vlog apply ./copy --batch 1
  echo '{"op":"put","key_b64":"/wA=","value_b64":"AAE="}' | vlog apply ./data -t acme`,
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.take(args, 0, 0)
			if err != nil {
				return err
			}
			if per < 0 {
				return usagef("--batch is not below 0")
			}
			return a.with(cmd.Context(), w.dir, engine.Options{MustExist: true, MaxBatch: maxChanges}, func(db *engine.DB) error { return a.apply(cmd.Context(), db, per) })
		}}
	cmd.Flags().IntVar(&per, "batch", 0, "lines per transaction (0: all)")
	return cmd
}

// applying is what has been done of the input.
type applying struct {
	last     applied
	line     int // all up to this one are on disk
	settings int // left out
}

func (a *app) apply(ctx context.Context, db *engine.DB, per int) error {
	s, err := a.scope(db)
	if err != nil {
		return err
	}
	in := &changeReader{in: bufio.NewReaderSize(a.stdin(ctx), 64<<10)}
	p := a.newProgress("apply", "lines")
	defer p.end()
	var done applying
	for {
		steps, err := in.next(ctx, per)
		if err == io.EOF {
			return done.partly()
		}
		if err == nil {
			done.last, err = applySteps(ctx, s, steps)
		}
		if err != nil {
			return &stopped{done, err}
		}
		done.line = in.line
		done.settings += a.leftOut(in)
		if err := a.applied(done.last); err != nil {
			return &stopped{done, err}
		}
		p.at(int64(in.line), 0)
	}
}

// leftOut tells of the settings among what was applied, and returns how many those are.
func (a *app) leftOut(in *changeReader) int {
	for _, line := range in.settings {
		fmt.Fprintf(a.err, "left out: line %d: a setting of the store that was dumped\n", line)
	}
	n := len(in.settings)
	in.settings = nil
	return n
}

// partly is the error for settings that were left out; nil where none were.
func (d applying) partly() error {
	if d.settings == 0 {
		return nil
	}
	return &engine.Error{Op: "apply", Err: engine.ErrPartial, Detail: plural(d.settings, "setting") + " left out", Hint: "every store has its own: see `vlog keep`"}
}

// stopped is a failure behind which nothing was applied any more.
type stopped struct {
	done applying
	err  error
}

func (s *stopped) Error() string { return s.err.Error() + "; " + s.rest() }

func (s *stopped) Unwrap() error { return s.err }

// rest says what of the input is on disk.
func (s *stopped) rest() string {
	behind := "nothing"
	if errors.Is(s.err, engine.ErrAmbiguous) {
		behind = "nobody knows how much"
	}
	if s.done.line == 0 {
		return behind + " was written"
	}
	return "all up to line " + strconv.Itoa(s.done.line) + " is on disk, " + behind + " behind it"
}

// applied is a transaction that is on disk, in JSON.
type applied struct {
	Seq     uint64 `json:"seq"`
	Changes int    `json:"changes"`
}

// applySteps makes one transaction of changes; of none it makes none.
func applySteps(ctx context.Context, s engine.Scope, steps []step) (applied, error) {
	if len(steps) == 0 {
		return applied{}, nil
	}
	seq, err := submit(ctx, s, func(tx *engine.Tx) error { return applyTo(tx, steps) })
	if e, ok := errors.AsType[*engine.Error](err); ok && batchTooLarge(e) && len(steps) > 1 {
		err = tooMany(len(steps))
	}
	return applied{seq, len(steps)}, err
}

// tooMany is the error for changes that do not fit into one transaction.
func tooMany(n int) error {
	return &engine.Error{Err: engine.ErrTooLarge, Detail: plural(n, "change") + " in one transaction, which takes " + size(maxChanges), Hint: "give --batch N, or a smaller one"}
}

// applied tells of a transaction. Where nobody listens any more, what was asked for
// is done all the same.
func (a *app) applied(t applied) (err error) {
	if t.Changes == 0 {
		return nil
	}
	if a.json {
		err = a.line(t)
	} else {
		err = a.print("#%d %s", t.Seq, plural(t.Changes, "change"))
	}
	if closedPipe(err) {
		a.out = io.Discard
		return nil
	}
	return untold("#"+number(t.Seq), err)
}

func applyTo(tx *engine.Tx, steps []step) error {
	for _, c := range steps {
		if err := c.applyTo(tx); err != nil {
			return fmt.Errorf("line %d: %w", c.line, err)
		}
	}
	return nil
}

func (s *step) applyTo(tx *engine.Tx) (err error) {
	if s.tenant != "" {
		if tx, err = tx.Tenant(s.tenant); err != nil {
			return err
		}
	}
	switch {
	case s.many:
		return tx.DeleteRange(engine.Range{From: s.key, To: s.end})
	case s.del:
		return tx.Delete(s.key)
	}
	return tx.Put(s.key, s.value)
}
