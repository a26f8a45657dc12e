package backup

import (
	"context"
	"errors"

	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/recovery"
	"github.com/vlogdb/vlog/wal"
)

// visit looks at the place before anything is made, and refuses what must be refused.
func (r *run) visit(to Dest) (err error) {
	fsys, err := to.Open()
	if errors.Is(err, fault.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	r.place = fsys
	err = r.recognise()
	r.place = nil
	return within(fsys, errors.Join(err, fsys.Close()))
}

// recognise finds out whether a backup of this store may go into the place.
func (r *run) recognise() error {
	f, err := recovery.ReadPlace(r.place)
	if errors.Is(err, fault.ErrNotFound) {
		r.fresh, r.first = true, true
		return r.vacant()
	}
	if err != nil {
		return err
	}
	r.fresh, r.first = false, f.Unfinished()
	e := &fault.Error{Op: "backup", At: fault.Place{Path: r.place.Path()}, Hint: "name another directory; nothing was changed"}
	switch {
	case !f.IsBackup():
		e.Err, e.Detail = fault.ErrExists, "a store, and no backup place"
	case f.UUID != r.src.Format.UUID:
		e.Err, e.Detail = fault.ErrForeign, "the backup place of store "+f.UUID
	case f.Codec != r.src.Format.Codec:
		e.Err, e.Detail = fault.ErrConflict, "the place has codec "+f.Codec+", the source "+r.src.Format.Codec
	default:
		return f.Copyable()
	}
	return e
}

// vacant is ErrExists where something else than an unfinished creation is there.
func (r *run) vacant() error {
	other, err := recovery.Vacant(r.place)
	if err == nil && other != "" {
		err = &fault.Error{Op: "backup", At: fault.Place{Path: r.place.Path()}, Err: fault.ErrExists, Detail: "neither empty nor a backup place: " + other + " is there",
			Hint: "name an empty directory, or the place of an earlier backup; nothing was changed"}
	}
	return err
}

// enter takes the lock, looks again, since somebody may have been faster, and makes
// sure of what it saw.
func (r *run) enter() (err error) {
	if err := r.recognise(); err != nil {
		return err
	}
	if r.hold, err = recovery.TakeLock(r.place, r.id, r.opts.Now); err != nil {
		return err
	}
	err = r.recognise()
	if err == nil {
		err = prepare(r.place)
	}
	if err == nil && r.fresh {
		err = recovery.WriteFormat(r.place, r.src.Format.AsBackup(false))
	}
	if err != nil {
		return errors.Join(err, r.hold.Close())
	}
	return nil
}

// prepare makes log/, makes durable every name that was seen, which a killed process
// may not have synced, and removes copies that did not become anything.
func prepare(fsys vfs.FS) error {
	if err := fsys.Mkdir(wal.Dir); err != nil && !errors.Is(err, fault.ErrExists) {
		return err
	}
	if err := fsys.SyncDir(wal.Dir); err != nil {
		return err
	}
	if err := fsys.SyncDir("."); err != nil {
		return err
	}
	files, err := recovery.Files(fsys)
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.Class == recovery.ClassTemp {
			if err := fsys.Remove(f.Path); err != nil {
				return err
			}
		}
	}
	return nil
}

// placeStock learns what the place holds.
func (r *run) placeStock(ctx context.Context) (*stock, error) {
	s := &stock{fs: r.place, store: r.id, proves: r.opts.Verify}
	files, err := recovery.Files(r.place)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if f.Class == recovery.Irregular {
			return nil, &fault.Error{Op: "backup", At: fault.Place{Path: f.Path}, Err: fault.ErrNotRegular, Detail: "a name of ours stands for something else", Hint: "put the plain file or directory back, or use a new place"}
		}
	}
	return s, s.readPlace(ctx, files)
}
