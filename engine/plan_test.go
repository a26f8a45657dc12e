package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// TestPlan: what a plan tells is what the checkpoint then does, whatever the store
// keeps, and a plan changes nothing; a reader's plan is the same.
func TestPlan(t *testing.T) { both(t, testPlan) }

func testPlan(t *testing.T) {
	for name, keep := range map[string]engine.Keep{
		"one": {Checkpoints: 1}, "two": {Checkpoints: 2}, "batches": {Batches: 5}, "time": {For: time.Hour}, "all": {All: true},
	} {
		mem := tracked()
		opts := quiet
		opts.Keep, opts.SegmentSize, opts.NoPrepare = &keep, 2<<10, true
		now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		opts.Clock = func() time.Time { return now }
		db := open(t, mem.Reopen(), opts)
		written := 0
		for round := range 6 {
			for i := range 4 * (round % 3) {
				put(t, db, fmt.Sprint("key", i), strings.Repeat("v", 600))
				now = now.Add(20 * time.Minute)
			}
			p := &planned{T: t, db: db, mem: mem, what: fmt.Sprint(name, " ", round)}
			p.reader = engine.Options{ReadOnly: true, Clock: opts.Clock}
			if p.check() {
				written++
			}
			db = open(t, mem.Reopen(), opts)
		}
		check(t, db.Close())
		if written < 3 {
			t.Errorf("%s: only %d checkpoints", name, written)
		}
	}
}

type planned struct {
	*testing.T
	db     *engine.DB
	mem    *vfs.Mem
	reader engine.Options
	what   string
}

// check plans, closes, plans as a reader, and takes the checkpoint.
func (p *planned) check() bool {
	before := p.mem.Ops()
	plan, err := p.db.PlanCheckpoint(p.Context())
	check(p.T, err)
	if p.mem.Ops() != before {
		p.Errorf("%s: the plan changed something", p.what)
	}
	info, err := p.db.Info(p.Context())
	check(p.T, err)
	res, err := p.db.Checkpoint(p.Context())
	check(p.T, err)
	after, err := p.db.Info(p.Context())
	check(p.T, err)
	if plan.Written != res.Written || plan.Seq != res.Seq || plan.Base != res.Base || plan.Checkpoints != res.Dropped || plan.Segments != info.Segments-after.Segments {
		p.Errorf("%s: planned %+v, done %+v, segments %d, then %d", p.what, plan, res, info.Segments, after.Segments)
	}
	if plan.Written && (plan.Keys != int(res.Keys) || plan.Bytes < res.Bytes || plan.Bytes > res.Bytes+500) {
		p.Errorf("%s: planned %d keys in %d bytes, written %d in %d", p.what, plan.Keys, plan.Bytes, res.Keys, res.Bytes)
	}
	check(p.T, p.db.Close())
	reader := open(p.T, p.mem.Reopen(), p.reader)
	again, err := reader.PlanCheckpoint(p.Context())
	check(p.T, err)
	if again.Written || again.Seq != plan.Seq {
		p.Errorf("%s: behind it a reader plans %+v", p.what, again)
	}
	return res.Written
}
