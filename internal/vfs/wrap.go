package vfs

import "sync/atomic"

// around is what a wrapper does about an operation: do carries it out. A write
// writes only the first op.Len bytes; all else is as the caller asked for.
type around func(op Op, do func(op Op) error) error

// wrap is an FS that tells a function about every operation of another one,
// those on open files and locks included. Fail, Log and Slow are made of it.
type wrap struct {
	fs     FS
	around around
	n      atomic.Int64
}

var _ FS = (*wrap)(nil)

// run numbers the operation and hands it to around.
func (w *wrap) run(op Op, do func(op Op) error) error {
	op.N = int(w.n.Add(1))
	return w.around(op, do)
}

// Open opens a file; it is OpCreate where mode may create one.
func (w *wrap) Open(name string, mode Mode) (File, error) {
	op := Op{Kind: OpOpen, Name: name}
	if mode == Create || mode == CreateNew {
		op.Kind = OpCreate
	}
	var f File
	err := w.run(op, func(Op) (err error) {
		f, err = w.fs.Open(name, mode)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &wrapFile{w: w, f: f, name: name}, nil
}

// Replace puts data under name, step by step through the wrapper.
func (w *wrap) Replace(name string, data []byte) error { return replaceSteps(w, name, data) }

// Rename moves a file.
func (w *wrap) Rename(oldname, newname string) error {
	op := Op{Kind: OpRename, Name: oldname, NewName: newname}
	return w.run(op, func(Op) error { return w.fs.Rename(oldname, newname) })
}

// Remove removes a file or an empty directory.
func (w *wrap) Remove(name string) error {
	return w.run(Op{Kind: OpRemove, Name: name}, func(Op) error { return w.fs.Remove(name) })
}

// Mkdir makes one directory.
func (w *wrap) Mkdir(name string) error {
	return w.run(Op{Kind: OpMkdir, Name: name}, func(Op) error { return w.fs.Mkdir(name) })
}

// ReadDir lists a directory.
func (w *wrap) ReadDir(name string) ([]DirEntry, error) {
	var list []DirEntry
	err := w.run(Op{Kind: OpReadDir, Name: name}, func(Op) (err error) {
		list, err = w.fs.ReadDir(name)
		return err
	})
	return list, err
}

// SyncDir makes the entries of a directory durable.
func (w *wrap) SyncDir(name string) error {
	return w.run(Op{Kind: OpSyncDir, Name: name}, func(Op) error { return w.fs.SyncDir(name) })
}

// Lock takes the exclusive lock on a file.
func (w *wrap) Lock(name string) (Lock, error) {
	var l Lock
	err := w.run(Op{Kind: OpLock, Name: name}, func(Op) (err error) {
		l, err = w.fs.Lock(name)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &wrapLock{w: w, l: l, name: name}, nil
}

// Held reports whether somebody has the lock.
func (w *wrap) Held(name string) (bool, error) {
	var held bool
	err := w.run(Op{Kind: OpHeld, Name: name}, func(Op) (err error) {
		held, err = w.fs.Held(name)
		return err
	})
	return held, err
}

// Hints tells of changes in a directory. Like Close it passes unseen: it is no
// operation on the disk.
func (w *wrap) Hints(dir string) (Hints, error) { return w.fs.Hints(dir) }

// Present says whether the directory is still at its path. It passes unseen.
func (w *wrap) Present() error { return w.fs.Present() }

// Boot names the running system's boot.
func (w *wrap) Boot() string { return w.fs.Boot() }

// Path returns the root as the user knows it.
func (w *wrap) Path() string { return w.fs.Path() }

// Close releases the root. It is no operation on the disk and passes unseen.
func (w *wrap) Close() error { return w.fs.Close() }

// wrapFile is an open file of a wrap.
type wrapFile struct {
	w    *wrap
	f    File
	name string
}

var _ File = (*wrapFile)(nil)

// ReadAt reads len(p) bytes at off, or fewer and io.EOF.
func (f *wrapFile) ReadAt(p []byte, off int64) (n int, err error) {
	op := Op{Kind: OpRead, Name: f.name, Offset: off, Len: int64(len(p))}
	err = f.w.run(op, func(Op) (err error) {
		n, err = f.f.ReadAt(p, off)
		return err
	})
	return n, err
}

// WriteAt writes all of p at off or returns an error.
func (f *wrapFile) WriteAt(p []byte, off int64) (n int, err error) {
	op := Op{Kind: OpWrite, Name: f.name, Offset: off, Len: int64(len(p))}
	err = f.w.run(op, func(op Op) (err error) {
		n, err = f.f.WriteAt(p[:op.Len], off)
		return err
	})
	return n, err
}

// Truncate sets the size.
func (f *wrapFile) Truncate(size int64) error {
	return f.w.run(Op{Kind: OpTruncate, Name: f.name, Len: size}, func(Op) error { return f.f.Truncate(size) })
}

// Sync makes the content durable.
func (f *wrapFile) Sync() error {
	return f.w.run(Op{Kind: OpSync, Name: f.name, file: f.f}, func(Op) error { return f.f.Sync() })
}

// DropDirty passes on to a file that can do so.
func (f *wrapFile) DropDirty() error { return dropDirty(f.f) }

// Stat returns size and link count.
func (f *wrapFile) Stat() (s Stat, err error) {
	err = f.w.run(Op{Kind: OpStat, Name: f.name}, func(Op) (err error) {
		s, err = f.f.Stat()
		return err
	})
	return s, err
}

// Close closes the file.
func (f *wrapFile) Close() error {
	return f.w.run(Op{Kind: OpClose, Name: f.name}, func(Op) error { return f.f.Close() })
}

// wrapLock is a held lock of a wrap.
type wrapLock struct {
	w    *wrap
	l    Lock
	name string
}

var _ Lock = (*wrapLock)(nil)

// SetContent replaces what the lock file says, as one operation.
func (l *wrapLock) SetContent(data []byte, durable bool) error {
	op := Op{Kind: OpSetLock, Name: l.name, Len: int64(len(data))}
	return l.w.run(op, func(Op) error { return l.l.SetContent(data, durable) })
}

// Close lets the lock go.
func (l *wrapLock) Close() error {
	return l.w.run(Op{Kind: OpUnlock, Name: l.name}, func(Op) error { return l.l.Close() })
}
