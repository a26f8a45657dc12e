package vfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Inside reports whether dir is the directory other, or lies somewhere in it, however
// the two are spelled. What is missing of dir counts as if it were made.
func Inside(dir, other string) (bool, error) {
	is, err := inside(dir, other)
	return is, fail("look", dir, err)
}

func inside(dir, other string) (bool, error) {
	outer, err := os.Stat(other)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	at, err := standing(dir)
	if err != nil {
		return false, err
	}
	for {
		info, err := os.Stat(at)
		if err != nil {
			return false, err
		}
		if os.SameFile(info, outer) {
			return true, nil
		}
		if at == filepath.Dir(at) {
			return false, nil
		}
		at = filepath.Dir(at)
	}
}

// standing returns the deepest directory on the way to dir that is there, without links.
func standing(dir string) (string, error) {
	at, err := filepath.Abs(dir)
	for err == nil {
		real, e := filepath.EvalSymlinks(at)
		if e == nil || !errors.Is(e, fs.ErrNotExist) || at == filepath.Dir(at) {
			return real, e
		}
		at = filepath.Dir(at)
	}
	return at, err
}
