// Package backup copies a store to a place, and a place to a store.
//
// A backup place has the layout of a store, and the same identity; its FORMAT says
// that it is only read. So everything that looks into a store looks into it too. What
// it has is not copied again, each copy is verified before it gets its name, and each
// step is durable before the next (docs/CRASH.md, "Backing up", "Restoring"): whatever
// stops a backup, the place leads to the seq that it led to before, or to a newer one.
//
// Embedders do not need this package; package engine gives out what it does.
package backup

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/recovery"
	"github.com/vlogdb/vlog/wal"
)

// Source is the store that is backed up. Nothing is ever written to it.
type Source struct {
	FS     vfs.FS
	Format recovery.Format
	// Moment tells how far the store is durable now. It is asked again where files
	// went while they were copied.
	Moment func(ctx context.Context) (Moment, error)
}

// Moment is how far a store counts, and the files that it had no earlier than then.
type Moment struct {
	Seq   batch.Seq
	Chain batch.Chain // behind Seq
	Files []recovery.File
}

// Dest is a directory to write to. Both functions give a file system that the
// backup closes.
type Dest struct {
	Open   func() (vfs.FS, error) // ErrNotFound where there is no such directory
	Create func() (vfs.FS, error) // makes it where it is not there
}

// Options of a backup. Now is required.
type Options struct {
	Prune    bool // forget in the place what the source no longer keeps
	Verify   bool // read the whole place: first to copy again what is damaged, and back at the end
	DryRun   bool // only tell
	Progress func(done, total int64)
	Now      func() time.Time
}

// Result is what a backup did, or would do.
type Result struct {
	Seq         uint64    // the place leads to this batch
	Time        time.Time // of that batch, UTC; zero where there is none
	Chain       string    // hex: commits to every batch up to it
	Segments    int       // copied
	Checkpoints int       // copied
	There       int       // files that the place had already
	Removed     int       // files that the place forgot
	Bytes       int64     // copied
	Verified    bool      // the whole place was read back
	Took        time.Duration
}

// Run backs up a store. Errors: ErrForeign where the place is of another store,
// ErrConflict where it has another history of the same one or a newer end, ErrExists
// where it is no backup place and not empty, ErrLocked, ErrIncompatible where this
// version may only read the source or the place, ErrCorrupt for a damaged source,
// ErrCompacted where the source forgets faster than it can be copied, ErrNoSpace,
// ErrIO, or the context's. The place stays usable after each.
func Run(ctx context.Context, src Source, to Dest, opts Options) (Result, error) {
	if ctx.Err() != nil { // before anything is made
		return Result{}, context.Cause(ctx)
	}
	r := &run{src: src, opts: opts, began: opts.Now()}
	var err error
	if r.id, err = src.Format.Store(); err != nil {
		return Result{}, err
	}
	if err := src.Format.Copyable(); err != nil {
		return Result{}, err
	}
	if err := r.visit(to); err != nil {
		return Result{}, err
	}
	if err := r.lookAtSource(ctx); err != nil {
		return Result{}, r.told(err)
	}
	if opts.DryRun {
		err = r.rehearse(ctx, to)
	} else {
		err = r.backUp(ctx, to)
	}
	r.res.Took = max(opts.Now().Sub(r.began), 0)
	return r.res, r.told(err)
}

// run is one backup.
type run struct {
	src   Source
	id    wal.StoreID
	opts  Options
	began time.Time

	at   Moment // what is copied
	have *stock // what the source holds, up to there
	time int64  // of batch at.Seq

	place vfs.FS
	fresh bool // nothing of ours stands there yet
	first bool // the place was never finished
	hold  *recovery.Hold
	copy  *copier
	res   Result
}

// rehearse plans without touching anything.
func (r *run) rehearse(ctx context.Context, to Dest) (err error) {
	there := &stock{store: r.id}
	r.place, err = to.Open()
	switch {
	case err == nil:
		defer func() { err = errors.Join(err, r.place.Close()) }()
		if err := recovery.Unheld(r.place); err != nil {
			return err
		}
		if there, err = r.placeStock(ctx); err != nil {
			return err
		}
	case !errors.Is(err, fault.ErrNotFound):
		return err
	}
	p, err := r.plan(ctx, there)
	if err != nil {
		return err
	}
	r.tell(p)
	r.res.Segments, r.res.Checkpoints, r.res.Bytes = len(p.pieces), len(p.lead)+len(p.images), p.bytes
	return nil
}

// backUp writes, under the lock of the place.
func (r *run) backUp(ctx context.Context, to Dest) (err error) {
	if r.place, err = to.Create(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.place.Close()) }()
	if err := r.enter(); err != nil {
		return err
	}
	err = r.fill(ctx)
	if err == nil {
		err = r.finish()
	}
	if err = errors.Join(err, r.hold.Close()); err != nil || !r.opts.Verify {
		return err
	}
	r.res.Verified = true
	return sound(ctx, r.place, r.opts.Now)
}

// tries is how often it is planned anew where the source changed under a copy. Each
// try goes on where the one before ended.
const tries = 16

// fill copies what the place lacks. Where a file of the source went, or became another
// one, it looks and plans again.
func (r *run) fill(ctx context.Context) error {
	r.copy = &copier{from: r.src.FS, to: r.place, store: r.id, now: func() int64 { return r.opts.Now().UnixNano() }, progress: r.opts.Progress}
	var last error
	for range tries {
		err := r.fillOnce(ctx)
		u, again := errors.AsType[*unfit](err)
		if !again {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx) // a file that has gone is not why it ends
		}
		if damaged(u.cause, last) {
			return err
		}
		last = u.cause
		if err := r.lookAtSource(ctx); err != nil {
			return err
		}
	}
	return r.tooFast(last)
}

func (r *run) tooFast(last error) error {
	return &fault.Error{Op: "backup", At: fault.Place{Path: r.src.FS.Path()}, Err: fault.ErrCompacted, Detail: "the source forgets files faster than they are copied", Cause: last,
		Hint: "run it again, at a quieter time, or let the store keep more; the place is as good as before"}
}

// damaged says whether a failure is the one that came before, and no file that went:
// what was read twice, and is as bad, does not change.
func damaged(err, before error) bool {
	now, ok := errors.AsType[*fault.Error](err)
	then, also := errors.AsType[*fault.Error](before)
	return ok && also && now.Err != fault.ErrNotFound && now.Err == then.Err && now.At == then.At
}

func (r *run) fillOnce(ctx context.Context) error {
	there, err := r.placeStock(ctx)
	if err != nil {
		return err
	}
	p, err := r.plan(ctx, there)
	if err != nil {
		return err
	}
	r.copy.total = r.copy.done + p.bytes
	r.tell(p)
	if err := r.copy.all(ctx, nil, p.lead); err != nil {
		return err
	}
	if err := r.copy.all(ctx, p.pieces, p.images); err != nil {
		return err
	}
	r.res.Segments, r.res.Checkpoints, r.res.Bytes = r.copy.segments, r.copy.images, r.copy.done
	return removeAll(r.place, p.drop)
}

// tell notes what is planned. What was copied before it had to be planned again counts
// as copied, not as there.
func (r *run) tell(p *plan) {
	r.res.Seq, r.res.Chain = uint64(r.at.Seq), hex.EncodeToString(r.at.Chain[:])
	if r.time != 0 {
		r.res.Time = time.Unix(0, r.time).UTC()
	}
	if r.res.Removed = len(p.drop); r.copy == nil || r.copy.segments+r.copy.images == 0 {
		r.res.There = p.there
	}
}

// finish makes the place say how far it leads; what is not finished until then is now.
func (r *run) finish() error {
	if err := r.hold.End(recovery.Closed{Seq: r.at.Seq, Chain: r.at.Chain[:], Time: r.opts.Now().UTC()}); err != nil {
		return err
	}
	if !r.first {
		return nil
	}
	return recovery.WriteFormat(r.place, r.src.Format.AsBackup(true))
}

// told takes the marks off an error, and gives the files of the place their whole name.
func (r *run) told(err error) error {
	if u, ok := errors.AsType[*unfit](err); ok {
		return u.cause
	}
	return within(r.place, err)
}

// within returns an error about a file of a directory with that directory in its path.
func within(fsys vfs.FS, err error) error {
	if fsys == nil {
		return err
	}
	switch e := err.(type) {
	case *fault.Error:
		full := *e
		full.At.Path = whole(fsys.Path(), e.At.Path)
		return &full
	case interface{ Unwrap() []error }:
		var all []error
		for _, one := range e.Unwrap() {
			all = append(all, within(fsys, one))
		}
		return errors.Join(all...)
	}
	return err
}

func whole(dir, name string) string {
	switch {
	case name == "" || name == ".":
		return dir
	case strings.HasPrefix(name, dir):
		return name
	}
	return dir + "/" + name
}

// sound reads a directory back and returns ErrCorrupt where anything is damaged, before
// what ended the reading; but where somebody writes there, nothing that was found counts.
func sound(ctx context.Context, fsys vfs.FS, now func() time.Time) error {
	var bad *fault.Error
	_, err := recovery.Check(ctx, fsys, recovery.CheckOptions{Now: now}, func(f recovery.Finding) {
		if f.Severity != recovery.SeverityError || bad != nil {
			return
		}
		bad = &fault.Error{Op: "check", At: fault.Place{Path: f.File, Offset: f.Offset, Seq: f.Seq}, Err: fault.ErrCorrupt, Detail: f.Kind + ": " + f.Detail}
		if f.Kind == "io" {
			bad.Err = fault.ErrIO
		}
	})
	switch {
	case bad == nil || errors.Is(err, fault.ErrLocked):
		return err
	case err == nil:
		return bad
	}
	return errors.Join(bad, err)
}
