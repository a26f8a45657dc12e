package wal

import (
	"errors"
	"fmt"
	"io"

	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

// Cut shortens a segment to the end of its last good frame and syncs it: step c4
// of the recovery protocol. What goes must have been kept elsewhere before.
func Cut(fsys vfs.FS, seg *Segment) error {
	f, err := fsys.Open(seg.Name, vfs.ReadWrite)
	if err != nil {
		return err
	}
	err = f.Truncate(seg.End)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Mend finishes a segment that was not sealed: step c7. Every frame from offset
// from on is written again, the same bytes at the same place, whole sectors, and
// synced; then the seal, synced. from is the offset of the first frame that
// nothing proves durable, or 0 where all are proven.
//
// Reading is no proof: after a failed sync the system marks pages clean; they are
// readable, a later sync of them succeeds without writing, and a power cut takes
// them. Only writing them again makes them durable.
func Mend(fsys vfs.FS, seg *Segment, from, now int64) (Kept, error) {
	f, err := fsys.Open(seg.Name, vfs.ReadWrite)
	if err != nil {
		return Kept{}, err
	}
	if from != 0 {
		err = rewrite(f, seg, from)
	}
	var end int64
	if err == nil {
		g := &group{after: seg.Last, chain: seg.ChainEnd, synced: seg.Last}
		end, err = sealFile(f, seg.Codec.spelling().appendSeal(nil, g, seg.Frames, sealPlace{seg.Header.salt(), seg.Space(), now}), seg.Space())
	}
	kept := Kept{First: seg.Header.First, Last: seg.Last, Epoch: seg.Header.Epoch, Size: end}
	return kept, errors.Join(err, f.Close())
}

// Reseal writes the seal of a segment again, ends the file behind it and syncs.
func Reseal(fsys vfs.FS, seg *Segment) error {
	f, err := fsys.Open(seg.Name, vfs.ReadWrite)
	if err != nil {
		return err
	}
	err = f.Truncate(seg.End)
	if err == nil {
		err = rewrite(f, seg, seg.seal)
	}
	return errors.Join(err, f.Close())
}

// rewrite writes [from, end) again in steps of the window, padded to whole units.
func rewrite(f vfs.File, seg *Segment, from int64) error {
	unit := seg.Codec.spelling().unit()
	from = from / unit * unit
	buf := make([]byte, min(windowSize, alignUp(seg.End-from, unit)))
	for off := from; off < seg.End; off += int64(len(buf)) {
		n := min(int64(len(buf)), seg.End-off)
		got, err := f.ReadAt(buf[:n], off)
		if err != nil && (!errors.Is(err, io.EOF) || int64(got) < n) {
			return shortRead(err, seg.Name, off)
		}
		clear(buf[n:])
		if _, err := f.WriteAt(buf[:alignUp(n, unit)], off); err != nil {
			return err
		}
	}
	return f.Sync()
}

func shortRead(err error, name string, off int64) error {
	if !errors.Is(err, io.EOF) {
		return err
	}
	return &fault.Error{Op: "recover", At: fault.Place{Path: name, Offset: off}, Err: fault.ErrCorrupt, Detail: "the file became shorter while it was read"}
}

// Discard removes a segment without a frame. The directory is not synced.
func Discard(fsys vfs.FS, seg *Segment) error {
	if seg.Frames != 0 {
		panic(fmt.Sprintf("wal: segment %s is discarded with %d frames", seg.Name, seg.Frames))
	}
	return fsys.Remove(seg.Name)
}
