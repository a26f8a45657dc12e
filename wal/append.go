package wal

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

// keepBuffer bounds what is kept between appends for building groups, in bytes.
const keepBuffer = 8 << 20

// Append implements Log. The group is one write at a sector boundary.
func (l *Local) Append(ctx context.Context, after Seq, records []Record) (Seq, error) {
	if err := l.take(ctx); err != nil {
		return 0, err
	}
	defer l.give()
	if after != l.after {
		return 0, &fault.Error{Op: "append", At: fault.Place{Seq: uint64(l.after)}, Err: fault.ErrConflict, Detail: fmt.Sprintf("the log ends at %v, not at %v", l.after, after)}
	}
	if len(records) == 0 {
		return after, nil
	}
	for i := range records {
		if n := len(records[i].Payload); n > l.opts.MaxRecord {
			return 0, batch.TooLarge("record", n, l.opts.MaxRecord)
		}
	}
	return l.append(records)
}

func (l *Local) append(records []Record) (Seq, error) {
	frees := !slices.ContainsFunc(records, func(r Record) bool { return !r.Frees })
	if err := l.room(groupSize(records), frees); err != nil {
		return 0, err
	}
	a := l.active
	g := group{after: l.after, chain: l.chain, synced: l.lastDurable(), records: records}
	buf, chain := appendGroup(l.buf[:0], &g, a.salt, a.off)
	if cap(buf) <= keepBuffer {
		l.buf = buf
	}
	if err := l.write(buf, frees); err != nil {
		return 0, err
	}
	a.count += uint64(len(records))
	a.dirty = true
	l.after += Seq(len(records))
	l.chain = chain
	l.grew()
	return l.after, nil
}

// write puts a group at the end of the active segment.
func (l *Local) write(buf []byte, frees bool) error {
	a := l.active
	end := a.off + int64(len(buf))
	if err := l.extend(end, frees); err != nil {
		return err
	}
	if _, err := a.f.WriteAt(buf, a.off); err != nil {
		return l.unwrite(err)
	}
	a.off, a.size = end, max(a.size, end)
	return nil
}

// spared returns how many bytes must stay free behind a group: room for the seal,
// so that a log on a full disk can still be closed, and what is kept for those
// who delete, so that a full disk can be made less full.
func (l *Local) spared(frees bool) int64 {
	if frees {
		return sealSize
	}
	return sealSize + l.opts.Reserve
}

// extend makes the active file long enough for a group that ends at end: zeros
// are written ahead of it, so that most syncs change no metadata and a full disk
// is found before anything of the group is written. A small file gets few of them,
// and so does any where there is no room for more.
func (l *Local) extend(end int64, frees bool) error {
	need := end + l.spared(frees)
	if l.opts.Grow == 0 || need <= l.active.size {
		return nil
	}
	ahead := min(l.opts.Grow, l.active.size)
	want := max(need, min(end+ahead, l.opts.SegmentSize))
	err := l.zeros(want)
	if _, clean := errors.AsType[*NotWritten](err); clean && want > need {
		return l.zeros(need)
	}
	return err
}

// zeros makes the active file a number of bytes long. Where that fails it is as
// long as before.
func (l *Local) zeros(size int64) error {
	a := l.active
	_, err := a.f.WriteAt(make([]byte, size-a.size), a.size)
	if err == nil {
		a.size = size
		return nil
	}
	if e := a.f.Truncate(a.size); e != nil {
		return l.stop(a, errors.Join(err, e))
	}
	return &NotWritten{named(err, a.name)}
}

func (l *Local) lastDurable() Seq {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.durable
}

// grew tells Stats how long the active segment is now.
func (l *Local) grew() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open.Last, l.open.Size = l.after, l.active.off
}

// unwrite takes back a group whose write failed: no frame of it may stay
// readable, since its writers are told that nothing was written. Where the
// segment cannot be shortened durably the log ends.
func (l *Local) unwrite(cause error) error {
	a := l.active
	err := a.f.Truncate(a.off)
	if err == nil {
		a.size = a.off
		err = a.f.Sync()
	}
	if err != nil {
		return l.stop(a, errors.Join(cause, err))
	}
	return &NotWritten{named(cause, a.name)}
}

// named says which segment a failure was about: the file was opened under the
// name of a spare.
func named(err error, name string) error {
	if e, ok := errors.AsType[*fault.Error](err); ok {
		e.At.Path = name
	}
	return err
}

// NotWritten marks a failure after which nothing of the group is in the log, and
// the log goes on.
type NotWritten struct{ Cause error }

// Error implements error.
func (n *NotWritten) Error() string { return n.Cause.Error() }

// Unwrap returns the cause.
func (n *NotWritten) Unwrap() error { return n.Cause }

// stop ends the log where a failure leaves open what a segment holds.
func (l *Local) stop(a *active, cause error) error {
	l.fail(cause)
	return &fault.Error{Op: "append", At: fault.Place{Path: a.name, Offset: a.off}, Err: fault.ErrAmbiguous, Cause: cause}
}

// room makes sure that there is an active segment with room for a group of a size.
// Only a group that begins a segment may exceed its size.
func (l *Local) room(size int64, frees bool) error {
	if l.active == nil {
		return l.begin()
	}
	a := l.active
	if a.count == 0 || a.off+size+l.spared(frees) <= l.opts.SegmentSize {
		return nil
	}
	err := l.next()
	_, clean := errors.AsType[*NotWritten](err) // after a failed sync nothing is written any more
	if frees && clean && errors.Is(err, fault.ErrNoSpace) && l.active != nil && a.off+size+sealSize <= a.size {
		return nil // no room for another file, but in this one
	}
	return err
}

// next ends the active segment and begins another. The new file is made first:
// where there is no room for it, the active segment stays as it is.
func (l *Local) next() error {
	if err := l.inPlace(); err != nil {
		return err
	}
	a, err := l.ready()
	if err != nil {
		return err
	}
	if err := l.finish(); err != nil {
		l.keepSpare(a.spare)
		return errors.Join(err, a.f.Close())
	}
	return l.enter(a)
}

// inPlace looks whether the active segment still stands under its name: where log/
// was moved away and another put there, the next segment would go into that one.
func (l *Local) inPlace() error {
	a := l.active
	h, err := ReadHeader(l.fs, a.name, l.opts.Store)
	if err == nil && h == a.head {
		return nil
	}
	if errors.Is(err, fault.ErrIO) {
		return &NotWritten{err} // it could not be looked at
	}
	return l.stop(a, &fault.Error{Op: "append", At: fault.Place{Path: a.name}, Err: fault.ErrNotFound, Detail: "the segment being written is no longer under its name", Cause: err})
}

// begin makes a segment where none is active.
func (l *Local) begin() error {
	a, err := l.ready()
	if err != nil {
		return err
	}
	return l.enter(a)
}

func groupSize(records []Record) int64 {
	n := int64(chainSize)
	for i := range records {
		n += frameHead + alignUp(int64(len(records[i].Payload)), frameAlign)
	}
	return alignUp(n, sector)
}

// Sync implements Log. A failed sync ends the log: the system may have marked the
// pages clean, so that another sync would report success for lost bytes.
func (l *Local) Sync(ctx context.Context) error {
	if err := l.take(ctx); err != nil {
		return err
	}
	defer l.give()
	return l.sync()
}

func (l *Local) sync() error {
	if a := l.active; a != nil && a.dirty {
		if err := syncNamed(a.f); err != nil {
			l.fail(err)
			return &fault.Error{Op: "sync", At: fault.Place{Path: a.name, Seq: uint64(l.after)}, Err: fault.ErrAmbiguous, Cause: err}
		}
		a.dirty = false
	}
	return l.publish()
}

// syncNamed syncs a file that still has a name: one that was removed while it is
// open takes writes and syncs, and is gone with the process.
func syncNamed(f vfs.File) error {
	if err := f.Sync(); err != nil {
		return err
	}
	st, err := f.Stat()
	if err == nil && st.Links == 0 {
		err = &fault.Error{Op: "sync", Err: fault.ErrNotFound, Detail: "the file was removed while it was open"}
	}
	return err
}

// publish lets readers and other processes see what is durable: first
// log/durable, then the readers of this process, so that nobody is told about a
// batch that a follower elsewhere may not see.
func (l *Local) publish() error {
	if l.lastDurable() == l.after {
		return nil
	}
	if err := l.remark(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.durable, l.dchain = l.after, l.chain
	l.wakeLocked()
	return nil
}

// remark overwrites log/durable. Where that fails the file goes: without it
// followers see less, but what it says must never be wrong.
func (l *Local) remark() error {
	if l.mark == nil {
		return nil
	}
	err := l.writeMark()
	if err == nil {
		return nil
	}
	l.opts.Logger.Warn("log/durable could not be written and is removed", "cause", err)
	err = errors.Join(err, l.mark.Close())
	l.mark = nil
	if e := l.fs.Remove(DurableName); e != nil {
		err = errors.Join(err, e)
		l.fail(err)
		return &fault.Error{Op: "sync", At: fault.Place{Path: DurableName, Seq: uint64(l.after)}, Err: fault.ErrAmbiguous, Cause: err}
	}
	return nil
}

func (l *Local) writeMark() error {
	d := Durable{Store: l.opts.Store, Boot: l.boot, Seq: l.after}
	if l.active != nil {
		d.Segment = l.active.head.First
	}
	_, err := l.mark.WriteAt(d.encode(), 0)
	return err
}

// ready makes the file of the next segment: header and room for a seal, durable,
// under the name of a spare, so that a segment's name never stands for a torn header.
func (l *Local) ready() (*active, error) {
	spare, err := l.pickSpare()
	if errors.Is(err, fault.ErrNotFound) { // nothing can be made where log/ has gone
		return nil, l.stop(&active{name: Dir}, err)
	}
	if err != nil {
		return nil, &NotWritten{err}
	}
	h := Header{Store: l.opts.Store, Epoch: l.opts.Rand(), First: l.after + 1, Chain: l.chain, Created: l.opts.Now()}
	a := &active{f: spare.f, spare: spare.name, name: SegmentName(h.First), head: h, salt: h.salt(), off: HeaderSize, size: spare.size}
	if _, err = a.f.WriteAt(h.encode(), 0); err == nil {
		err = l.syncHeader(a)
	}
	if errors.Is(err, fault.ErrAmbiguous) {
		return nil, errors.Join(err, a.f.Close())
	}
	if err != nil {
		return nil, &NotWritten{errors.Join(err, a.f.Close(), l.fs.Remove(a.spare))}
	}
	a.size = max(a.size, HeaderSize)
	return a, nil
}

// enter gives a file that is ready its name and makes it the active segment.
func (l *Local) enter(a *active) error {
	if err := l.fs.Rename(a.spare, a.name); err != nil {
		return &NotWritten{errors.Join(err, a.f.Close(), l.fs.Remove(a.spare))}
	}
	if err := l.fs.SyncDir(Dir); err != nil {
		return errors.Join(l.stop(a, err), a.f.Close())
	}
	l.active = a
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = Kept{First: a.head.First, Last: a.head.First - 1, Epoch: a.head.Epoch, Size: HeaderSize}
	return nil
}

// syncHeader syncs the header of a file that has no name of ours yet. A full disk
// spoils that file alone; any other failed sync ends the log, as everywhere.
func (l *Local) syncHeader(a *active) error {
	err := a.f.Sync()
	if err == nil || errors.Is(err, fault.ErrNoSpace) {
		return err
	}
	return l.stop(a, err)
}

// finish ends the active segment: everything in it durable, then the seal, then
// the seal durable. A seal proves what stands before it, so it never comes first.
func (l *Local) finish() error {
	if err := l.sync(); err != nil || l.active == nil {
		return err
	}
	if l.active.count == 0 {
		return l.abandon()
	}
	a := l.active
	end, err := sealFile(a.f, &group{after: l.after, chain: l.chain, synced: l.after}, a.count, sealPlace{a.salt, a.off, l.opts.Now()})
	if err != nil {
		return l.unseal(err)
	}
	l.active = nil
	if err := a.f.Close(); err != nil {
		return l.stop(a, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept = append(l.kept, Kept{First: a.head.First, Last: l.after, Epoch: a.head.Epoch, Size: end})
	l.open = Kept{}
	return nil
}

// Rotate seals the active segment, so that it can be trimmed as a whole.
func (l *Local) Rotate(ctx context.Context) error {
	if err := l.take(ctx); err != nil {
		return err
	}
	defer l.give()
	return l.finish()
}

// errSealSync marks a seal that was written but could not be synced.
var errSealSync = errors.New("seal not synced")

// sealFile writes the seal of a segment and syncs it; the file ends behind it.
func sealFile(f vfs.File, g *group, count uint64, place sealPlace) (end int64, err error) {
	buf := appendSeal(nil, g, count, place)
	if _, err := f.WriteAt(buf, place.off); err != nil {
		return 0, err
	}
	end = place.off + int64(len(buf))
	if err := f.Truncate(end); err != nil {
		return 0, err
	}
	if err := f.Sync(); err != nil {
		return 0, errors.Join(errSealSync, err)
	}
	return end, nil
}

// unseal takes back a seal that could not be written.
func (l *Local) unseal(cause error) error {
	if errors.Is(cause, errSealSync) {
		return l.stop(l.active, cause)
	}
	return l.unwrite(cause)
}

// abandon removes an active segment without a frame.
func (l *Local) abandon() error {
	a := l.active
	l.active = nil
	l.mu.Lock()
	l.open = Kept{}
	l.mu.Unlock()
	if err := errors.Join(a.f.Close(), l.fs.Remove(a.name)); err != nil {
		return err
	}
	return l.fs.SyncDir(Dir)
}
