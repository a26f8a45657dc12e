package wal

import (
	"context"
	"errors"

	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

// fillStep is how much of a spare is written and synced between two pauses: little
// enough that a commit's sync beside it hardly waits.
const fillStep = 256 << 10

// spare is an open file on its way to become a segment.
type spare struct {
	f    vfs.File
	name string
	size int64
}

// pickSpare opens a file made ahead, or a new empty one where there is none, or
// somebody took it away.
func (l *Local) pickSpare() (s spare, err error) {
	if s.name = l.takeSpare(); s.name == "" {
		return l.newSpare()
	}
	s.f, err = l.fs.Open(s.name, vfs.ReadWrite)
	if errors.Is(err, fault.ErrNotFound) {
		return l.newSpare()
	}
	if err != nil {
		l.keepSpare(s.name)
		return s, err
	}
	st, err := s.f.Stat()
	if err != nil {
		l.keepSpare(s.name)
		return s, errors.Join(err, s.f.Close())
	}
	s.size = st.Size
	return s, nil
}

// takeSpare returns the name of a file made ahead, which leaves the list; empty
// where there is none.
func (l *Local) takeSpare() (name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.spares); n > 0 {
		name, l.spares = l.spares[n-1], l.spares[:n-1]
	}
	return name
}

// keepSpare puts a name back on the list: too many open files, or a segment that could
// not be ended after all, do not spoil the file.
func (l *Local) keepSpare(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spares = append(l.spares, name)
}

// spareTries bounds how many names are tried for a new file: whatever stands under
// such a name and is not ours is left alone.
const spareTries = 100

func (l *Local) newSpare() (s spare, err error) {
	for range spareTries {
		s.name = l.nextSpare()
		if s.f, err = l.fs.Open(s.name, vfs.CreateNew); !errors.Is(err, fault.ErrExists) {
			return s, err
		}
	}
	return s, err
}

func (l *Local) nextSpare() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spareN++
	return SpareName(l.spareN)
}

// WantsSpare reports whether Prepare has something to do.
func (l *Local) WantsSpare() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.closed && l.failed == nil && len(l.spares) < l.opts.Spares
}

// Prepare makes one file ahead of its use: written with zeros and synced, so that
// later syncs change no metadata. It may run beside everything else; it stops with
// the context and then leaves nothing. pause, which may be nil, is called between
// steps, so that the caller sets the pace.
func (l *Local) Prepare(ctx context.Context, pause func(context.Context)) error {
	if err := l.hold(ctx, l.making); err != nil {
		return err
	}
	defer func() { <-l.making }()
	if !l.WantsSpare() {
		return nil
	}
	name := l.nextSpare()
	f, err := l.fs.Open(name, vfs.CreateNew)
	if err != nil {
		return err
	}
	err = fillZeros(ctx, f, l.opts.SegmentSize, pause)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, l.fs.Remove(name))
	}
	if err := l.fs.SyncDir(Dir); err != nil {
		l.fail(err)
		return err
	}
	if !l.addSpare(name) { // trimming has given one meanwhile
		return l.fs.Remove(name)
	}
	return nil
}

// hold waits for the right to do one kind of upkeep; the caller gives it back.
func (l *Local) hold(ctx context.Context, right chan struct{}) error {
	select {
	case right <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	err := l.ended()
	if err != nil {
		<-right
	}
	return err
}

func fillZeros(ctx context.Context, f vfs.File, size int64, pause func(context.Context)) error {
	for off := int64(0); off < size; off += fillStep {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := writeZeros(f, off, min(off+fillStep, size)); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
		if pause != nil {
			pause(ctx)
		}
	}
	return nil
}

// addSpare takes a file in, if one is still wanted.
func (l *Local) addSpare(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.spares) >= l.opts.Spares {
		return false
	}
	l.spares = append(l.spares, name)
	return true
}

// Trim implements Log: segments whose last seq is below before go, oldest first;
// some are kept as spares. The directory is synced last, and only then may a spare
// be written: a power cut must not bring its old name back with a new segment in it.
func (l *Local) Trim(ctx context.Context, before Seq) error {
	if err := l.hold(ctx, l.upkeep); err != nil {
		return err
	}
	defer func() { <-l.upkeep }()
	gone := l.cut(before)
	if len(gone) == 0 {
		return nil
	}
	spares, err := l.retire(gone)
	if err == nil {
		err = l.fs.SyncDir(Dir)
	}
	for _, name := range spares {
		if err != nil || !l.addSpare(name) { // or one was prepared meanwhile
			err = errors.Join(err, l.fs.Remove(name))
		}
	}
	return err
}

// cut takes the segments that go off the list, so that no new reader finds them.
func (l *Local) cut(before Seq) []Kept {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for n < len(l.kept) && l.kept[n].Last < before {
		n++
	}
	gone := l.kept[:n:n]
	l.kept = l.kept[n:]
	return gone
}

// retire removes segments or gives their files the names of spares, which it returns.
func (l *Local) retire(gone []Kept) (spares []string, err error) {
	for _, k := range gone {
		spare, err := l.retireOne(k, len(spares))
		if err != nil {
			return spares, err
		}
		if spare != "" {
			spares = append(spares, spare)
		}
	}
	return spares, nil
}

// retireOne removes one segment, or keeps its file beside more that were kept
// already and returns its name.
func (l *Local) retireOne(k Kept, more int) (spare string, err error) {
	name := l.opts.Codec.SegmentName(k.First)
	if !l.reusable(k, more) {
		return "", l.fs.Remove(name)
	}
	n, err := l.links(name)
	if vfs.Exhausted(err) { // it need not be asked
		return "", l.fs.Remove(name)
	}
	if err != nil || n != 1 {
		return "", errors.Join(err, l.fs.Remove(name))
	}
	spare = l.nextSpare()
	if err := l.fs.Rename(name, spare); err != nil {
		return "", err
	}
	return spare, nil
}

// reusable says whether a file may be written again: of full size, wanted, and
// read by nobody in this process (readers elsewhere notice the other epoch). more
// were kept by the same Trim.
func (l *Local) reusable(k Kept, more int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	full := k.Size <= l.opts.SegmentSize && k.Size > l.opts.SegmentSize*3/4
	return full && len(l.spares)+more < l.opts.Spares && l.readers[k.Epoch] == 0
}

// links counts the names of a file: with a second one it belongs to somebody
// else too, a backup perhaps, and must not be written.
func (l *Local) links(name string) (int, error) {
	f, err := l.fs.Open(name, vfs.ReadOnly)
	if err != nil {
		return 0, err
	}
	st, err := f.Stat()
	return st.Links, errors.Join(err, f.Close())
}

// compacted is the error of a reader that comes too late.
func compacted(from, first Seq) error {
	return &fault.Error{Op: "read log", At: fault.Place{Seq: uint64(from)}, Err: fault.ErrCompacted, Detail: "the log begins at " + first.String()}
}
