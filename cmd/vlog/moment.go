package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vlogdb/vlog/engine"
)

// momentKind says how a moment is named.
type momentKind uint8

// The kinds of moment.
const (
	bySeq momentKind = iota
	byTime
	atStart // of what is kept
	atEnd   // the newest batch
)

// moment is a place in the life of a store, as flags name it. What was given relative
// to now is resolved already.
type moment struct {
	kind momentKind
	seq  uint64    // bySeq
	time time.Time // byTime
}

// momentForms says in a message what a moment looks like.
const momentForms = "a batch like 1042, a time like 2026-11-22T00:50:00Z, a date, a time ago like -10m, -1h30m or -2d, start, or end"

// withinDay says whether the offset of a time is below a day, as RFC 3339 has it; package
// time takes +24:60 too.
func withinDay(t time.Time) bool {
	_, seconds := t.Zone()
	return max(seconds, -seconds) < 24*60*60
}

// parseMoment reads a moment. Relative ones are before now; a date begins in now's
// time zone.
func parseMoment(text string, now time.Time) (moment, error) {
	switch text {
	case "start":
		return moment{kind: atStart}, nil
	case "end":
		return moment{kind: atEnd}, nil
	}
	if seq, err := strconv.ParseUint(strings.TrimPrefix(text, "#"), 10, 64); err == nil {
		return moment{kind: bySeq, seq: seq}, nil
	}
	if ago, ok := strings.CutPrefix(text, "-"); ok {
		if d, ok := parseSpan(ago); ok {
			return moment{kind: byTime, time: now.Add(-d)}, nil
		}
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil && withinDay(t) {
			return moment{kind: byTime, time: t}, nil
		}
	}
	return moment{}, usagef("%s is not a moment: use %s", quoted(text), momentForms)
}

// maxDays is how many days a time.Duration holds.
const maxDays = uint64(1<<63-1) / uint64(24*time.Hour)

// parseSpan reads a length of time that is not negative: what package time reads, with
// days before it.
func parseSpan(text string) (time.Duration, bool) {
	var days time.Duration
	if n, rest, found := strings.Cut(text, "d"); found {
		count, err := strconv.ParseUint(n, 10, 64)
		if err != nil || count > maxDays {
			return 0, false
		}
		if days, text = time.Duration(count)*24*time.Hour, rest; text == "" {
			return days, true
		}
	}
	if strings.HasPrefix(text, "-") || strings.HasPrefix(text, "+") {
		return 0, false
	}
	d, err := time.ParseDuration(text)
	return days + d, err == nil && days+d >= 0
}

// momentFlag is a flag that names a moment.
type momentFlag struct {
	name, text string
}

func (f *momentFlag) add(cmd *cobra.Command, name, usage string) {
	f.name = name
	cmd.Flags().StringVar(&f.text, name, "", usage+": "+momentForms)
	completeFlag(cmd, name, "start", "end")
}

// moment returns what the flag names, or nil where it was not given.
func (f *momentFlag) moment(cmd *cobra.Command, a *app) (*moment, error) {
	if !cmd.Flags().Changed(f.name) {
		return nil, nil
	}
	now := time.Now().UTC()
	if a.local {
		now = now.Local()
	}
	m, err := parseMoment(f.text, now)
	if err != nil {
		return nil, usagef("--%s: %v", f.name, err)
	}
	return &m, nil
}

// past returns the store as it was at a moment.
func (m moment) past(ctx context.Context, db *engine.DB) (engine.Past, error) {
	switch m.kind {
	case byTime:
		return db.AtTime(ctx, m.time)
	case atEnd:
		return db.At(ctx, db.Durable())
	case atStart:
		floor, err := db.Floor(ctx)
		if err != nil {
			return engine.Past{}, err
		}
		return db.At(ctx, floor)
	}
	return db.At(ctx, m.seq)
}
