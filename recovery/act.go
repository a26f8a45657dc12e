package recovery

import (
	"errors"
	"path"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/wal"
)

// act ends what a crash interrupted, in the order of docs/CRASH.md, and returns
// the sealed segments that are left.
func (l *look) act(opts Options) ([]wal.Kept, error) {
	if err := l.names(); err != nil {
		return nil, err
	}
	if err := l.sweep(); err != nil { // first: what follows may need the room
		return nil, err
	}
	if err := l.settle(); err != nil {
		return nil, err
	}
	if err := l.cut(); err != nil {
		return nil, err
	}
	kept, err := l.mend(opts.nanos())
	if err != nil {
		return nil, err
	}
	switch {
	case l.move == moveEnter || l.move == moveFinish:
		return l.finish(kept)
	case l.entered():
		return l.tidy(kept)
	}
	return kept, nil
}

// names makes durable what was read of the directories: after a kill a name may
// be seen that a power cut would still take, and nothing may be built on it.
func (l *look) names() error {
	if err := l.fs.SyncDir(wal.Dir); err != nil {
		return err
	}
	return l.fs.SyncDir(".")
}

// settle takes p4, or takes back what p1 to p3 left.
func (l *look) settle() error {
	switch l.move {
	case moveFinish:
		return checkpoint.Renew(l.fs, *l.flags.Promotion)
	case moveEnter:
		if err := checkpoint.Renew(l.fs, *l.flags.Promotion); err != nil {
			return err
		}
		l.report.Promoted = l.flags.Promotion.Seq
		return checkpoint.Enter(l.fs, l.flags.Promotion.Seq)
	case moveUndo:
		if l.entered() {
			return nil // the flag goes last: it tells why the log has a gap
		}
		l.removed(checkpoint.Recover, l.flags.Recover)
		l.removed(checkpoint.Backup, l.flags.Backup)
		return checkpoint.Undo(l.fs)
	}
	return nil
}

func (l *look) removed(name string, was bool) {
	if was {
		l.report.Removed = append(l.report.Removed, name)
	}
}

// finish takes p5 and p6 of a promotion that had reached p4, by the time its flag
// says: what goes was decided then, and some of it has gone.
func (l *look) finish(kept []wal.Kept) ([]wal.Kept, error) {
	l.report.Promoted = l.flags.Promotion.Seq
	keep, err := checkpoint.KeepOf(l.base)
	if err != nil {
		return kept, err
	}
	base, err := checkpoint.Base(l.fs, l.store, checkpoint.Floor{Keep: keep, Last: l.base.Seq(), Now: l.flags.Promotion.Time}, l.known)
	if err != nil {
		return kept, err
	}
	kept, err = l.drop(kept, base)
	if err != nil {
		return kept, err
	}
	return kept, checkpoint.Undo(l.fs)
}

// entered says whether a promotion had reached p4 whose flag no longer counts: the file
// that it named has gone, and the flag is there. A bit of it flipped.
func (l *look) entered() bool {
	return l.move == moveUndo && l.flags.Recover && !l.flags.Backup
}

// tidy ends such a promotion. What was to go nobody can say any more; so only that goes
// which p5 has made useless already: what lies in front of a gap in the log.
func (l *look) tidy(kept []wal.Kept) ([]wal.Kept, error) {
	whole, err := l.whole(kept)
	if err != nil {
		return kept, err
	}
	left, err := l.drop(kept, l.useless(kept, whole))
	if err != nil {
		return left, err
	}
	for _, k := range kept[:len(kept)-len(left)] {
		l.removed(l.codec.SegmentName(k.First), true)
	}
	l.removed(checkpoint.Recover, true)
	return left, checkpoint.Undo(l.fs)
}

// whole returns from which segment on the log has no gap. The ends of those that opening
// need not read are read for it; one that cannot be read is no gap: it is not for this to
// judge.
func (l *look) whole(kept []wal.Kept) (int, error) {
	for i := len(kept) - 1; i > 0; i-- {
		ends, err := wal.ReadEnds(wal.Place{FS: l.fs, Name: l.codec.SegmentName(kept[i-1].First), Store: l.store})
		if err := unlessUnusable(err); err != nil {
			return 0, err
		}
		if err == nil && ends.Sealed && ends.Last+1 < kept[i].First {
			return i, nil
		}
	}
	return 0, nil
}

// useless returns the checkpoint in front of which the log has a gap, as it is whole from
// one of its segments on; 0 where it has none.
func (l *look) useless(kept []wal.Kept, whole int) batch.Seq {
	if len(kept) == 0 {
		return 0
	}
	base, gap := l.base.Seq(), whole > 0
	for _, f := range l.files {
		seq, ok := checkpoint.ParseName(f.Base())
		if !ok || f.Class != ClassCheckpoint {
			continue
		}
		if seq+1 < kept[whole].First {
			gap = true
		} else {
			base = min(base, seq)
		}
	}
	if !gap {
		return 0
	}
	return base
}

// drop takes p5: segments that end at or below base and checkpoints below it.
func (l *look) drop(kept []wal.Kept, base batch.Seq) ([]wal.Kept, error) {
	if base == 0 {
		return kept, nil
	}
	for len(kept) > 0 && kept[0].Last <= base {
		if err := l.fs.Remove(l.codec.SegmentName(kept[0].First)); err != nil {
			return kept, err
		}
		kept = kept[1:]
	}
	if _, err := checkpoint.DropCheckpoints(l.fs, base); err != nil {
		return kept, err
	}
	return kept, l.fs.SyncDir(wal.Dir)
}

// cut takes c1 to c6.
func (l *look) cut() error {
	if l.report.Cut != nil {
		seg := l.segments[len(l.segments)-1]
		tail := newTail(l.fs, seg, l.report.Cut)
		if err := tail.keep(); err != nil { // c1
			return err
		}
		note := checkpoint.Tail{Store: l.store[:], Segment: seg.Header.First, Epoch: seg.Header.Epoch, Offset: seg.End, Digest: tail.digest[:]}
		if err := checkpoint.RaiseCut(l.fs, note); err != nil { // c2, c3
			return err
		}
		if err := wal.Cut(l.fs, seg); err != nil { // c4
			return err
		}
	} else {
		l.removed(checkpoint.TruncateFlag, l.flags.TruncateFlag)
		l.removed(checkpoint.Truncate, l.flags.Truncate)
	}
	return checkpoint.DropCut(l.fs) // c5, c6
}

// mend takes c7: the last segment gets written again where nothing proves it
// durable, and sealed; without a frame it goes.
func (l *look) mend(now int64) ([]wal.Kept, error) {
	kept := l.below
	for i, seg := range l.segments {
		if seg.Sealed {
			if err := l.reseal(seg, i == len(l.segments)-1); err != nil {
				return nil, err
			}
			kept = append(kept, wal.Kept{First: seg.Header.First, Last: seg.Last, Epoch: seg.Header.Epoch, Size: seg.End})
			continue
		}
		if seg.Frames == 0 {
			l.removed(seg.Name, true)
			if err := wal.Discard(l.fs, seg); err != nil {
				return nil, err
			}
			return kept, l.fs.SyncDir(wal.Dir)
		}
		from := seg.From(max(seg.Synced, l.floor))
		if from > 0 {
			l.report.Rewritten = seg.End - from
		}
		k, err := wal.Mend(l.fs, seg, from, now)
		if err != nil {
			return nil, err
		}
		kept = append(kept, k)
	}
	return kept, nil
}

// reseal makes sure of the seal of the newest segment before another segment
// comes behind it: the seal proves that the frames are durable, but nothing yet
// proves that of the seal, unless LOCK tells of a clean close. It also ends a file
// behind its seal where a crash lost the shortening.
func (l *look) reseal(seg *wal.Segment, newest bool) error {
	if seg.Size == seg.End && (!newest || l.closed == seg.Last) {
		return nil
	}
	l.report.Sealed = true
	if err := l.keepBehind(seg); err != nil {
		return err
	}
	return wal.Reseal(l.fs, seg)
}

// keepBehind keeps what stands behind the seal of a segment of lines. Such a file is
// not filled ahead, so no crash leaves anything there: somebody wrote it.
func (l *look) keepBehind(seg *wal.Segment) error {
	if seg.Codec != wal.NDJSON {
		return nil
	}
	if nothing, err := blank(l.ctx, l.fs, seg); err != nil || nothing {
		return err
	}
	l.report.Cut = &Cut{File: seg.Name, Offset: seg.End, After: seg.Last, Why: "it stands behind the seal"}
	return newTail(l.fs, seg, l.report.Cut).keep()
}

// sweep removes what a crash left and nothing names: spares and the temporary
// files of replacements.
func (l *look) sweep() error {
	dirty := map[string]bool{}
	for _, f := range l.files {
		if f.Class != ClassSpare && f.Class != ClassTemp {
			continue
		}
		if err := l.fs.Remove(f.Path); err != nil {
			return err
		}
		dirty[path.Dir(f.Path)] = true
		l.report.Removed = append(l.report.Removed, f.Path)
	}
	var err error
	for _, dir := range []string{".", wal.Dir, checkpoint.ErrorDir} {
		if dirty[dir] {
			err = errors.Join(err, l.fs.SyncDir(dir))
		}
	}
	return err
}

// measure fills in what a cut would take, for a reader that changes nothing.
func (l *look) measure() error {
	if l.report.Cut == nil {
		return nil
	}
	_, err := newTail(l.fs, l.segments[len(l.segments)-1], l.report.Cut).read()
	return err
}
