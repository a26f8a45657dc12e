package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/ptvp35"
)

// importing is how an import was asked for.
type importing struct {
	from    string
	file    string
	per     int
	dry     bool
	salvage bool
}

// importLines is how many lines are one transaction, unless --batch says otherwise.
const importLines = 1000

func (a *app) importCommand() *cobra.Command {
	var o importing
	cmd := &cobra.Command{Use: "import DIR FILE [flags]", Short: "Take over the data of another system",
		Long: `Take over the data of another system. FILE is never written to.

ptvp35: FILE is the main file (x.db). The files beside it (.backup, .recover, .truncate,
.truncate_flag) are honoured as that system would on opening. Keys and values are stored
as compact JSON, so 123 and "123" are different keys; NaN and Infinity, which that system
writes, are none. Every line is read before the first
is written: where one is no record nothing is imported, unless --salvage leaves it out.`,
		Example: `  vlog import ./data x.db --from ptvp35 --dry-run
  vlog import ./data x.db --from ptvp35 -t legacy
  vlog get ./data '["tuple","example"]'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.take(args, 1, 1)
			if err != nil {
				return err
			}
			o.file = w.rest[0]
			if o.from != "ptvp35" {
				return usagef("--from takes ptvp35, not %q", o.from)
			}
			if o.per < 1 {
				return usagef("--batch is at least 1")
			}
			return a.imports(cmd.Context(), w.dir, o)
		}}
	cmd.Flags().StringVar(&o.from, "from", "", "the system that FILE is of: ptvp35")
	cmd.Flags().IntVar(&o.per, "batch", importLines, "lines per transaction")
	cmd.Flags().BoolVar(&o.dry, "dry-run", false, "only tell what would be imported")
	completeFlag(cmd, "from", "ptvp35")
	cmd.Flags().BoolVar(&o.salvage, "salvage", false, "leave out lines that are no record, and list them")
	return cmd
}

// imported is what an import found and did.
type imported struct {
	plan    ptvp35.Plan
	records int
	keys    int
	broken  int
	last    uint64
}

func (a *app) imports(ctx context.Context, dir string, o importing) error {
	src, err := ptvp35.Open(o.file)
	if err != nil {
		a.store = "" // it is not the one that this is about
		return notTaken(err)
	}
	done, err := a.survey(ctx, src, o)
	if err == nil && !o.dry {
		err = a.with(ctx, dir, engine.Options{MustExist: true, MaxBatch: maxChanges}, func(db *engine.DB) error {
			s, err := a.scope(db)
			if err == nil {
				done.last, err = a.takeOver(ctx, s, src, o.per)
			}
			return err
		})
	}
	if err = errors.Join(err, src.Close()); err != nil {
		return err
	}
	if err := a.tellImport(done, o); err != nil {
		return err
	}
	if done.broken > 0 {
		return &engine.Error{Op: "import", Err: engine.ErrPartial, Detail: plural(done.broken, "line") + " left out"}
	}
	return nil
}

// notTaken is an error about the file to be imported: what helps with one of a store of
// ours does not help there.
func notTaken(err error) error {
	e, ok := errors.AsType[*engine.Error](err)
	if !ok || e.Err != engine.ErrNotRegular {
		return err
	}
	other := *e
	other.Hint = "name the main file of that system, a plain file"
	return &other
}

// survey reads everything and counts; a line that is no record is an error, or
// listed on stderr where it is to be left out.
func (a *app) survey(ctx context.Context, src *ptvp35.Source, o importing) (done imported, err error) {
	done.plan = src.Plan()
	keys := map[string]bool{}
	p := a.newProgress("read", "lines")
	defer p.end()
	for r, err := range src.Records() {
		switch {
		case ctx.Err() != nil:
			return done, context.Cause(ctx)
		case err == nil:
			done.records++
			keys[string(r.Key)] = true
		case ptvp35.Broken(err) && o.salvage:
			done.broken++
			fmt.Fprintf(a.err, "left out: line %d: %v\n", r.Line, err)
		default:
			return done, atLine(r.Line, err)
		}
		p.at(int64(r.Line), 0)
	}
	done.keys = len(keys)
	return done, nil
}

// atLine adds to an error which line it is about, where it is about one.
func atLine(line int, err error) error {
	if line == 0 {
		return err
	}
	return fmt.Errorf("line %d: %w", line, err)
}

// takeOver writes the records, so many in one transaction.
func (a *app) takeOver(ctx context.Context, s engine.Scope, src *ptvp35.Source, per int) (last uint64, err error) {
	var steps []step
	p := a.newProgress("import", "lines")
	defer p.end()
	write := func() error {
		t, err := applySteps(ctx, s, steps)
		last, steps = t.Seq, steps[:0]
		return err
	}
	for r, err := range src.Records() {
		if err != nil {
			if ptvp35.Broken(err) { // told by the survey
				continue
			}
			return last, err
		}
		steps = append(steps, step{key: r.Key, value: r.Value, line: r.Line})
		if len(steps) == per {
			if err := write(); err != nil {
				return last, err
			}
			p.at(int64(r.Line), 0)
		}
	}
	if len(steps) == 0 {
		return last, nil
	}
	return last, write()
}

func (a *app) tellImport(d imported, o importing) error {
	p := d.plan
	if a.json {
		return a.line(map[string]any{"file": o.file, "read": p.File, "restored": p.Restored, "cut": p.Cut, "valid_bytes": p.Valid, "dropped_bytes": p.Dropped,
			"non_ascii": p.NonASCII, "ignored": list(p.Ignored), "records": d.records, "keys": d.keys, "left_out": d.broken, "seq": d.last, "dry_run": o.dry})
	}
	rows := [][2]string{{"read", p.File + ": " + size(p.Valid)}}
	if p.Restored {
		rows = append(rows, [2]string{"restored", "the recover flag is raised: the backup counts"})
	}
	if p.Cut {
		rows = append(rows, [2]string{"cut", size(p.Dropped) + " behind what the truncate file says is valid"})
	}
	if p.NonASCII {
		rows = append(rows, [2]string{"text", "not ASCII alone: the cut was counted in characters"})
	}
	for _, name := range p.Ignored {
		rows = append(rows, [2]string{"ignored", name})
	}
	what := "imported"
	if o.dry {
		what = "would take"
	}
	return a.rows(append(rows, [2]string{what, plural(d.records, "record") + ", " + plural(d.keys, "key")}))
}
