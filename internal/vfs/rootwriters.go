package vfs

import "sync"

// writers are the files that are open to be changed, so that each knows under which
// name it stands. The zero value is ready to use.
type writers struct {
	mu  sync.Mutex // guards set
	set map[*rootFile]struct{}
}

func (w *writers) add(f *rootFile) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.set == nil {
		w.set = map[*rootFile]struct{}{}
	}
	w.set[f] = struct{}{}
}

func (w *writers) remove(f *rootFile) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.set, f)
}

// renamed tells the files at one path that they stand at another.
func (w *writers) renamed(from, to string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for f := range w.set {
		if *f.path.Load() == from {
			f.path.Store(&to)
		}
	}
}
