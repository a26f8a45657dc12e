package wal

import (
	"errors"

	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

// sealRoom is the part of a ballast that only a seal gets, in bytes: it may begin a
// block of the file, and end in another. Small segments keep less, as of all else.
const sealRoom = 8 << 10

func (o *Options) sealRoom() int64 { return min(sealRoom, o.SegmentSize/8) }

// ballast is a file of zeros under the name of a spare, of a log whose files are not
// filled ahead. On a full disk it gives its room back: to those who delete, and to the
// seal. Who puts waits until it is whole again. It is never synced: a file system takes
// the room when the zeros are written.
type ballast struct {
	name string // empty: there is none
	size int64
}

// weigh makes the ballast whole. Where there is no room for that the group that wanted
// it is not written.
func (l *Local) weigh() error {
	if l.opts.ballast == 0 || l.ballast.size == l.opts.ballast {
		return nil
	}
	s, err := l.openBallast()
	if err != nil {
		return &NotWritten{err}
	}
	if _, err = s.f.WriteAt(make([]byte, l.opts.ballast-s.size), s.size); err == nil {
		l.ballast = ballast{s.name, l.opts.ballast}
	} else {
		err = errors.Join(err, s.f.Truncate(s.size))
	}
	if err = errors.Join(err, s.f.Close()); err == nil {
		return nil
	}
	if l.ballast.name == "" {
		err = errors.Join(err, l.fs.Remove(s.name))
	}
	return &NotWritten{err}
}

// openBallast opens what there is of the ballast, or a new file.
func (l *Local) openBallast() (s spare, err error) {
	if l.ballast.name != "" {
		s.name, s.size = l.ballast.name, l.ballast.size
		if s.f, err = l.fs.Open(s.name, vfs.ReadWrite); !errors.Is(err, fault.ErrNotFound) {
			return s, err
		}
	}
	l.ballast = ballast{}
	return l.newSpare()
}

// lighten gives back what of the ballast is above a size, and says whether that was any.
func (l *Local) lighten(to int64) bool {
	if l.ballast.size <= to {
		return false
	}
	err := l.shrink(to)
	if err != nil {
		l.opts.Logger.Warn("the room that is kept for a full disk could not be given back", "file", l.ballast.name, "cause", err)
	}
	return err == nil
}

func (l *Local) shrink(to int64) error {
	if to == 0 {
		err := l.fs.Remove(l.ballast.name)
		if err == nil {
			l.ballast = ballast{}
		}
		return err
	}
	f, err := l.fs.Open(l.ballast.name, vfs.ReadWrite)
	if err != nil {
		return err
	}
	if err = errors.Join(f.Truncate(to), f.Close()); err == nil {
		l.ballast.size = to
	}
	return err
}

// spaceless says whether a group found no space and nothing of it is in the log.
func spaceless(err error) bool {
	_, clean := errors.AsType[*NotWritten](err) // after a failed sync nothing is written any more
	return clean && errors.Is(err, fault.ErrNoSpace)
}
