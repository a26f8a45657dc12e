package recovery

import (
	"errors"
	"slices"
	"time"

	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// Features of directories that hold a copy of a store. A backup place is read-only
// compatible: it can be looked into, and nobody ever writes to it as to a store. One
// that is not finished, a place or a store that is being restored, cannot be opened.
const (
	FeatureBackup     = "backup"
	FeatureUnfinished = "unfinished"
)

// IsBackup says whether the directory is a backup place.
func (f *Format) IsBackup() bool {
	return slices.Contains(f.Features.ReadOnlyCompatible, FeatureBackup)
}

// Unfinished says whether the first backup, or the restore, that makes the directory
// has not come to its end.
func (f *Format) Unfinished() bool {
	return slices.Contains(f.Features.Incompatible, FeatureUnfinished)
}

// AsBackup returns the format of a backup place of the store.
func (f Format) AsBackup(finished bool) Format {
	f.Features.ReadOnlyCompatible = append(without(f.Features.ReadOnlyCompatible, FeatureBackup), FeatureBackup)
	return f.finished(finished)
}

// AsStore returns the format of a store that was restored from this one.
func (f Format) AsStore(finished bool) Format {
	f.Features.ReadOnlyCompatible = without(f.Features.ReadOnlyCompatible, FeatureBackup)
	return f.finished(finished)
}

// Copyable returns ErrIncompatible where the store, or the place, has a feature that
// allows this version reading only: a copy would claim it without what it stands for.
func (f Format) Copyable() error {
	rest := f.AsStore(true)
	err := rest.writable()
	if e, ok := errors.AsType[*fault.Error](err); ok {
		e.Hint = "use a version of vlog that knows them; nothing was changed"
	}
	return err
}

func (f Format) finished(yes bool) Format {
	f.Features.Incompatible = without(f.Features.Incompatible, FeatureUnfinished)
	if !yes {
		f.Features.Incompatible = append(f.Features.Incompatible, FeatureUnfinished)
	}
	return f
}

// without returns the names but for one, in a slice of their own that is never nil.
func without(names []string, name string) []string {
	return slices.DeleteFunc(append([]string{}, names...), func(n string) bool { return n == name })
}

// cutOff is why an unfinished directory is not opened.
func (f *Format) cutOff() error {
	e := &fault.Error{Op: "open", At: fault.Place{Path: FormatName}, Err: fault.ErrIncompatible, Detail: "not finished: the restore or conversion into this directory was cut off", Hint: "run the same one again"}
	if f.IsBackup() {
		e.Detail, e.Hint = "not finished: the first backup into this directory was cut off", "run the backup again; it goes on where it was"
	}
	return e
}

// ReadPlace is ReadFormat for those who finish what is unfinished.
func ReadPlace(fsys vfs.FS) (Format, error) {
	f, err := ReadFormat(fsys)
	if !errors.Is(err, fault.ErrIncompatible) || !f.Unfinished() {
		return f, err
	}
	rest := f.finished(true)
	return f, rest.check()
}

// WriteFormat puts FORMAT in place, durably, in one step.
func WriteFormat(fsys vfs.FS, f Format) error {
	line, err := f.encode()
	if err != nil {
		return err
	}
	return fsys.Replace(FormatName, line)
}

// Vacant looks whether a directory holds nothing but what a creation that was cut off
// before FORMAT leaves. It returns the first name of anything else, or "".
func Vacant(fsys vfs.FS) (other string, err error) {
	files, err := walk(fsys)
	for _, f := range files {
		if f.Class != ClassLock && f.Class != ClassLogDir && f.Class != ClassTemp {
			return f.Path, err
		}
	}
	return "", err
}

// Unheld returns ErrLocked, with the holder, where somebody writes to the store.
func Unheld(fsys vfs.FS) error { return unheld(fsys) }

// LastClosed returns what LOCK says of the last clean close; ok is false where it
// says nothing of this store.
func LastClosed(fsys vfs.FS, store wal.StoreID) (c Closed, ok bool, err error) {
	note, err := readLock(fsys)
	if err != nil || note.Closed == nil || string(note.Store) != string(store[:]) || len(note.Closed.Chain) != len(wal.Chain{}) {
		return c, false, err
	}
	return *note.Closed, true, nil
}

// Hold is the lock of a directory that is written by copying into it.
type Hold struct {
	store Store
	ended bool
}

// TakeLock takes the lock, ErrLocked where somebody else has it, and names us in LOCK.
func TakeLock(fsys vfs.FS, id wal.StoreID, now func() time.Time) (*Hold, error) {
	l, err := lock(fsys)
	if err != nil {
		return nil, err
	}
	h := &Hold{store: Store{FS: fsys, ID: id, Lock: l}}
	if err := h.store.hold(holder(Options{Now: now})); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

// End makes LOCK say, durably, how far the log reaches, and names nobody any more.
func (h *Hold) End(c Closed) error {
	b, err := (&lockNote{Store: h.store.ID[:], Closed: &c}).encode()
	if err != nil {
		return err
	}
	h.ended = true
	return h.store.Lock.SetContent(b, true)
}

// Close lets the lock go. Unless End was called, LOCK says again what it said before.
func (h *Hold) Close() error {
	if h.ended {
		return h.store.Lock.Close()
	}
	return h.store.letGo()
}
