package vfs

import (
	"github.com/vlogdb/vlog/internal/fault"
)

// Open opens a file.
func (m *Mem) Open(name string, mode Mode) (File, error) {
	d := m.d
	d.mu.Lock()
	n, made, err := m.openLocked(name, mode)
	report := func() {}
	if made {
		report = d.countLocked(Op{Kind: OpCreate, Name: name})
	}
	d.mu.Unlock()
	if err != nil {
		return nil, fail("open", name, err)
	}
	report()
	return &memFile{d: d, node: n, name: name, mode: mode}, nil
}

func (m *Mem) openLocked(name string, mode Mode) (n *node, made bool, err error) {
	if mode == ReadOnly || mode == ReadWrite || name == "." {
		n, err = m.find(name)
		if err == nil && n.dir {
			err = fault.ErrNotRegular
		}
		return n, false, err
	}
	s, err := m.findSlot(name)
	if err != nil {
		return nil, false, err
	}
	switch {
	case s.node == nil:
		s.node = newFileNode(m.d.nextID())
		m.d.apply(s)
		return s.node, true, nil
	case mode == CreateNew:
		return nil, false, fault.ErrExists
	case s.node.dir:
		return nil, false, fault.ErrNotRegular
	}
	return s.node, false, nil
}

// Replace puts data under name, step by step: each step counts as an operation.
func (m *Mem) Replace(name string, data []byte) error { return replaceSteps(m, name, data) }

// Rename moves a file.
func (m *Mem) Rename(oldname, newname string) error {
	return m.d.run(Op{Kind: OpRename, Name: oldname, NewName: newname}, func() error {
		from, err := m.findSlot(oldname)
		if err != nil {
			return err
		}
		to, err := m.findSlot(newname)
		if err != nil {
			return err
		}
		return m.d.rename(from, to)
	})
}

func (d *memDisk) rename(from, to slot) error {
	switch {
	case from.node == nil:
		return fault.ErrNotFound
	case from.node.dir || to.node != nil && to.node.dir:
		return fault.ErrNotRegular
	case from.node == to.node:
		return nil
	}
	to.node = from.node
	from.node = nil
	d.apply(from, to)
	return nil
}

// Remove removes a file or an empty directory.
func (m *Mem) Remove(name string) error {
	return m.d.run(Op{Kind: OpRemove, Name: name}, func() error {
		s, err := m.findSlot(name)
		if err != nil {
			return err
		}
		if s.node == nil {
			return fault.ErrNotFound
		}
		if s.node.dir && len(s.node.names.now.m) > 0 {
			return fault.ErrExists
		}
		s.node = nil
		m.d.apply(s)
		return nil
	})
}

// Mkdir makes one directory.
func (m *Mem) Mkdir(name string) error {
	return m.d.run(Op{Kind: OpMkdir, Name: name}, func() error {
		if name == "." {
			return fault.ErrExists
		}
		s, err := m.findSlot(name)
		if err != nil {
			return err
		}
		if s.node != nil {
			return fault.ErrExists
		}
		s.node = newDirNode(m.d.nextID())
		m.d.apply(s)
		return nil
	})
}

// ReadDir lists a directory, sorted by name.
func (m *Mem) ReadDir(name string) ([]DirEntry, error) {
	m.d.mu.RLock()
	defer m.d.mu.RUnlock()
	dir, err := m.findDir(name)
	if err != nil {
		return nil, fail("readdir", name, err)
	}
	list := make([]DirEntry, 0, len(dir.names.now.m))
	for _, base := range dir.names.now.sorted() {
		n := dir.names.now.m[base]
		list = append(list, DirEntry{Name: base, Dir: n.dir, Regular: !n.dir})
	}
	return list, nil
}

// SyncDir makes the entries of a directory durable.
func (m *Mem) SyncDir(name string) error {
	return m.d.run(Op{Kind: OpSyncDir, Name: name}, func() error {
		dir, err := m.findDir(name)
		if err == nil {
			m.d.settle(dir)
		}
		return err
	})
}

// Lock takes the exclusive lock on a file.
func (m *Mem) Lock(name string) (Lock, error) {
	f, err := m.Open(name, Create)
	if err != nil {
		return nil, err
	}
	file := f.(*memFile)
	m.d.mu.Lock()
	defer m.d.mu.Unlock()
	if m.d.root.locked {
		return nil, fail("lock", name, fault.ErrLocked)
	}
	file.node.locked, m.d.root.locked = true, true
	return &memLock{f: file}, nil
}

// Held reports whether somebody has the lock.
func (m *Mem) Held(name string) (bool, error) {
	m.d.mu.RLock()
	defer m.d.mu.RUnlock()
	n, err := m.find(name)
	if fault.KindOf(err) == fault.ErrNotFound {
		return false, nil
	}
	if err == nil && n.dir {
		err = fault.ErrNotRegular
	}
	if err != nil {
		return false, fail("held", name, err)
	}
	return n.locked, nil
}

// memLock is a held lock of a Mem.
type memLock struct{ f *memFile }

var _ Lock = (*memLock)(nil)

// SetContent replaces what the lock file says.
func (l *memLock) SetContent(data []byte, durable bool) error {
	if _, err := l.f.WriteAt(data, 0); err != nil {
		return err
	}
	if err := l.f.Truncate(int64(len(data))); err != nil {
		return err
	}
	if !durable {
		return nil
	}
	return l.f.Sync()
}

// Close lets the lock go.
func (l *memLock) Close() error {
	if err := l.f.Close(); err != nil {
		return err
	}
	l.f.d.mu.Lock()
	defer l.f.d.mu.Unlock()
	l.f.node.locked, l.f.d.root.locked = false, false
	return nil
}
