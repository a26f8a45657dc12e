package vfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vlogdb/vlog/internal/fault"
)

// CreateOS makes dir and what is missing above it, makes these names durable,
// and opens it. The parent is synced also where dir is there already: it may be
// what a crashed attempt made and did not live to sync.
func CreateOS(dir string) (FS, error) {
	if err := makeDirs(dir); err != nil {
		return nil, fail("create", dir, err)
	}
	r, err := openRoot(dir)
	if err != nil {
		return nil, fail("create", dir, err)
	}
	err = syncPath(filepath.Dir(r.real))
	if errors.Is(err, fs.ErrPermission) && r.begun() {
		err = nil
	}
	if err != nil {
		return nil, also(fail("create", dir, err), r.Close())
	}
	return r, nil
}

// begun says whether there is anything in the directory: whoever put that there came
// past the sync of its name, so nothing is lost where the parent may not be read.
func (r *rootFS) begun() bool {
	list, err := r.ReadDir(".")
	return err == nil && len(list) > 0
}

// makeDirs makes the missing directories from the top down, and syncs the parent
// of each before it goes on.
func makeDirs(dir string) error {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	missing, err := missingDirs(abs)
	if err != nil {
		return err
	}
	for i := len(missing) - 1; i >= 0; i-- {
		if err := os.Mkdir(missing[i], dirPerm); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := syncPath(filepath.Dir(missing[i])); err != nil {
			return err
		}
	}
	return nil
}

// missingDirs lists dir and its parents as far as they do not exist, deepest first.
func missingDirs(dir string) ([]string, error) {
	var missing []string
	for {
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			return nil, fault.ErrNotRegular
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return missing, err
		}
		missing = append(missing, dir)
		if dir == filepath.Dir(dir) {
			return missing, nil
		}
		dir = filepath.Dir(dir)
	}
}

// syncPath syncs a directory that lies outside the root.
func syncPath(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(syncDir(d), d.Close())
}
