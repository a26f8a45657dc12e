package vfs

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vlogdb/vlog/internal/fault"
)

// What a store is created with: the user's own business, umask or not.
const (
	filePerm = 0o600
	dirPerm  = 0o700
)

// openTries bounds how often an open starts over because the name changed hands
// between looking and opening, as it does when another process replaces the file.
const openTries = 100

// rootFS is the real file system below one directory.
type rootFS struct {
	root *os.Root
	path string      // as the user gave it
	real string      // absolute, links resolved
	id   os.FileInfo // of the directory that was opened

	kept    keptDirs
	writers writers
}

var _ FS = (*rootFS)(nil)

// OpenOS opens an existing directory as an FS. The directory itself may be named
// through links, which are resolved once, here; below it no link is followed.
func OpenOS(dir string) (FS, error) {
	r, err := openRoot(dir)
	if err != nil {
		return nil, fail("open", dir, err)
	}
	return r, nil
}

func openRoot(dir string) (*rootFS, error) {
	real, err := resolve(dir)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(real)
	if err != nil {
		return nil, err
	}
	id, err := root.Stat(".")
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return &rootFS{root: root, path: dir, real: real, id: id}, nil
}

// resolve returns the absolute path of dir without links. It looks at the type
// first, because opening a pipe as a root would wait for a writer.
func resolve(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(real)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return "", fault.ErrNotRegular
	}
	return real, nil
}

// Path returns the directory as the user named it.
func (r *rootFS) Path() string { return r.path }

// Boot names the running system's boot; empty where the system does not tell.
func (r *rootFS) Boot() string { return bootID() }

// Close releases the directory.
func (r *rootFS) Close() error {
	err := fail("close", ".", r.kept.close())
	return also(fail("close", ".", r.root.Close()), err)
}

// Open opens a regular file.
func (r *rootFS) Open(name string, mode Mode) (File, error) {
	f, err := r.open(name, mode)
	if err != nil {
		return nil, fail("open", name, err)
	}
	return f, nil
}

func (r *rootFS) open(name string, mode Mode) (*rootFile, error) {
	s, err := r.spot(name, mode != ReadOnly)
	if err != nil {
		return nil, err
	}
	for range openTries {
		f, again, err := s.tryOpen(mode)
		if err == nil {
			return r.opened(&rootFile{File: f, fs: r, name: name, mode: mode}), nil
		}
		if !again {
			return nil, err
		}
	}
	return nil, fault.ErrNotRegular
}

// opened makes a file that may be changed known to renames.
func (r *rootFS) opened(f *rootFile) *rootFile {
	if f.mode == ReadOnly {
		return f
	}
	if id, ok := idOf(f.File); ok {
		path := r.absolute(f.name)
		f.id = id
		f.path.Store(&path)
		r.writers.add(f)
	}
	return f
}

func (r *rootFS) absolute(name string) string {
	return filepath.Join(r.real, filepath.FromSlash(name))
}

// spot is where a name leads: a path below a directory that is open.
type spot struct {
	root *os.Root
	path string
}

// spot returns where a name leads. What is changed in a directory of the store is
// changed in the one that is kept: on the way there no descriptor is taken, for want of
// which an operation could fail that has to be possible, such as taking something back.
func (r *rootFS) spot(name string, change bool) (spot, error) {
	if !change {
		local, err := r.local(name)
		return spot{r.root, local}, err
	}
	local, err := r.toChange(name)
	if err != nil {
		return spot{}, err
	}
	dir, base, deep := strings.Cut(name, "/")
	if d := r.kept.of(dir); deep && d != nil && !strings.Contains(base, "/") {
		return spot{d.root, base}, nil
	}
	return spot{r.root, local}, nil
}

// tryOpen opens once; again says that the name changed meanwhile.
//
// os.Root follows links that stay inside, O_NOFOLLOW or not. So the name is
// looked at first and the opened file must be what was seen there; a new file is
// made with O_EXCL, which follows nothing.
func (s spot) tryOpen(mode Mode) (f *os.File, again bool, err error) {
	if mode == CreateNew {
		f, err = s.create()
		return f, false, err
	}
	seen, err := s.root.Lstat(s.path)
	if errors.Is(err, fs.ErrNotExist) && mode == Create {
		f, err = s.create()
		return f, errors.Is(err, fs.ErrExist), err
	}
	if err != nil {
		return nil, false, err
	}
	return s.openSeen(mode, seen)
}

func (s spot) create() (*os.File, error) {
	return s.root.OpenFile(s.path, os.O_RDWR|os.O_CREATE|os.O_EXCL|openFlags, filePerm)
}

// openSeen opens what Lstat saw, without waiting for the other end of a pipe.
func (s spot) openSeen(mode Mode, seen os.FileInfo) (f *os.File, again bool, err error) {
	if !seen.Mode().IsRegular() {
		return nil, false, fault.ErrNotRegular
	}
	flags := os.O_RDWR | openFlags
	if mode == ReadOnly {
		flags = os.O_RDONLY | openFlags
	}
	f, err = s.root.OpenFile(s.path, flags, 0)
	if err != nil {
		return nil, false, err
	}
	got, err := f.Stat()
	if err == nil && got.Mode().IsRegular() && os.SameFile(seen, got) {
		return f, false, nil
	}
	return nil, err == nil, errors.Join(err, fault.ErrNotRegular, f.Close())
}

// local turns a name into a path for the root, and refuses names that lead
// through anything but plain directories.
func (r *rootFS) local(name string) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	for i := range len(name) {
		if name[i] != '/' {
			continue
		}
		if err := r.checkDir(filepath.FromSlash(name[:i])); err != nil {
			return "", err
		}
	}
	local, err := filepath.Localize(name)
	if err != nil {
		return "", fault.ErrBadName
	}
	return local, nil
}

// toChange is local for an operation that changes something.
func (r *rootFS) toChange(name string) (string, error) {
	local, err := r.local(name)
	if err == nil {
		err = r.ours(name)
	}
	return local, err
}

func (r *rootFS) checkDir(local string) error {
	info, err := r.root.Lstat(local)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fault.ErrNotRegular
	}
	return nil
}

// Rename moves a file.
func (r *rootFS) Rename(oldname, newname string) error {
	return fail("rename", oldname, r.rename(oldname, newname))
}

func (r *rootFS) rename(oldname, newname string) error {
	if err := errors.Join(checkEntry(oldname), checkEntry(newname)); err != nil {
		return err
	}
	from, to, err := r.spots(oldname, newname)
	if err != nil {
		return err
	}
	info, err := from.root.Lstat(from.path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fault.ErrNotRegular
	}
	if err := to.checkTarget(); err != nil {
		return err
	}
	if err := from.root.Rename(from.path, to.path); err != nil {
		return err
	}
	r.writers.renamed(r.absolute(oldname), r.absolute(newname))
	return r.present()
}

// spots returns where two names lead, below one open directory.
func (r *rootFS) spots(oldname, newname string) (from, to spot, err error) {
	if from, err = r.spot(oldname, true); err != nil {
		return from, to, err
	}
	if to, err = r.spot(newname, true); err != nil || from.root == to.root {
		return from, to, err
	}
	return spot{r.root, filepath.FromSlash(oldname)}, spot{r.root, filepath.FromSlash(newname)}, nil
}

// checkTarget refuses to rename over a directory, for which package os has an
// answer of its own on each system.
func (s spot) checkTarget() error {
	info, err := s.root.Lstat(s.path)
	if err == nil && info.IsDir() {
		return fault.ErrNotRegular
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Remove removes a file or an empty directory.
func (r *rootFS) Remove(name string) error {
	if err := checkEntry(name); err != nil {
		return fail("remove", name, err)
	}
	s, err := r.spot(name, true)
	if err != nil {
		return fail("remove", name, err)
	}
	err = s.root.Remove(s.path)
	if err == nil {
		err = r.kept.forget(name)
	}
	return fail("remove", name, err)
}

// Mkdir makes one directory.
func (r *rootFS) Mkdir(name string) error {
	local, err := r.toChange(name)
	if err != nil {
		return fail("mkdir", name, err)
	}
	return fail("mkdir", name, r.root.Mkdir(local, dirPerm))
}

// ReadDir lists a directory, sorted by name.
func (r *rootFS) ReadDir(name string) ([]DirEntry, error) {
	d, err := r.openDir(name)
	if err != nil {
		return nil, fail("readdir", name, err)
	}
	found, err := d.ReadDir(-1)
	if err := also(fail("readdir", name, err), fail("readdir", name, d.Close())); err != nil {
		return nil, err
	}
	list := make([]DirEntry, len(found))
	for i, e := range found {
		list[i] = DirEntry{Name: e.Name(), Dir: e.IsDir(), Regular: e.Type().IsRegular()}
	}
	slices.SortFunc(list, func(a, b DirEntry) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// SyncDir makes the entries of a directory durable. EINVAL, the answer of file
// systems that cannot do it, is an error. On Windows there is no such call, and
// the file system's journal has to do.
func (r *rootFS) SyncDir(name string) error {
	if err := r.syncDir(name); err != nil {
		return fail("syncdir", name, err)
	}
	return fail("syncdir", name, r.present())
}

func (r *rootFS) syncDir(name string) error {
	local, err := r.local(name)
	if err != nil {
		return err
	}
	if err := r.checkDir(local); err != nil {
		return err
	}
	if err := r.ours(name + "/"); err != nil {
		return err
	}
	if d := r.kept.of(name); d != nil { // which takes no descriptor, for want of which nothing may fail here
		return syncDir(d.f)
	}
	d, err := r.openDir(name)
	if err != nil {
		return err
	}
	return also(fail("syncdir", name, syncDir(d)), fail("syncdir", name, d.Close()))
}

func (r *rootFS) openDir(name string) (*os.File, error) {
	local, err := r.local(name)
	if err != nil {
		return nil, err
	}
	if err := r.checkDir(local); err != nil {
		return nil, err
	}
	return r.root.OpenFile(local, os.O_RDONLY|openFlags|openDirFlag, 0)
}

// Replace puts data under name in one step.
func (r *rootFS) Replace(name string, data []byte) error {
	if err := checkEntry(name); err != nil {
		return fail("replace", name, err)
	}
	if err := r.replace(name, data); err != nil {
		return fail("replace", name, err)
	}
	return r.SyncDir(path.Dir(name))
}
