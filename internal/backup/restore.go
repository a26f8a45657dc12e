package backup

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/recovery"
	"github.com/vlogdb/vlog/wal"
)

// RestoreOptions of a restore. Open is how the source is looked at; its Now is required.
// At most one of Seq and Time is set; with neither it is the newest moment.
type RestoreOptions struct {
	Seq      uint64
	Time     time.Time  // the last batch before the first one that is later, in order
	DryRun   bool       // only tell
	NoCheck  bool       // do not read the result back
	Codec    *wal.Codec // of the result; nil is that of the source
	Progress func(done, total int64)
	Open     recovery.Options
}

// Restored is what a restore did, or would do.
type Restored struct {
	Seq         uint64
	Time        time.Time // of that batch, UTC; zero where there is none
	Chain       string    // hex: commits to every batch up to it
	Segments    int
	Checkpoints int
	Bytes       int64
	Checked     bool
	Took        time.Duration
}

// Restore makes a store as a place, or another store that nobody writes to, was at a
// moment. Errors: ErrExists where the target is not empty, ErrCompacted for a moment
// before what is kept, ErrNotFound for one that has not come, ErrConflict where it has
// the codec asked for already, ErrNotStore, ErrLocked,
// ErrCorrupt, ErrIncompatible, ErrNoSpace, ErrIO, or the context's. A target that was
// not finished is refused by whoever opens it, until the same restore was run again.
func Restore(ctx context.Context, src vfs.FS, to Dest, opts RestoreOptions) (Restored, error) {
	if ctx.Err() != nil { // before anything is made
		return Restored{}, context.Cause(ctx)
	}
	r := &restore{src: src, opts: opts, began: opts.Open.Now()}
	var err error
	if r.format, err = formatOf(src); err != nil {
		return Restored{}, err
	}
	if r.id, err = r.format.Store(); err != nil {
		return Restored{}, err
	}
	if err = r.format.Copyable(); err != nil {
		return Restored{}, err
	}
	r.codec = r.format.LogCodec()
	if opts.Codec != nil {
		if r.codec == *opts.Codec {
			return Restored{}, &fault.Error{Op: "convert", At: fault.Place{Path: src.Path()}, Err: fault.ErrConflict, Detail: "it has codec " + r.codec.String() + " already", Hint: "name the other codec; `vlog restore` copies a store as it is"}
		}
		r.codec = *opts.Codec
	}
	if err := r.visit(to); err != nil {
		return Restored{}, err
	}
	if err := r.plan(ctx); err != nil {
		return Restored{}, r.blame(ctx, err)
	}
	if !opts.DryRun {
		err = r.restore(ctx, to)
	}
	r.res.Took = max(opts.Open.Now().Sub(r.began), 0)
	if u, ok := errors.AsType[*unfit](err); ok {
		return r.res, r.blame(ctx, u.cause)
	}
	return r.res, within(r.target, err)
}

// restore is one restore.
type restore struct {
	src    vfs.FS
	format recovery.Format
	id     wal.StoreID
	codec  wal.Codec // of the target
	opts   RestoreOptions
	began  time.Time

	quiet *recovery.Quiet // over the source
	files []recovery.File
	have  *stock
	at    batch.Seq
	chain batch.Chain

	target vfs.FS
	fresh  bool // nothing of ours stands there yet
	res    Restored
}

// visit looks at the target before anything is made.
func (r *restore) visit(to Dest) error {
	fsys, err := to.Open()
	if errors.Is(err, fault.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	r.target = fsys
	err = r.recognise()
	r.target = nil
	return within(fsys, errors.Join(err, fsys.Close()))
}

// recognise returns ErrExists unless the target is empty, or was left unfinished by a
// restore of the same store.
func (r *restore) recognise() error {
	e := &fault.Error{Op: "restore", At: fault.Place{Path: r.target.Path()}, Err: fault.ErrExists, Hint: "name a directory that is empty, or not there yet; nothing was changed"}
	f, err := recovery.ReadPlace(r.target)
	if errors.Is(err, fault.ErrNotFound) {
		r.fresh = true
		e.Detail, err = recovery.Vacant(r.target)
		if err != nil || e.Detail == "" {
			return err
		}
		e.Detail += " is there"
		return e
	}
	if err != nil {
		return err
	}
	r.fresh = false
	if !f.Unfinished() || f.IsBackup() || f.UUID != r.format.UUID {
		e.Detail = "store " + f.UUID + " is there"
		return e
	}
	return r.onlyOurs(e)
}

// onlyOurs returns e where an unfinished target holds anything that is not ours.
func (r *restore) onlyOurs(e *fault.Error) error {
	files, err := recovery.Files(r.target)
	for _, f := range files {
		if f.Class == recovery.Unknown || f.Class == recovery.Irregular {
			e.Detail = f.Path + " is there"
			return e
		}
	}
	return err
}

// plan finds the moment and what leads to it.
func (r *restore) plan(ctx context.Context) (err error) {
	if r.quiet, err = recovery.NewQuiet(r.src); err != nil {
		return err
	}
	if r.files, err = recovery.Files(r.src); err != nil {
		return err
	}
	if r.at, err = r.moment(ctx); err != nil {
		return err
	}
	if r.have, err = r.upTo(ctx, r.at); err != nil {
		return err
	}
	nanos, chain, err := r.have.timeAt(ctx, r.at)
	if err != nil {
		return err
	}
	r.chain = chain
	r.res = Restored{Seq: uint64(r.at), Chain: hex.EncodeToString(chain[:]), Segments: len(r.have.pieces), Checkpoints: len(r.have.images), Bytes: bytesOf(r.have.pieces, r.have.images)}
	if nanos != 0 {
		r.res.Time = time.Unix(0, nanos).UTC()
	}
	return nil
}

// blame tells of whoever wrote to the source meanwhile, as a backup does to its place,
// where what was read does not hang together because of that.
func (r *restore) blame(ctx context.Context, err error) error {
	if r.quiet == nil || ctx.Err() != nil {
		return err
	}
	return r.quiet.Blame(err)
}

// upTo reads what leads to a batch.
func (r *restore) upTo(ctx context.Context, at batch.Seq) (*stock, error) {
	s := &stock{fs: r.src, store: r.id}
	if err := s.read(ctx, r.files, at); err != nil {
		return nil, err
	}
	if at == 0 {
		return &stock{fs: r.src, store: r.id}, nil
	}
	if _, whole := s.connect(at); !whole {
		return nil, r.broken(at, s.first(at))
	}
	return s, nil
}

// broken is the error for a batch that the log leads to only from first on: damage where
// the files that are there claim that it is kept.
func (r *restore) broken(at, first batch.Seq) error {
	if floor, ok := r.lowest(); !ok || at < floor {
		return r.notKept(at)
	}
	return &fault.Error{Op: "restore", At: fault.Place{Path: wal.Dir, Seq: uint64(first - 1)}, Err: fault.ErrCorrupt, Detail: "what comes before " + first.String() + " is missing or does not lead there",
		Hint: "see `vlog check`; name a moment behind it, run the backup again, or put back what is missing"}
}

// notKept is the error for a moment before what is kept; at is the batch asked for, 0
// where it was a time.
func (r *restore) notKept(at batch.Seq) error {
	e := &fault.Error{Op: "restore", At: fault.Place{Path: r.src.Path(), Seq: uint64(at)}, Err: fault.ErrCompacted, Detail: "it leads to no moment that early", Hint: "see `vlog info` for what is kept"}
	if floor, ok := r.lowest(); ok {
		e.Detail, e.Hint = "the first that can be restored is "+floor.String(), "name that, or a later one"
	}
	return e
}

// lowest returns the first moment that can be restored, by the names of the files; 0 is
// the empty store.
func (r *restore) lowest() (floor batch.Seq, ok bool) {
	log := r.newestFirst()
	for _, f := range r.files {
		if first, _ := seqOf(f); f.Class == recovery.ClassSegment {
			log = min(log, first)
		}
	}
	if log == 1 {
		return 0, true
	}
	for _, f := range r.files {
		if _, seq := seqOf(f); f.Class == recovery.ClassCheckpoint && seq+1 >= log && (!ok || seq < floor) {
			floor, ok = seq, true
		}
	}
	return floor, ok
}

// enter takes the target: what an unfinished restore left in it goes.
func (r *restore) enter() (*recovery.Hold, error) {
	if err := r.recognise(); err != nil {
		return nil, err
	}
	hold, err := recovery.TakeLock(r.target, r.id, r.opts.Open.Now)
	if err != nil {
		return nil, err
	}
	if err = r.recognise(); err == nil {
		err = prepare(r.target)
	}
	if err == nil && r.fresh {
		err = recovery.WriteFormat(r.target, r.outcome(false))
	}
	if err == nil {
		err = r.clear()
	}
	if err != nil {
		return nil, errors.Join(err, hold.Close())
	}
	return hold, nil
}

// outcome is the format of the target.
func (r *restore) outcome(finished bool) recovery.Format {
	f := r.format.AsStore(finished)
	f.Codec = r.codec.String()
	return f
}

// clear removes what an unfinished restore, perhaps to another moment, left.
func (r *restore) clear() error {
	files, err := recovery.Files(r.target)
	if err != nil {
		return err
	}
	var names []string
	for _, f := range files {
		if f.Class == recovery.ClassSegment || f.Class == recovery.ClassCheckpoint {
			names = append(names, f.Path)
		}
	}
	return removeAll(r.target, names)
}

// restore writes, under the lock of the target.
func (r *restore) restore(ctx context.Context, to Dest) (err error) {
	if r.target, err = to.Create(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.target.Close()) }()
	hold, err := r.enter()
	if err != nil {
		return err
	}
	now := r.opts.Open.Now
	c := &copier{from: r.src, to: r.target, store: r.id, now: func() int64 { return now().UnixNano() }, progress: r.opts.Progress, total: r.res.Bytes,
		respells: r.codec != r.format.LogCodec(), codec: r.codec}
	err = c.all(ctx, r.have.pieces, r.have.images)
	if err == nil {
		err = hold.End(recovery.Closed{Seq: r.at, Chain: r.chain[:], Time: now().UTC()})
	}
	if err == nil {
		err = recovery.WriteFormat(r.target, r.outcome(true))
	}
	if err = errors.Join(err, hold.Close()); err != nil || r.opts.NoCheck {
		return err
	}
	r.res.Checked = true
	return sound(ctx, r.target, now)
}
