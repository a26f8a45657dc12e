// Package recovery brings a directory back after any stop and checks it.
//
// Opening looks first and changes nothing until it knows that nothing was lost:
// it reads flags, checkpoints and segments, replays the log into the map with the
// same function that the writer uses, and tells damage (an error, nothing
// changed) from a torn tail (cut, kept in error/, reported). Then it ends what a
// crash interrupted, step by step as in docs/CRASH.md; a crash in any of these
// steps only means that the next opening does it again.
//
// Embedders do not need this package.
package recovery

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// Options of opening. Rand and Now are required.
type Options struct {
	ReadOnly      bool      // take no lock and change nothing
	MustExist     bool      // ErrNotStore where there is no store; otherwise one is made
	MustNotExist  bool      // ErrExists where there is one
	Documentation string    // of a store that is made
	Codec         wal.Codec // of a store that is made
	SegmentSize   int64
	MaxBatch      int
	Spares        int
	Grow          int64
	Reserve       int64
	Rand          func() uint64
	Now           func() time.Time
	Logger        *slog.Logger // nil is silent
}

func (o *Options) nanos() int64 { return o.Now().UnixNano() }

// Store is an open store: with a writer and its lock, or, opened read-only, with a
// reader of what another process may be writing.
type Store struct {
	FS      vfs.FS
	Format  Format
	ID      wal.StoreID
	Picture *state.Picture                  // as opening found it
	Log     wal.History                     // what can be read of the log
	Writer  *wal.Local                      // the same log; nil where read-only
	Reader  *Reader                         // nil where not
	Lock    vfs.Lock                        // nil where read-only
	Known   map[batch.Seq]checkpoint.Header // checkpoints that verify
	Report  Report

	was  []byte // what LOCK said before
	held bool   // LOCK says that we hold it
}

// Open opens the store at the root of fsys, or makes one. Errors: ErrNotStore,
// ErrExists, ErrIncompatible, ErrLocked, ErrCorrupt, ErrForeign, ErrReadOnly,
// ErrDenied, ErrNoLocks, ErrNoSpace, ErrIO. After an error nothing is held.
func Open(ctx context.Context, fsys vfs.FS, opts Options) (*Store, error) {
	began := opts.Now()
	s := &Store{FS: fsys, Known: map[batch.Seq]checkpoint.Header{}}
	if err := s.enter(ctx, opts); err != nil {
		return nil, errors.Join(err, s.letGo())
	}
	if err := s.recover(ctx, opts); err != nil {
		return nil, errors.Join(err, s.letGo())
	}
	s.Report.Took = max(opts.Now().Sub(began), 0)
	return s, nil
}

// enter finds the format, takes the lock and, where there is no store, makes one.
func (s *Store) enter(ctx context.Context, opts Options) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	format, err := ReadFormat(s.FS)
	if errors.Is(err, fault.ErrNotFound) {
		return s.make(opts)
	}
	if err != nil {
		return err
	}
	if opts.MustNotExist {
		return &fault.Error{Op: "create", At: fault.Place{Path: s.FS.Path()}, Err: fault.ErrExists, Detail: "store " + format.UUID}
	}
	return s.found(format, opts)
}

// found goes on with a store that is there.
func (s *Store) found(format Format, opts Options) (err error) {
	s.Format = format
	if s.ID, err = format.Store(); err != nil {
		return err
	}
	if opts.ReadOnly {
		return nil
	}
	if err := format.writable(); err != nil {
		return err
	}
	s.Lock, err = lock(s.FS)
	return err
}

// recover looks, which the context may end, then acts, which goes to its end.
func (s *Store) recover(ctx context.Context, opts Options) error {
	if opts.ReadOnly {
		return s.read(ctx)
	}
	l := &look{ctx: ctx, fs: s.FS, store: s.ID, codec: s.Format.LogCodec(), known: s.Known}
	if err := s.hold(holder(opts)); err != nil {
		return err
	}
	if err := l.run(false); err != nil {
		return err
	}
	kept, err := l.act(opts)
	if err != nil {
		return err
	}
	s.done(l)
	s.Writer, err = wal.Resume(s.FS, s.walOptions(opts), wal.Start{Segments: kept, Last: l.last, Chain: l.chain})
	s.Log = s.Writer
	return err
}

// done takes over what was found.
func (s *Store) done(l *look) {
	s.Picture = l.edit.Picture()
	r := l.report
	if t := s.Picture.Time(); t != 0 {
		r.LastTime = time.Unix(0, t).UTC()
	}
	r.Last = s.Picture.Seq()
	r.Created = s.Report.Created
	r.Clean = !r.Sealed && r.Cut == nil && r.Rewritten == 0 && r.Promoted == 0 && len(r.Skipped) == 0 && len(r.Removed) == 0
	s.Report = r
}

func (s *Store) walOptions(opts Options) wal.Options {
	return wal.Options{Store: s.ID, Codec: s.Format.LogCodec(), SegmentSize: opts.SegmentSize, MaxRecord: opts.MaxBatch, Spares: opts.Spares, Grow: opts.Grow, Reserve: opts.Reserve, Rand: opts.Rand, Now: opts.nanos, Logger: opts.Logger}
}

func holder(opts Options) Holder {
	pid, program, host := vfs.Process()
	return Holder{PID: pid, Program: program, Host: host, Since: opts.Now().UTC().Truncate(time.Second)}
}
