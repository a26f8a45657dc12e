package backup

import (
	"context"
	"errors"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/recovery"
	"github.com/vlogdb/vlog/wal"
)

// Closed is the source at the root of a file system that nobody writes to. What a
// crash left is not repaired, and what nothing proves is not copied.
func Closed(fsys vfs.FS, opts recovery.Options) (Source, error) {
	f, err := formatOf(fsys)
	if err != nil {
		return Source{}, err
	}
	return Source{FS: fsys, Format: f, Moment: func(ctx context.Context) (Moment, error) { return momentOf(ctx, fsys, opts) }}, nil
}

// formatOf reads the format of a store that is to be copied.
func formatOf(fsys vfs.FS) (recovery.Format, error) {
	f, err := recovery.ReadFormat(fsys)
	if errors.Is(err, fault.ErrNotFound) {
		err = &fault.Error{Op: "open", At: fault.Place{Path: fsys.Path()}, Err: fault.ErrNotStore, Detail: "there is no " + recovery.FormatName}
	}
	return f, err
}

// momentOf looks how far a store counts as whoever opens it for reading does: with
// everything that proves it, damage told from a torn tail.
func momentOf(ctx context.Context, fsys vfs.FS, opts recovery.Options) (m Moment, err error) {
	opts.ReadOnly = true
	s, err := recovery.Open(ctx, fsys, opts)
	if err != nil {
		return m, err
	}
	m.Seq, m.Chain = s.Picture.Seq(), s.Picture.Chain()
	m.Files, err = recovery.Files(fsys)
	return m, errors.Join(err, s.Reader.Close())
}

// lookAtSource learns how far the source counts and what of it is kept.
func (r *run) lookAtSource(ctx context.Context) error {
	var last error
	for range tries {
		err := r.lookOnce(ctx)
		_, again := errors.AsType[*unfit](err)
		switch {
		case again && ctx.Err() != nil:
			return context.Cause(ctx)
		case !again || damaged(err, last):
			return err
		}
		last = err
	}
	return r.tooFast(last)
}

func (r *run) lookOnce(ctx context.Context) (err error) {
	if r.at, err = r.src.Moment(ctx); err != nil {
		return err
	}
	s := &stock{fs: r.src.FS, store: r.id}
	if err := s.read(ctx, r.at.Files, r.at.Seq); err != nil {
		return ofSource(err)
	}
	if err := s.hangs(r.at.Seq, r.partly()); err != nil {
		return ofSource(err)
	}
	nanos, chain, err := s.timeAt(ctx, r.at.Seq)
	if err == nil && chain != r.at.Chain {
		err = &fault.Error{Op: "backup", At: fault.Place{Path: wal.Dir, Seq: uint64(r.at.Seq)}, Err: fault.ErrCorrupt, Detail: "the chain value of the log is not the one that the store has"}
	}
	r.have, r.time = s, nanos
	return ofSource(err)
}

// partly says whether the source may hold files that no longer hang together: a
// promotion or a backup across a gap was cut off while it removed them.
func (r *run) partly() bool {
	for _, f := range r.at.Files {
		if f.Class == recovery.ClassFlag {
			return true
		}
	}
	return r.src.Format.IsBackup()
}

// hangs keeps what leads to a batch. It is ErrCorrupt where nothing does, or where
// something in between is missing.
func (s *stock) hangs(top batch.Seq, partly bool) error {
	if top == 0 {
		return nil
	}
	loose, whole := s.connect(top)
	first := s.first(top)
	e := &fault.Error{Op: "read log", At: fault.Place{Path: wal.Dir, Seq: uint64(first - 1)}, Err: fault.ErrCorrupt, Hint: "see `vlog check`; put back what is missing"}
	switch {
	case !whole:
		e.Detail = "no checkpoint stands at or above " + (first - 1).String() + ", where the log begins"
	case len(loose) > 0 && !partly:
		e.Detail = "what comes before " + first.String() + " is missing or does not lead there, yet " + loose[0] + " is kept"
	default:
		return nil
	}
	return e
}
