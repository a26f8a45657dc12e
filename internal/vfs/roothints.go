package vfs

import (
	"path/filepath"
	"sync/atomic"

	"github.com/fsnotify/fsnotify"

	"github.com/vlogdb/vlog/internal/fault"
)

// rootHints tells what the system notices in one directory.
type rootHints struct {
	hints
	dir    string
	w      *fsnotify.Watcher
	closed atomic.Bool
	done   chan struct{} // closed when run has ended
}

var _ Hints = (*rootHints)(nil)

// Hints tells of changes in a directory, by whatever process. It is an error where
// the system has no such service there, or no more of it to give: all the same to
// those who know that a hint is never needed.
func (r *rootFS) Hints(dir string) (Hints, error) {
	d, err := r.openDir(dir) // for its errors: what is watched is named by its path
	if err != nil {
		return nil, fail("hints", dir, err)
	}
	if err := fail("hints", dir, d.Close()); err != nil {
		return nil, err
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fail("hints", dir, err)
	}
	if err := w.Add(filepath.Join(r.real, filepath.FromSlash(dir))); err != nil {
		return nil, also(fail("hints", dir, err), w.Close())
	}
	h := &rootHints{hints: newHints(), dir: dir, w: w, done: make(chan struct{})}
	go h.run()
	return h, nil
}

// run makes one value of many events. An error says that events were lost, which
// is one more reason to look.
func (h *rootHints) run() {
	defer close(h.done)
	for {
		select {
		case _, ok := <-h.w.Events:
			if !ok {
				return
			}
		case _, ok := <-h.w.Errors:
			if !ok {
				return
			}
		}
		h.tell()
	}
}

// Close ends the watching and waits for its goroutine.
func (h *rootHints) Close() error {
	if h.closed.Swap(true) {
		return fail("hints", h.dir, fault.ErrClosed)
	}
	err := h.w.Close()
	<-h.done
	return fail("hints", h.dir, err)
}
