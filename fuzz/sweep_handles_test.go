package fuzz

import (
	"fmt"
	"sync"

	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

// handles counts what is open, by name.
type handles struct {
	mu    sync.Mutex // guards what follows
	open  map[string]int
	twice []string // closed again
}

func (h *handles) add(name string, n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open[name] += n; h.open[name] == 0 {
		delete(h.open, name)
	}
}

// left is an error where anything is open, or was closed twice.
func (h *handles) left() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.open) > 0 || len(h.twice) > 0 {
		return fmt.Errorf("left open: %v, closed twice: %v", h.open, h.twice)
	}
	return nil
}

// counted is a file system of which every file and lock that is open is known.
type counted struct {
	vfs.FS
	s      *stage
	prefix string
}

func (c counted) Close() error {
	c.s.h.add(c.prefix+"root", -1)
	return c.FS.Close()
}

func (c counted) Open(name string, mode vfs.Mode) (vfs.File, error) {
	f, err := c.FS.Open(name, mode)
	if err != nil {
		return nil, err
	}
	name = c.prefix + name
	c.s.h.add(name, 1)
	return &countedFile{File: f, s: c.s, name: name}, nil
}

func (c counted) Lock(name string) (vfs.Lock, error) {
	l, err := c.FS.Lock(name)
	if err != nil {
		return nil, err
	}
	name = c.prefix + "lock " + name
	c.s.h.add(name, 1)
	return &countedLock{Lock: l, h: c.s.h, name: name}, nil
}

type countedFile struct {
	vfs.File
	s      *stage
	name   string
	closed bool
}

func (f *countedFile) Close() error {
	f.s.h.closes(f.name, &f.closed)
	return f.File.Close()
}

// WriteAt fails, where that is how writes fail here, when all is written.
func (f *countedFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(p, off)
	if err != nil || !f.s.how.late {
		return n, err
	}
	if err := f.s.gate.fail(vfs.Op{Kind: vfs.OpWrite, Name: f.name, Offset: off, Len: int64(n)}); err != nil {
		_, bare := cutPlace(f.name)
		return 0, &fault.Error{Op: "write", At: fault.Place{Path: bare}, Err: fault.KindOf(err), Cause: err}
	}
	return n, nil
}

type countedLock struct {
	vfs.Lock
	h      *handles
	name   string
	closed bool
}

func (l *countedLock) Close() error {
	l.h.closes(l.name, &l.closed)
	return l.Lock.Close()
}

// closes notes that something is closed, once.
func (h *handles) closes(name string, before *bool) {
	h.mu.Lock()
	again := *before
	if *before = true; again {
		h.twice = append(h.twice, name)
	}
	h.mu.Unlock()
	if !again {
		h.add(name, -1)
	}
}
