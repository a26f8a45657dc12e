package recovery

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// look is what opening learns before it changes anything.
type look struct {
	ctx   context.Context // of the opening; ends the looking
	fs    vfs.FS
	store wal.StoreID
	codec wal.Codec

	files []File
	flags checkpoint.Flags
	known map[batch.Seq]checkpoint.Header // checkpoints that verify
	move  move                            // what becomes of a raised promotion

	floor  batch.Seq    // what LOCK and log/durable prove to be there
	says   string       // which of the two
	closed batch.Seq    // where a clean close ended the log; 0: there was none
	ended  *batch.Chain // the chain value there, where LOCK tells it
	bound  bool         // read-only: show nothing above limit
	limit  batch.Seq
	header checkpoint.Header
	base   *state.Picture // of the checkpoint that was loaded
	edit   *state.Edit    // base and what was replayed on it
	batch  batch.Batch    // reused
	bulk   *bulk          // applies while the whole log is read; else nil
	last   batch.Seq
	chain  batch.Chain

	below    []wal.Kept // sealed segments that end before the checkpoint
	segments []*wal.Segment
	reading  string // the segment that is being scanned
	report   Report
}

// move is how opening ends a promotion that a crash interrupted.
type move uint8

const (
	moveNone   move = iota
	moveEnter       // backup verifies and is the one that the flag names: go on at p4
	moveFinish      // the checkpoint is in place already: go on at p5
	moveUndo        // remove the flag, then backup
)

// run looks at everything; an error means that opening must change nothing.
func (l *look) run(readOnly bool) error {
	if err := l.list(); err != nil {
		return err
	}
	if err := l.bounds(readOnly); err != nil {
		return err
	}
	if !readOnly {
		if err := l.promotion(); err != nil {
			return err
		}
	}
	if err := l.load(); err != nil {
		return err
	}
	return l.replay()
}

// list lists and classifies every name.
func (l *look) list() (err error) {
	if l.files, err = walk(l.fs); err != nil {
		return err
	}
	if err := plain(l.files); err != nil {
		return err
	}
	l.unknown()
	if !slices.ContainsFunc(l.files, func(f File) bool { return f.Class == ClassLogDir }) {
		return &fault.Error{Op: "open", At: fault.Place{Path: wal.Dir}, Err: fault.ErrCorrupt, Detail: "the directory is missing", Hint: "put it back, or restore a backup; nothing was changed"}
	}
	return l.spelled()
}

// spelled returns ErrForeign where a segment is not of the store's codec: such a
// store was put together of two.
func (l *look) spelled() error {
	for _, f := range l.files {
		if f.Class != ClassSegment {
			continue
		}
		if _, codec, _ := wal.ParseSegment(f.Base()); codec != l.codec {
			return &fault.Error{Op: "open", At: fault.Place{Path: f.Path}, Err: fault.ErrForeign, Detail: fmt.Sprintf("a segment of codec %v in a store of codec %v", codec, l.codec),
				Hint: "move it away if it does not belong here; nothing was changed"}
		}
	}
	return nil
}

func (l *look) unknown() {
	for _, f := range l.files {
		if f.Class == Unknown {
			l.report.Unknown = append(l.report.Unknown, f.Path)
		}
	}
}

// bounds reads what proves that the log reaches at least so far. For a reader of
// the same boot log/durable is also how far it may look.
func (l *look) bounds(readOnly bool) error {
	note, err := readLock(l.fs)
	if err != nil {
		return err
	}
	if c := note.Closed; c != nil && string(note.Store) == string(l.store[:]) {
		l.floor, l.says, l.closed = c.Seq, LockName, c.Seq
		if len(c.Chain) == len(batch.Chain{}) {
			l.ended = (*batch.Chain)(c.Chain)
		}
	}
	d, ok, err := wal.ReadDurable(l.fs, l.store)
	if err != nil || !ok {
		return err
	}
	if d.Seq > l.floor {
		l.floor, l.says = d.Seq, wal.DurableName
	}
	if boot := l.fs.Boot(); readOnly && boot != "" && d.Boot == wal.BootID(boot) {
		l.bound, l.limit = true, d.Seq
	}
	return nil
}

// promotion decides by content what a raised flag means.
func (l *look) promotion() (err error) {
	if l.flags, err = checkpoint.ReadFlags(l.fs, l.store); err != nil {
		return err
	}
	if l.flags.Recover || l.flags.Backup {
		l.move = moveUndo
	}
	p := l.flags.Promotion
	if p == nil {
		return nil
	}
	if ok, err := l.matches(checkpoint.Name(p.Seq), p); err != nil || ok {
		l.move = moveFinish
		return err
	}
	if !l.flags.Backup {
		return nil
	}
	ok, err := l.matches(checkpoint.Backup, p)
	if ok {
		l.move = moveEnter
	}
	return err
}

// matches says whether a file is a checkpoint that verifies and is the one that p names.
func (l *look) matches(name string, p *checkpoint.Promotion) (bool, error) {
	sum, err := checkpoint.Verify(l.fs, name, l.store)
	if err != nil {
		return false, unlessUnusable(err)
	}
	return sum.At.Seq == p.Seq && string(sum.Digest[:]) == string(p.Digest), nil
}

// unlessUnusable is nil for an error that says that a file cannot serve, and err
// for one that says that it could not be read.
func unlessUnusable(err error) error {
	for _, kind := range []error{fault.ErrCorrupt, fault.ErrForeign, fault.ErrIncompatible, fault.ErrNotFound} {
		if errors.Is(err, kind) && !errors.Is(err, fault.ErrIO) {
			return nil
		}
	}
	return err
}

// load loads the newest checkpoint that verifies.
func (l *look) load() error {
	l.base = state.Empty()
	for _, seq := range l.candidates() {
		if err := context.Cause(l.ctx); err != nil {
			return err
		}
		name := checkpoint.Name(seq)
		if l.move == moveEnter && seq == l.flags.Promotion.Seq {
			name = checkpoint.Backup
		}
		pic, sum, err := checkpoint.Load(l.fs, name, l.store)
		if err == nil && sum.At.Seq != seq {
			err = &fault.Error{Op: "open", At: fault.Place{Path: name}, Err: fault.ErrCorrupt, Detail: fmt.Sprintf("the checkpoint of %v under another name", sum.At.Seq)}
		}
		if err == nil {
			l.known[seq] = sum.Header
			l.base, l.header, l.report.Checkpoint = pic, sum.Header, seq
			if l.otherEnd(seq, pic.Chain()) {
				return otherHistory(fault.Place{Path: name, Seq: uint64(seq)})
			}
			break
		}
		if unlessUnusable(err) != nil || errors.Is(err, fault.ErrForeign) {
			return err
		}
		l.skip(seq, err)
	}
	l.last, l.chain = l.base.Seq(), l.base.Chain()
	l.edit = state.NewEdit(l.base)
	return nil
}

// otherEnd says whether the log had another chain value where a clean close ended it.
func (l *look) otherEnd(seq batch.Seq, chain batch.Chain) bool {
	return l.ended != nil && seq == l.closed && chain != *l.ended
}

func otherHistory(at fault.Place) error {
	return &fault.Error{Op: "open", At: at, Err: fault.ErrCorrupt, Detail: "its chain value is not the one with which the store was closed, as " + LockName + " tells",
		Hint: "a file was replaced or edited; put back the right one, or restore a backup; nothing was changed"}
}

// skip goes past a checkpoint that does not verify. Its name still says that every
// batch up to there was acknowledged: the log must have what the picture had.
func (l *look) skip(seq batch.Seq, cause error) {
	l.report.Skipped = append(l.report.Skipped, Skipped{seq, cause})
	if seq > l.floor {
		l.floor, l.says = seq, checkpoint.Name(seq)
	}
}

// candidates lists checkpoints newest first, the one about to be promoted among them.
func (l *look) candidates() (seqs []batch.Seq) {
	for _, f := range l.files {
		if f.Class == ClassCheckpoint {
			seq, _ := checkpoint.ParseName(f.Base())
			seqs = append(seqs, seq)
		}
	}
	if l.move == moveEnter && !slices.Contains(seqs, l.flags.Promotion.Seq) {
		seqs = append(seqs, l.flags.Promotion.Seq)
	}
	slices.Sort(seqs)
	slices.Reverse(seqs)
	return seqs
}
