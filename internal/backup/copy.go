package backup

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/recovery"
	"github.com/vlogdb/vlog/wal"
)

// copyStep is how much is copied at once, in bytes.
const copyStep = 1 << 20

// copier copies files of a store, each verified before it gets its name.
type copier struct {
	from, to vfs.FS
	store    wal.StoreID
	now      func() int64
	progress func(done, total int64)
	respells bool      // into codec; else files are copied as they are
	codec    wal.Codec // of the target
	done     int64
	total    int64
	segments int
	images   int
}

// unfit marks a failure that is about the source: a file that went, or changed, or
// does not check out. Everything else is about the directory that is written.
type unfit struct{ cause error }

func (u *unfit) Error() string { return u.cause.Error() }
func (u *unfit) Unwrap() error { return u.cause }

func ofSource(err error) error {
	if err == nil {
		return nil
	}
	return &unfit{err}
}

// alias shows one file of a file system under another name: a copy must be called
// what it will be, to check out.
type alias struct {
	vfs.FS
	name, real string
}

// Open opens the file that stands for the name.
func (a alias) Open(name string, mode vfs.Mode) (vfs.File, error) {
	if name == a.name {
		name = a.real
	}
	return a.FS.Open(name, mode)
}

// segment copies a segment, up to the batch that ends it. A file that was written
// again meanwhile can never pass for the one that was meant: header, last seq and
// chain value are those that were planned.
func (c *copier) segment(ctx context.Context, p piece) error {
	if err := c.bytes(ctx, p.name, p.size); err != nil {
		return c.undo(err)
	}
	fsys := alias{c.to, p.name, recovery.CopyName}
	seg, err := wal.Scan(ctx, wal.Place{FS: fsys, Name: p.name, Store: c.store}, nil)
	if err == nil {
		err = p.matches(seg)
	}
	if err != nil {
		return c.undo(unfitUnlessStopped(ctx, err))
	}
	if p.cut {
		_, err = wal.Mend(fsys, seg, 0, c.now())
	}
	return c.enter(p.name, err)
}

// matches says what a copy has that was not planned.
func (p *piece) matches(seg *wal.Segment) error {
	why := ""
	switch {
	case seg.Header != p.head:
		why = "another segment than before"
	case seg.Bad != nil:
		why = seg.Bad.Why
	case seg.Last != p.last:
		why = fmt.Sprintf("ends at %v, not at %v", seg.Last, p.last)
	case seg.Sealed == p.cut:
		why = "its seal came or went"
	case seg.ChainEnd != p.chain:
		why = "its chain value is not that of the seal"
	}
	if why == "" {
		return nil
	}
	return &fault.Error{Op: "copy", At: fault.Place{Path: p.name, Offset: seg.End, Seq: uint64(seg.Last + 1)}, Err: fault.ErrCorrupt, Detail: why}
}

// image copies a checkpoint.
func (c *copier) image(ctx context.Context, i image) error {
	if err := c.bytes(ctx, i.name, i.Size); err != nil {
		return c.undo(err)
	}
	sum, err := checkpoint.Verify(alias{c.to, i.name, recovery.CopyName}, i.name, c.store)
	if err == nil && sum != i.Summary {
		err = &fault.Error{Op: "copy", At: fault.Place{Path: i.name}, Err: fault.ErrCorrupt, Detail: "another checkpoint than before"}
	}
	if err != nil {
		return c.undo(unfitUnlessStopped(ctx, err))
	}
	return c.enter(i.name, nil)
}

// unfitUnlessStopped blames the source for a copy that does not check out, and nobody
// for a context that has ended or a disk that cannot be read.
func unfitUnlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, fault.ErrIO) {
		return err
	}
	return ofSource(err)
}

// bytes copies the beginning of a file to where copies are made, and syncs it.
func (c *copier) bytes(ctx context.Context, name string, size int64) error {
	src, err := c.from.Open(name, vfs.ReadOnly)
	if err != nil {
		return ofSource(err)
	}
	dst, err := c.to.Open(recovery.CopyName, vfs.Create)
	if err != nil {
		return errors.Join(err, src.Close())
	}
	err = dst.Truncate(0)
	buf := make([]byte, min(copyStep, size))
	for off := int64(0); err == nil && off < size; off += int64(len(buf)) {
		err = c.step(ctx, stretch{src, dst, name, off}, buf[:min(int64(len(buf)), size-off)])
	}
	if err == nil {
		err = dst.Sync()
	}
	return errors.Join(err, dst.Close(), src.Close())
}

// stretch is a place in two files.
type stretch struct {
	src, dst vfs.File
	name     string
	off      int64
}

func (c *copier) step(ctx context.Context, s stretch, buf []byte) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	n, err := s.src.ReadAt(buf, s.off)
	if n < len(buf) {
		if err == nil || errors.Is(err, io.EOF) {
			err = &fault.Error{Op: "copy", At: fault.Place{Path: s.name, Offset: s.off + int64(n)}, Err: fault.ErrCorrupt, Detail: "the file became shorter while it was read"}
		}
		return ofSource(err)
	}
	_, err = s.dst.WriteAt(buf, s.off)
	if err == nil {
		c.tell(int64(len(buf)))
	}
	return err
}

// tell tells how far it has come.
func (c *copier) tell(n int64) {
	if c.done += n; c.progress != nil {
		c.progress(c.done, c.total)
	}
}

// enter gives a copy that is whole and durable its name.
func (c *copier) enter(name string, err error) error {
	if err == nil {
		err = c.to.Rename(recovery.CopyName, name)
	}
	if err != nil {
		return c.undo(err)
	}
	return c.to.SyncDir(wal.Dir)
}

// undo removes a copy that did not become anything. Where that fails too, whoever
// comes next does it.
func (c *copier) undo(cause error) error {
	if err := c.to.Remove(recovery.CopyName); err != nil && !errors.Is(err, fault.ErrNotFound) {
		return errors.Join(cause, err)
	}
	return cause
}

// all copies segments, then checkpoints, each ascending, so that what a checkpoint
// stands on is there before it.
func (c *copier) all(ctx context.Context, pieces []piece, images []image) error {
	segment, picture := c.segment, c.image
	if c.respells {
		segment, picture = c.respell, c.redraw
	}
	for _, p := range pieces {
		if err := segment(ctx, p); err != nil {
			return err
		}
		c.segments++
	}
	for _, i := range images {
		if err := picture(ctx, i); err != nil {
			return err
		}
		c.images++
	}
	return nil
}

// bytesOf counts what will be copied.
func bytesOf(pieces []piece, images []image) (n int64) {
	for _, p := range pieces {
		n += p.size
	}
	for _, i := range images {
		n += i.Size
	}
	return n
}

// removeAll removes files, in order, and makes that durable.
func removeAll(fsys vfs.FS, names []string) error {
	for _, name := range names {
		if err := fsys.Remove(name); err != nil && !errors.Is(err, fault.ErrNotFound) {
			return err
		}
	}
	if len(names) == 0 {
		return nil
	}
	return fsys.SyncDir(wal.Dir)
}
