package main

import (
	"context"
	"errors"
	"strconv"

	"github.com/vlogdb/vlog/engine"
)

// recovering is how a recovery was asked for.
type recovering struct {
	dry     bool
	salvage bool
	yes     bool
	rescue  string
}

// check refuses flags that do not go together, and a salvage that nobody confirmed.
func (o *recovering) check() error {
	if !o.salvage && (o.rescue != "" || o.yes) {
		return usagef("--rescue and --yes go with --salvage")
	}
	if o.salvage && !o.dry && !o.yes {
		return usagef("--salvage sets files of the store aside: look with --dry-run first, then say --yes")
	}
	return nil
}

// salvage sets aside what is damaged and tells what is left.
func (a *app) salvage(ctx context.Context, dir string, o recovering) (err error) {
	opts := engine.SalvageOptions{DryRun: o.dry}
	if o.rescue != "" {
		r, e := newRescue(o.rescue)
		if e != nil {
			return e
		}
		defer func() { err = errors.Join(err, r.end()) }()
		opts.Rescued, opts.Ready = r.add, r.keep
	}
	sum, err := engine.Salvage(ctx, dir, opts)
	if err != nil {
		return err
	}
	if !o.dry { // opening ends what is left to do, and proves that it opens
		if err := a.with(ctx, dir, quiet(), func(*engine.DB) error { return nil }); err != nil {
			return err
		}
	}
	return untold("what could be salvaged", a.salvaged(sum, o))
}

func (a *app) salvaged(sum engine.Salvaged, o recovering) error {
	if a.json {
		return a.line(salvagedObject(sum, o))
	}
	rows := [][2]string{{"store", salvageState(sum, o)}, {"kept", keptLine(sum)}}
	if sum.Known > sum.Last {
		rows = append(rows, [2]string{"lost", "#" + number(uint64(sum.Last+1)) + " to #" + number(uint64(sum.Known)) + ", as far as is known"})
	}
	for _, s := range sum.Aside {
		rows = append(rows, [2]string{"aside", asideLine(s)})
	}
	return a.rows(rows)
}

func salvageState(sum engine.Salvaged, o recovering) string {
	switch {
	case sum.Whole:
		return "whole: there is nothing to salvage"
	case o.dry:
		return "damaged; nothing was changed"
	}
	return "salvaged"
}

func keptLine(sum engine.Salvaged) string {
	s := "#" + number(uint64(sum.First)) + " .. #" + number(uint64(sum.Last))
	if sum.First > sum.Last {
		s = "no batches; the last was #" + number(uint64(sum.Last))
	}
	if sum.Checkpoint > 0 {
		s += ", checkpoint of #" + number(uint64(sum.Checkpoint))
	}
	return s
}

func asideLine(s engine.Aside) string {
	line := s.File
	if s.Offset > 0 {
		line += " from " + strconv.FormatInt(s.Offset, 10) + " on"
	}
	if s.To != "" {
		line += " -> " + s.To
	}
	line += ": " + s.Why
	if s.Batches > 0 {
		line += "; " + plural(s.Batches, "batch") + " in it can be read"
	}
	return line
}

func salvagedObject(sum engine.Salvaged, o recovering) map[string]any {
	aside := []map[string]any{}
	for _, s := range sum.Aside {
		aside = append(aside, map[string]any{"file": s.File, "offset": s.Offset, "to": s.To, "batches": s.Batches, "why": s.Why})
	}
	return map[string]any{"whole": sum.Whole, "dry_run": o.dry, "checkpoint": sum.Checkpoint, "first": sum.First, "last": sum.Last, "known": sum.Known, "aside": aside}
}
