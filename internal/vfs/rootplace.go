package vfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/vlogdb/vlog/internal/fault"
)

// present tells whether the directory that was opened is still where it was.
// Everything goes on working below one that was removed or moved away, and
// nobody would find it again: so each sync asks.
func (r *rootFS) present() error { return r.presentFor("sync") }

// Present implements FS.
func (r *rootFS) Present() error { return r.presentFor("look") }

func (r *rootFS) presentFor(op string) error {
	info, err := os.Stat(r.real)
	if err == nil && os.SameFile(info, r.id) {
		return nil
	}
	if err == nil {
		err = fs.ErrNotExist
	}
	return gone(op, r.path, err)
}

// gone says that a directory is not what it was.
func gone(op, path string, err error) error {
	return &fault.Error{
		Op: op, At: fault.Place{Path: path}, Err: kindOf(err), Cause: cause(err),
		Detail: "the directory was removed, replaced or renamed while open",
		Hint:   "put it back and open it again",
	}
}

// inPlace is present for a file: the directory in the store that it lies in must be the
// one that it was opened in.
func (r *rootFS) inPlace(name string) error {
	if err := r.present(); err != nil {
		return err
	}
	dir, _, _ := strings.Cut(name, "/")
	d := r.kept.of(dir)
	if d == nil {
		return nil
	}
	info, err := os.Lstat(filepath.Join(r.real, dir))
	return d.same(dir, info, err)
}

// ours returns an error where the directory in the store that name leads through is
// another than it was when something was first changed there.
func (r *rootFS) ours(name string) error {
	dir, _, deep := strings.Cut(name, "/")
	if !deep || dir == "." {
		return nil
	}
	d, err := r.kept.get(r.root, dir)
	if err != nil {
		return err
	}
	info, err := r.root.Lstat(dir)
	return d.same(dir, info, err)
}

// keptDirs are the directories in a store in which something was changed, each held open
// since. One that somebody put in the place of another is told by that: what is written,
// renamed or removed by name would be his. Those further down are not looked at. The zero
// value is ready to use.
type keptDirs struct {
	mu     sync.Mutex // guards the rest
	dirs   map[string]*keptDir
	closed bool
}

type keptDir struct {
	f    *os.File
	info os.FileInfo
}

// same returns nil where what stands at the path of a directory now is that directory.
func (d *keptDir) same(path string, now os.FileInfo, err error) error {
	if err == nil && os.SameFile(now, d.info) {
		return nil
	}
	if err == nil {
		err = fs.ErrNotExist
	}
	return gone("look", path, err)
}

// of returns the directory that is kept under a path; nil is none.
func (k *keptDirs) of(path string) *keptDir {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.dirs[path]
}

// get returns the directory that is kept under a path, from now on where it was not.
func (k *keptDirs) get(root *os.Root, path string) (*keptDir, error) {
	if d := k.of(path); d != nil {
		return d, nil
	}
	return k.keep(root, path)
}

func (k *keptDirs) keep(root *os.Root, path string) (*keptDir, error) {
	f, err := root.OpenFile(path, os.O_RDONLY|openFlags|openDirFlag, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	d := k.add(path, &keptDir{f, info})
	if d.f != f { // somebody was faster, or nothing is kept any more
		return d, f.Close()
	}
	return d, nil
}

// add keeps a directory, unless one is kept already, which it returns.
func (k *keptDirs) add(path string, d *keptDir) *keptDir {
	k.mu.Lock()
	defer k.mu.Unlock()
	if was := k.dirs[path]; was != nil {
		return was
	}
	if k.closed {
		return &keptDir{info: d.info}
	}
	if k.dirs == nil {
		k.dirs = map[string]*keptDir{}
	}
	k.dirs[path] = d
	return d
}

// forget lets a directory go that was removed.
func (k *keptDirs) forget(path string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	d := k.dirs[path]
	if d == nil {
		return nil
	}
	delete(k.dirs, path)
	return d.f.Close()
}

// close closes what is kept. What the directories were stays known to open files.
func (k *keptDirs) close() (err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil
	}
	k.closed = true
	for _, d := range k.dirs {
		err = errors.Join(err, d.f.Close())
	}
	return err
}
