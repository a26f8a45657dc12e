package vfs

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/vlogdb/vlog/internal/fault"
)

// tempTries bounds the search for a free temporary name: each one taken is the
// leftover of a crash or another Replace at work on the same name.
const tempTries = 1000

// IsTemp reports whether name is one that Replace may leave behind in a crash,
// so that whoever opens a store can remove it. Such names begin with a dot
// (".head123", the real file system) or end in ".tmp" (".head.tmp", all others).
func IsTemp(name string) bool {
	base := path.Base(name)
	if base == "." {
		return false
	}
	return strings.HasPrefix(base, ".") || strings.HasSuffix(base, ".tmp")
}

// replaceSteps is Replace made of the other methods of fsys, so that each step
// can crash, fail, be logged or be slow. The temporary file lies in the directory
// of name: only there is the rename one step of one file system.
func replaceSteps(fsys FS, name string, data []byte) error {
	if err := checkEntry(name); err != nil {
		return fail("replace", name, err)
	}
	temp, f, err := createTemp(fsys, name)
	if err != nil {
		return err
	}
	if err := fillTemp(f, data); err != nil {
		return also(err, fsys.Remove(temp))
	}
	if err := fsys.Rename(temp, name); err != nil {
		return also(err, fsys.Remove(temp))
	}
	// From here on the new content is seen, and must not be taken back by an error.
	return fsys.SyncDir(path.Dir(name))
}

// createTemp makes a new temporary file beside name. Names are counted, not
// random, so that traces are the same in every run.
func createTemp(fsys FS, name string) (string, File, error) {
	var last error
	for i := range tempTries {
		temp := tempName(name, i)
		f, err := fsys.Open(temp, CreateNew)
		if err == nil {
			return temp, f, nil
		}
		if !errors.Is(err, fault.ErrExists) {
			return "", nil, err
		}
		last = err
	}
	return "", nil, last
}

// tempName returns the temporary name of the i-th try.
func tempName(name string, i int) string {
	dir, base := path.Split(name)
	if i == 0 {
		return dir + "." + base + ".tmp"
	}
	return fmt.Sprintf("%s.%s.%d.tmp", dir, base, i)
}

// fillTemp writes and syncs f, and closes it in any case.
func fillTemp(f File, data []byte) error {
	_, err := f.WriteAt(data, 0)
	if err == nil {
		err = f.Sync()
	}
	return also(err, f.Close())
}
