package backup

import (
	"context"
	"errors"

	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/recovery"
	"github.com/vlogdb/vlog/wal"
)

// respell writes a segment in the codec of the target: the same batches, times and
// chain values, so the same history.
func (c *copier) respell(ctx context.Context, p piece) error {
	name := c.codec.SegmentName(p.head.First)
	if err := c.build(ctx, p); err != nil {
		return c.undo(err)
	}
	seg, err := wal.Scan(ctx, wal.Place{FS: alias{c.to, name, recovery.CopyName}, Name: name, Store: c.store}, nil)
	if err == nil {
		whole := p
		whole.cut = false // it has a seal of its own
		err = whole.matches(seg)
	}
	if err != nil {
		return c.undo(unfitUnlessStopped(ctx, err))
	}
	c.tell(p.size)
	return c.enter(name, nil)
}

// build writes the segment to where copies are made.
func (c *copier) build(ctx context.Context, p piece) (err error) {
	f, err := c.to.Open(recovery.CopyName, vfs.Create)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Truncate(0); err != nil {
		return err
	}
	b, err := wal.NewBuilder(f, c.codec, p.head)
	if err != nil {
		return err
	}
	var failed error // of the target
	_, err = wal.ScanTo(ctx, wal.Place{FS: c.from, Name: p.name, Store: c.store}, p.last, func(e wal.Entry, _ int64) error {
		failed = b.Add(e)
		return failed
	})
	if err != nil {
		return blame(err, failed)
	}
	_, err = b.Finish(c.now())
	return err
}

// blame tells a failure of the target from one of the source.
func blame(err, failed error) error {
	if failed != nil && !errors.Is(failed, fault.ErrCorrupt) {
		return failed
	}
	return ofSource(err)
}

// redraw writes a checkpoint in the codec of the target.
func (c *copier) redraw(_ context.Context, i image) error {
	pic, sum, err := checkpoint.Load(c.from, i.name, c.store)
	if err == nil && sum != i.Summary {
		err = &fault.Error{Op: "copy", At: fault.Place{Path: i.name}, Err: fault.ErrCorrupt, Detail: "another checkpoint than before"}
	}
	if err != nil {
		return ofSource(err)
	}
	if err := c.undo(nil); err != nil { // what another attempt left
		return err
	}
	written, err := checkpoint.Write(c.to, recovery.CopyName, checkpoint.Image{Store: c.store, Picture: pic, Codec: c.codec}, nil)
	if err != nil {
		return c.undo(err)
	}
	read, err := checkpoint.Verify(alias{c.to, i.name, recovery.CopyName}, i.name, c.store)
	if err == nil && read != written {
		err = &fault.Error{Op: "copy", At: fault.Place{Path: i.name}, Err: fault.ErrIO, Detail: "it does not read back as it was written"}
	}
	c.tell(i.Size)
	return c.enter(i.name, err)
}
