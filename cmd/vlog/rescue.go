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
	if err != nil {
		return nil, rescueError(name, err)
	}
	return &rescue{f: f, w: bufio.NewWriter(f)}, nil
}

// rescueError says why there is no file for what is rescued.
func rescueError(name string, err error) error {
	e := &engine.Error{Op: "rescue", Err: engine.ErrIO, Cause: err, Hint: "nothing was changed; name another file"}
	e.At.Path = name
	switch {
	case errors.Is(err, fs.ErrExist):
		e.Err, e.Cause, e.Hint = engine.ErrExists, nil, "name a new file; a dry run may have made this one"
	case errors.Is(err, fs.ErrNotExist):
		e.Err, e.Cause, e.Hint = engine.ErrNotFound, nil, "nothing was changed; name a file in a directory that is there"
	case errors.Is(err, fs.ErrPermission):
		e.Err, e.Cause = engine.ErrDenied, nil
	}
	return e
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
