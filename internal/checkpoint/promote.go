package checkpoint

import (
	"context"
	"errors"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// Promoter puts new checkpoints in place while the store is at work. One call at
// a time.
type Promoter struct {
	FS    vfs.FS
	Store wal.StoreID
	Codec wal.Codec
	Now   func() int64                                    // nanoseconds since 1970
	Trim  func(ctx context.Context, before wal.Seq) error // forgets segments that end before a seq
	Known map[batch.Seq]Header                            // checkpoints known to verify; Run adds to it
	Pace  Pace
}

// Result is what a promotion did.
type Result struct {
	Summary
	Base    batch.Seq // the log below it is no longer kept; 0: all is kept
	Dropped int       // checkpoints removed
}

// Unsure marks an error after which nobody can say what is durable in log/: the
// store must not be written any more before it was opened again.
type Unsure struct{ Cause error }

// Error implements error.
func (u *Unsure) Error() string { return u.Cause.Error() }

// Unwrap returns the cause.
func (u *Unsure) Unwrap() error { return u.Cause }

// Run takes the steps p1 to p6 of docs/CRASH.md for a published picture whose
// batches are all durable in the log and that is newer than the newest checkpoint.
// An error before p4 leaves the store as it was; one that is an *Unsure does not.
func (p *Promoter) Run(ctx context.Context, pic *state.Picture) (Result, error) {
	keep, err := KeepOf(pic)
	if err != nil {
		return Result{}, err
	}
	now := p.Now()
	sum, err := p.write(ctx, pic, now)
	var old outdated
	if err == nil {
		old, err = p.outdated(Floor{Keep: keep, Last: pic.Seq(), Now: now, Soon: &sum.Header})
	}
	if err != nil {
		return Result{}, p.undo(err)
	}
	if err := enter(p.FS, pic.Seq()); err != nil {
		return Result{}, &Unsure{err}
	}
	p.Known[pic.Seq()] = sum.Header
	res := Result{Summary: sum, Base: old.base}
	if res.Dropped, err = p.drop(ctx, old); err != nil {
		return res, &Unsure{err}
	}
	if err := remove(p.FS, Recover); err != nil { // p6
		return res, &Unsure{err}
	}
	return res, nil
}

// write takes p1 to p3: the file, read back, then the flag that names it. The flag
// also keeps the time: who ends an interrupted p5 must come to the same end, or the
// log has a gap.
func (p *Promoter) write(ctx context.Context, pic *state.Picture, now int64) (Summary, error) {
	pace := func(n int) error {
		if err := context.Cause(ctx); err != nil || p.Pace == nil {
			return err
		}
		return p.Pace(n)
	}
	sum, err := Write(p.FS, Backup, Image{p.Store, pic, p.Codec}, pace) // p1
	if err != nil {
		return sum, err
	}
	read, err := Verify(p.FS, Backup, p.Store)
	if err != nil {
		return sum, err
	}
	if read.Digest != sum.Digest {
		return sum, at(damage("reads back as %v, written was %v", read.Digest, sum.Digest), Backup, 0)
	}
	if err := p.FS.SyncDir(wal.Dir); err != nil { // p2
		return sum, err
	}
	return sum, writeFlag(p.FS, Recover, Promotion{Store: p.Store[:], Seq: pic.Seq(), Digest: sum.Digest[:], Time: now}) // p3
}

// undo removes flag and then file, never the other order. A full disk, want of a
// descriptor or a cancelled context leaves the store as it was; after any other failure, or where
// this one fails too, nobody knows what is durable. Where no file could be made there
// is nothing to take back: a process without descriptors could not even do that.
func (p *Promoter) undo(cause error) error {
	if _, none := errors.AsType[*notBegun](cause); none && !errors.Is(cause, fault.ErrExists) {
		return cause
	}
	err := remove(p.FS, Recover)
	if err == nil {
		err = remove(p.FS, Backup)
	}
	if err != nil {
		return &Unsure{errors.Join(cause, err)}
	}
	if harmless(cause) {
		return cause
	}
	return &Unsure{cause}
}

func harmless(err error) bool {
	if _, ok := errors.AsType[*notBegun](err); ok {
		return true
	}
	return vfs.Exhausted(err) || errors.Is(err, fault.ErrNoSpace) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// enter takes p4: backup becomes the checkpoint of seq.
func enter(fsys vfs.FS, seq batch.Seq) error {
	if err := fsys.Rename(Backup, Name(seq)); err != nil {
		return err
	}
	return fsys.SyncDir(wal.Dir)
}

// outdated is what the store's Keep no longer asks for: the log below base, where that
// is not 0, and checkpoints.
type outdated struct {
	base        batch.Seq
	checkpoints []batch.Seq // oldest first
}

// outdated looks before p4 what goes in p5: once the checkpoint has its name nothing may
// fail any more for want of a descriptor.
func (p *Promoter) outdated(floor Floor) (old outdated, err error) {
	if old.base, err = Base(p.FS, p.Store, floor, p.Known); err != nil || old.base == 0 {
		return old, err
	}
	old.checkpoints, err = below(p.FS, old.base)
	return old, err
}

// drop takes p5: what is outdated goes.
func (p *Promoter) drop(ctx context.Context, old outdated) (n int, err error) {
	if old.base == 0 {
		return 0, nil
	}
	if err := p.Trim(ctx, old.base+1); err != nil {
		return 0, err
	}
	if n, err = removeAll(p.FS, old.checkpoints); err != nil || n == 0 {
		return n, err
	}
	return n, p.FS.SyncDir(wal.Dir)
}

// Renew writes the flag of a promotion again and syncs it, before opening goes on
// from p4: the flag was only read, and where the last writer was killed before its
// sync a power cut would still take it, in the middle of what it covers.
func Renew(fsys vfs.FS, p Promotion) error {
	line, err := flagLine(p)
	if err != nil {
		return err
	}
	f, err := fsys.Open(Recover, vfs.ReadWrite)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(line, 0)
	if err == nil {
		err = f.Truncate(int64(len(line)))
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Enter takes p4 at opening.
func Enter(fsys vfs.FS, seq batch.Seq) error { return enter(fsys, seq) }

// Undo removes what a promotion leaves, at its end (p6) or where it is taken
// back: the flag and then the file, never the other order, each made durable.
func Undo(fsys vfs.FS) error {
	if err := remove(fsys, Recover); err != nil {
		return err
	}
	return remove(fsys, Backup)
}

// RaiseCut takes c2 and c3: what is to be cut, then the flag that raises it.
// What an earlier opening left of both goes first.
func RaiseCut(fsys vfs.FS, t Tail) error {
	if err := DropCut(fsys); err != nil {
		return err
	}
	if err := writeFlag(fsys, Truncate, t); err != nil {
		return err
	}
	return writeFlag(fsys, TruncateFlag, raise{Store: t.Store})
}

// DropCut takes c5 and c6: the flag goes, then what it raised, each made durable.
func DropCut(fsys vfs.FS) error {
	if err := remove(fsys, TruncateFlag); err != nil {
		return err
	}
	return remove(fsys, Truncate)
}
