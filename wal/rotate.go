package wal

import (
	"context"
	"errors"

	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

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
	if frees && spaceless(err) && l.active != nil && (!l.spell.ahead() || a.off+size+l.spell.sealSize() <= a.size) {
		return nil // no room for another file, but perhaps in this one
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
	head := l.spell.header(&h)
	a := &active{f: spare.f, spare: spare.name, name: l.opts.Codec.SegmentName(h.First), head: h, salt: h.salt(), off: int64(len(head)), size: spare.size}
	if _, err = a.f.WriteAt(head, 0); err == nil {
		err = l.syncHeader(a)
	}
	if errors.Is(err, fault.ErrAmbiguous) {
		return nil, errors.Join(err, a.f.Close())
	}
	if err != nil {
		return nil, &NotWritten{errors.Join(err, a.f.Close(), l.fs.Remove(a.spare))}
	}
	a.size = max(a.size, a.off)
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
	l.open = Kept{First: a.head.First, Last: a.head.First - 1, Epoch: a.head.Epoch, Size: a.off}
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
	g := &group{after: l.after, chain: l.chain, synced: l.after}
	seal := l.spell.appendSeal(nil, g, a.count, sealPlace{a.salt, a.off, l.opts.Now()})
	end, err := sealFile(a.f, seal, a.off)
	if errors.Is(err, fault.ErrNoSpace) && !errors.Is(err, errSealSync) && l.lighten(0) {
		end, err = sealFile(a.f, seal, a.off)
	}
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

// sealFile writes the seal of a segment at off and syncs it; the file ends behind it.
func sealFile(f vfs.File, seal []byte, off int64) (end int64, err error) {
	if _, err := f.WriteAt(seal, off); err != nil {
		return 0, err
	}
	end = off + int64(len(seal))
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
