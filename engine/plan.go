package engine

import (
	"context"
	"errors"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/recovery"
	"github.com/vlogdb/vlog/wal"
)

// CheckpointPlan is what DB.Checkpoint would do. Sizes are in bytes.
type CheckpointPlan struct {
	Seq     uint64 // that the newest checkpoint would have
	Written bool   // false: there is nothing new
	Keys    int    // that would be in it
	Bytes   int64  // of its file, within a few hundred; under NDJSON an estimate (text that is not ASCII takes more)
	Base    uint64 // the log behind it would be kept; 0: all of it

	Segments        int // that would go
	SegmentBytes    int64
	Checkpoints     int // that would go
	CheckpointBytes int64
}

// PlanCheckpoint tells what Checkpoint would do now, and changes nothing. It works
// on a read-only DB too.
func (db *DB) PlanCheckpoint(ctx context.Context) (CheckpointPlan, error) {
	c := db.core
	if err := c.ended("plan"); err != nil {
		return CheckpointPlan{}, err
	}
	if c.committer == nil {
		return db.planBeside(ctx)
	}
	release, err := c.alone(ctx)
	if err != nil {
		return CheckpointPlan{}, err
	}
	defer release()
	return db.plan(c.committer.Published())
}

// planTries bounds how often a plan is made again because another process removed a
// checkpoint meanwhile.
const planTries = 10

// planBeside plans on a read-only DB, whose files somebody else may be changing.
func (db *DB) planBeside(ctx context.Context) (plan CheckpointPlan, err error) {
	for range planTries {
		p, seen := db.see(ctx)
		if seen != nil {
			return plan, seen
		}
		if plan, err = db.plan(p); !errors.Is(err, fault.ErrNotFound) {
			return plan, err
		}
	}
	return plan, err
}

func (db *DB) plan(p *state.Picture) (CheckpointPlan, error) {
	c := db.core
	files, err := recovery.Files(c.store.FS)
	if err != nil {
		return CheckpointPlan{}, err
	}
	if newest := newestCheckpoint(files); p.Seq() <= newest {
		return CheckpointPlan{Seq: uint64(newest)}, nil
	}
	plan := CheckpointPlan{Seq: uint64(p.Seq()), Keys: p.Len(), Bytes: checkpoint.Size(p, c.codec), Written: true}
	keep, err := checkpoint.KeepOf(p)
	if err != nil {
		return CheckpointPlan{}, err
	}
	soon := checkpoint.Header{Store: c.store.ID, At: p.Position()}
	floor := checkpoint.Floor{Keep: keep, Last: p.Seq(), Now: c.opts.Clock().UnixNano(), Soon: &soon}
	base, err := checkpoint.Base(c.store.FS, c.store.ID, floor, c.store.Known)
	if err != nil {
		return CheckpointPlan{}, err
	}
	plan.Base = uint64(base)
	return plan, plan.count(c.store.FS, files, p.Seq())
}

// newestCheckpoint returns the seq of the newest checkpoint among files, or 0.
func newestCheckpoint(files []recovery.File) (newest batch.Seq) {
	for _, f := range files {
		if seq, ok := checkpoint.ParseName(f.Base()); ok && f.Class == recovery.ClassCheckpoint {
			newest = max(newest, seq)
		}
	}
	return newest
}

// count adds up what would go: segments that end at or below the base, the newest
// of them at last, and checkpoints below it.
func (p *CheckpointPlan) count(fsys vfs.FS, files []recovery.File, last batch.Seq) error {
	var segments []recovery.File
	for _, f := range files {
		switch f.Class {
		case recovery.ClassSegment:
			segments = append(segments, f)
		case recovery.ClassCheckpoint:
			if seq, _ := checkpoint.ParseName(f.Base()); uint64(seq) < p.Base {
				p.Checkpoints++
				if err := addSize(fsys, f.Path, &p.CheckpointBytes); err != nil {
					return err
				}
			}
		}
	}
	for i, f := range segments {
		end := last
		if i+1 < len(segments) {
			next, _, _ := wal.ParseSegment(segments[i+1].Base())
			end = next - 1
		}
		if uint64(end) > p.Base {
			break
		}
		p.Segments++
		if err := addSize(fsys, f.Path, &p.SegmentBytes); err != nil {
			return err
		}
	}
	return nil
}
