package wal

import (
	"context"
	"errors"

	"github.com/vlogdb/vlog/internal/vfs"
)

// Rescue calls visit for every batch of a segment that checks out by itself from an
// offset on, whatever stands between them. Nothing vouches for their order or that
// none is missing: it is for people who have lost something. Entries have no chain value.
func Rescue(ctx context.Context, at Place, off int64, visit Visit) (err error) {
	f, err := at.FS.Open(at.Name, vfs.ReadOnly)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r, err := newReader(f, at.Name, at.Store, 0)
	if err != nil {
		return err
	}
	r.win.ctx = ctx
	r.pos = max(off, r.pos)
	var places []int64
	if _, err := r.spell.behind(r, func(f *frame, off int64) {
		if f.kind == kindBatch {
			places = append(places, off)
		}
	}); err != nil {
		return err
	}
	for _, off := range places {
		if err := r.rescue(off, visit); err != nil {
			return err
		}
	}
	return nil
}

// rescue hands out the batch at an offset, if its payload checks out.
func (r *reader) rescue(off int64, visit Visit) error {
	r.pos, r.count = off, 1 // as if inside a group
	f, at, err := r.spell.find(r)
	if err != nil {
		return r.wrap(err, off)
	}
	if f.why != "" || at != off || f.known() != nil { // a frame at another place has its own turn
		return nil
	}
	payload, why, err := r.spell.body(r, &f, at)
	if err != nil {
		return r.wrap(err, off)
	}
	if why != "" {
		return nil
	}
	return visit(Entry{Seq: f.seq, Time: f.time, Flags: recordFlags(&f), Payload: payload}, at)
}
