package engine

import (
	"sync"

	"github.com/vlogdb/vlog/internal/vfs"
)

// holders keep the directory of a store open: the DB, and each loop over its log that
// ends behind Close. The last one closes it.
type holders struct {
	fs vfs.FS
	mu sync.Mutex // guards n
	n  int
}

// add reports whether the directory is open still, and then keeps it so until done.
func (h *holders) add() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.n == 0 {
		return false
	}
	h.n++
	return true
}

func (h *holders) done() error {
	h.mu.Lock()
	h.n--
	last := h.n == 0
	h.mu.Unlock()
	if last {
		return h.fs.Close()
	}
	return nil
}
