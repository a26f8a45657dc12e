package main

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vlogdb/vlog/engine"
)

// rescue is the file for the batches behind the damage. It is durable before a salvage
// changes anything, for what was set aside is not read again; from then on it stays,
// whatever fails.
type rescue struct {
	f    *os.File
	w    *bufio.Writer
	kept bool
}

// newRescue makes the file; one that is there stays as it is.
func newRescue(name string) (*rescue, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		e := &engine.Error{Op: "rescue", Err: engine.ErrExists, Hint: "name a new file; a dry run may have made this one"}
		e.At.Path = name
		return nil, e
	}
	if err != nil {
		return nil, err
	}
	return &rescue{f: f, w: bufio.NewWriter(f)}, nil
}

func (r *rescue) add(b engine.Batch) error {
	_, err := r.w.Write(append(b.AppendJSON(nil), '\n'))
	return err
}

// keep makes the file durable, its name too.
func (r *rescue) keep() error {
	if err := errors.Join(r.w.Flush(), r.f.Sync()); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(r.f.Name()))
	if err != nil {
		return err
	}
	err = errors.Join(dir.Sync(), dir.Close())
	r.kept = err == nil
	return err
}

// end closes the file, and removes one that was not kept: nothing was changed then.
func (r *rescue) end() error {
	err := r.f.Close()
	if r.kept {
		return err
	}
	return errors.Join(err, os.Remove(r.f.Name()))
}
