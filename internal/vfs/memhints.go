package vfs

import (
	"path"

	"github.com/vlogdb/vlog/internal/fault"
)

// memHints tells of the changing operations in one directory of a Mem, whichever
// door they come through.
type memHints struct {
	hints
	d   *memDisk
	dir string
}

var _ Hints = (*memHints)(nil)

// Hints tells of changes in a directory.
func (m *Mem) Hints(dir string) (Hints, error) {
	m.d.mu.Lock()
	defer m.d.mu.Unlock()
	if _, err := m.findDir(dir); err != nil {
		return nil, fail("hints", dir, err)
	}
	h := &memHints{hints: newHints(), d: m.d, dir: dir}
	if m.d.hints == nil {
		m.d.hints = map[*memHints]struct{}{}
	}
	m.d.hints[h] = struct{}{}
	return h, nil
}

// hintLocked tells those who want to know of an operation.
func (d *memDisk) hintLocked(op Op) {
	for h := range d.hints {
		if path.Dir(op.Name) == h.dir || op.NewName != "" && path.Dir(op.NewName) == h.dir {
			h.tell()
		}
	}
}

// Close ends the telling.
func (h *memHints) Close() error {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if _, ok := h.d.hints[h]; !ok {
		return fail("hints", h.dir, fault.ErrClosed)
	}
	delete(h.d.hints, h)
	return nil
}
