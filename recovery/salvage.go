package recovery

import (
	"context"
	"errors"
	"fmt"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// Salvaged is what a salvage kept and set aside.
type Salvaged struct {
	Whole      bool      // nothing had to be set aside; opening repairs whatever there is
	Checkpoint batch.Seq // that the kept log stands on; 0: on nothing
	First      batch.Seq // of the kept log; Last+1 where none is kept
	Last       batch.Seq // newest batch kept
	Known      batch.Seq // newest batch known to have been there
	Aside      []Aside
}

// Aside is a file, or the end of one, that was set aside (or would be).
type Aside struct {
	File    string // where it was
	Offset  int64  // from where on; 0: all of it
	To      string // where it is now; empty where nothing was done
	Batches uint64 // that can be read in it
	Why     string
}

// SalvageOptions of a salvage.
type SalvageOptions struct {
	DryRun  bool                  // only say what would be done
	Rescued func(wal.Entry) error // is given the batches above the first lost one that can still be read, ascending; nil is not called
	Ready   func() error          // is called when Rescued was given all and before anything is changed; its error ends the salvage; nil is not called
}

// Salvage makes a damaged store one that opens: it keeps the newest checkpoint that
// verifies, the log that goes on from there without a gap, and of the log and the
// checkpoints before it what still joins; everything else is moved to log/error,
// nothing is deleted. A store that opens is left as it is, but for damage that opening
// does not meet.
//
// Errors: ErrCorrupt where nothing can be kept; ErrIncompatible where a file comes
// from the future, ErrIO where one cannot be read: both say nothing about damage. After
// an error, or a stop in the middle, the same call goes on.
func Salvage(ctx context.Context, fsys vfs.FS, opts Options, how SalvageOptions) (sum Salvaged, err error) {
	s := &Store{FS: fsys}
	format, err := ReadFormat(fsys)
	if errors.Is(err, fault.ErrNotFound) {
		return sum, &fault.Error{Op: "salvage", At: fault.Place{Path: fsys.Path()}, Err: fault.ErrNotStore, Detail: "there is no " + FormatName}
	}
	if err != nil {
		return sum, err
	}
	opts.ReadOnly = how.DryRun
	if err := s.found(format, opts); err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, s.letGo()) }()
	if err := s.settled(how.DryRun, holder(opts)); err != nil {
		return sum, err
	}
	v := &salvage{ctx: ctx, store: s, how: how, codec: format.LogCodec(), chains: map[batch.Seq]batch.Chain{}, taken: map[string]bool{}, now: opts.nanos()}
	return v.run()
}

// settled makes sure that nobody writes meanwhile.
func (s *Store) settled(dryRun bool, h Holder) error {
	if dryRun {
		return unheld(s.FS)
	}
	return s.hold(h)
}

type salvage struct {
	ctx   context.Context
	store *Store
	how   SalvageOptions
	codec wal.Codec

	files  []File
	chains map[batch.Seq]batch.Chain // behind checkpoints that verify, and before #1
	base   batch.Seq                 // the newest of them
	pieces []*piece                  // ascending
	bad    []Aside                   // checkpoints
	low    int                       // first piece that is kept
	top    int                       // the last; low-1 where none is
	last   batch.Seq
	known  batch.Seq
	end    *look // knows what LOCK and log/durable prove
	other  bool  // LOCK tells of a close with other batches

	aside []Aside
	taken map[string]bool // names in log/error
	now   int64
}

func (v *salvage) run() (sum Salvaged, err error) {
	for _, step := range []func() error{v.survey, v.checkpoints, v.segments, v.keep, v.rescue, v.ready} {
		if err := step(); err != nil {
			return sum, err
		}
	}
	sum = Salvaged{Whole: !v.todo(), Checkpoint: v.base, First: v.first(), Last: v.last, Known: max(v.known, v.last)}
	if !v.how.DryRun && !sum.Whole {
		err = v.act()
	}
	sum.Aside = v.aside
	return sum, err
}

// ready lets the caller make durable what was rescued: what is set aside is not
// rescued again.
func (v *salvage) ready() error {
	if v.how.Ready == nil {
		return nil
	}
	return v.how.Ready()
}

// todo says whether there is anything that opening would not do.
func (v *salvage) todo() bool {
	open := false
	for i := v.low; i < v.top; i++ {
		open = open || !v.pieces[i].seg.Sealed
	}
	return open || v.other || len(v.aside) > 0 || v.known > v.last
}

// survey learns the names, and how far the log is known to have reached.
func (v *salvage) survey() (err error) {
	if v.files, err = walk(v.store.FS); err != nil {
		return err
	}
	if err := plain(v.files); err != nil {
		return err
	}
	for _, f := range v.files {
		v.taken[f.Path] = true
	}
	l := &look{ctx: v.ctx, fs: v.store.FS, store: v.store.ID}
	if err := l.bounds(false); err != nil {
		return err
	}
	v.known, v.end = l.floor, l
	if err := l.promotion(); err != nil || l.move != moveEnter {
		return err
	}
	_, sum, err := checkpoint.Load(v.store.FS, checkpoint.Backup, v.store.ID) // opening will put it in place
	v.chains[sum.At.Seq], v.base = sum.At.Chain, sum.At.Seq
	return err
}

// useless returns why a file is of no use, or the error where its state says nothing
// about damage.
func useless(err error) (string, error) {
	if errors.Is(err, fault.ErrIO) || !errors.Is(err, fault.ErrCorrupt) && !errors.Is(err, fault.ErrForeign) {
		return "", err
	}
	if e, ok := errors.AsType[*fault.Error](err); ok && e.Detail != "" {
		return e.Detail, nil
	}
	return err.Error(), nil
}

// checkpoints learns which of them verify.
func (v *salvage) checkpoints() error {
	v.chains[0] = batch.Chain{}
	for _, f := range v.files {
		if f.Class != ClassCheckpoint {
			continue
		}
		if v.ctx.Err() != nil {
			return context.Cause(v.ctx)
		}
		seq, _ := checkpoint.ParseName(f.Base())
		_, sum, err := checkpoint.Load(v.store.FS, f.Path, v.store.ID)
		if err == nil && sum.At.Seq != seq {
			err = &fault.Error{Op: "salvage", Err: fault.ErrCorrupt, Detail: fmt.Sprintf("the checkpoint of %v under another name", sum.At.Seq)}
		}
		if err == nil {
			v.chains[seq], v.base = sum.At.Chain, max(v.base, seq)
			v.other = v.other || v.end.otherEnd(seq, sum.At.Chain)
			continue
		}
		why, err := useless(err)
		if err != nil {
			return err
		}
		v.bad, v.known = append(v.bad, Aside{File: f.Path, Why: why}), max(v.known, seq)
	}
	return nil
}

// first returns the first batch of the kept log.
func (v *salvage) first() batch.Seq {
	if v.low <= v.top {
		return v.pieces[v.low].seg.Header.First
	}
	return v.last + 1
}
