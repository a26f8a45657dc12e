package vfs

import "github.com/vlogdb/vlog/internal/fault"

// memFile is an open file of a Mem.
type memFile struct {
	d      *memDisk
	node   *node
	name   string
	mode   Mode
	closed bool // guarded by d.mu
}

var _ File = (*memFile)(nil)

// ReadAt reads len(p) bytes at off, or fewer and io.EOF.
func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	f.d.mu.RLock()
	defer f.d.mu.RUnlock()
	if err := f.check(off); err != nil {
		return 0, fail("read", f.name, err)
	}
	return f.node.file.now.readAt(p, off)
}

// check tells whether the file is open and the offset can be one.
func (f *memFile) check(off int64) error {
	if f.closed {
		return fault.ErrClosed
	}
	if off < 0 {
		return fault.ErrIO
	}
	return nil
}

// checkChange is check for what changes the file up to the given end.
func (f *memFile) checkChange(off, end int64) error {
	if err := f.check(off); err != nil {
		return err
	}
	if f.mode == ReadOnly {
		return fault.ErrReadOnly
	}
	if end < off || end > memMax {
		return fault.ErrNoSpace
	}
	return nil
}

// WriteAt writes all of p at off or returns an error.
func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	op := Op{Kind: OpWrite, Name: f.name, Offset: off, Len: int64(len(p))}
	err := f.d.run(op, func() error {
		if err := f.checkChange(off, off+int64(len(p))); err != nil {
			return err
		}
		if err := f.d.fits(f.node, off+int64(len(p))); err != nil {
			return err
		}
		f.node.file.write(p, off, f.d.stamp())
		return nil
	})
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// Truncate sets the size.
func (f *memFile) Truncate(size int64) error {
	return f.d.run(Op{Kind: OpTruncate, Name: f.name, Len: size}, func() error {
		if err := f.checkChange(size, size); err != nil {
			return err
		}
		f.node.file.truncate(size, f.d.stamp())
		return nil
	})
}

// Sync makes the content durable.
func (f *memFile) Sync() error {
	return f.d.run(Op{Kind: OpSync, Name: f.name}, func() error {
		if f.closed {
			return fault.ErrClosed
		}
		if f.d.track {
			f.node.file.sync()
		}
		if f.node.links == 0 {
			return nameless()
		}
		return nil
	})
}

// DropDirty does to the file what Mem.DropDirty does, whatever its name is by now.
func (f *memFile) DropDirty() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.track {
		f.node.file.drop()
	}
	return nil
}

// Stat returns size and link count.
func (f *memFile) Stat() (Stat, error) {
	f.d.mu.RLock()
	defer f.d.mu.RUnlock()
	if f.closed {
		return Stat{}, fail("stat", f.name, fault.ErrClosed)
	}
	return Stat{Size: f.node.file.now.size, Links: f.node.links}, nil
}

// Close closes the file.
func (f *memFile) Close() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.closed {
		return fail("close", f.name, fault.ErrClosed)
	}
	f.closed = true
	return nil
}
