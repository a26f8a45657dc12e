package recovery

import (
	"context"
	"fmt"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/wal"
)

// replay reads every segment above the checkpoint, checks that they follow each
// other without a gap, applies what they hold, and tells damage from a torn tail.
func (l *look) replay() error {
	l.bulk = newBulk(l.edit)
	err := l.readAll()
	l.bulk.end()
	l.bulk = nil
	return err
}

func (l *look) readAll() error {
	firsts := l.firsts()
	from := 0
	for i, first := range firsts {
		if first <= l.last+1 {
			from = i
		}
	}
	for i, first := range firsts {
		if i < from {
			l.below = append(l.below, wal.Kept{First: first, Last: firsts[i+1] - 1})
			continue
		}
		if err := l.segment(first, i == len(firsts)-1); err != nil {
			return err
		}
	}
	if l.floor > l.last {
		return l.short()
	}
	l.report.Last, l.report.Segments = l.last, len(l.segments)
	return nil
}

// firsts lists the segments by their first seq, ascending: names are padded and
// ReadDir sorts.
func (l *look) firsts() (seqs []batch.Seq) {
	for _, f := range l.files {
		if f.Class == ClassSegment {
			first, _, _ := wal.ParseSegment(f.Base())
			seqs = append(seqs, first)
		}
	}
	return seqs
}

// segment reads one segment that must follow what was read so far.
func (l *look) segment(first batch.Seq, newest bool) error {
	name := l.codec.SegmentName(first)
	if first > l.last+1 {
		return l.gap(name, first)
	}
	if l.ctx.Err() != nil {
		return context.Cause(l.ctx)
	}
	l.reading = name
	seg, err := wal.Scan(l.ctx, wal.Place{FS: l.fs, Name: name, Store: l.store}, l.apply)
	if err != nil {
		return err
	}
	if err := l.follows(seg); err != nil {
		return err
	}
	l.segments = append(l.segments, seg)
	if seg.Sealed {
		return nil
	}
	return l.unsealed(seg, newest)
}

// follows checks that a segment chains to the checkpoint or the segment before it.
func (l *look) follows(seg *wal.Segment) error {
	if len(l.segments) > 0 {
		prev := l.segments[len(l.segments)-1]
		if prev.ChainEnd != seg.Header.Chain {
			return l.unchained(seg, prev.Name)
		}
		return nil
	}
	if seg.Header.First == l.base.Seq()+1 && seg.Header.Chain != l.base.Chain() {
		return l.unchained(seg, "the checkpoint")
	}
	return nil
}

func (l *look) unchained(seg *wal.Segment, before string) error {
	return &fault.Error{Op: "open", At: fault.Place{Path: seg.Name, Seq: uint64(seg.Header.First)}, Err: fault.ErrCorrupt, Detail: "its chain value is not that of " + before,
		Hint: "a segment was replaced or edited; put back the right one, or restore a backup"}
}

// patience is how many batches are applied between two looks at the context.
const patience = 1 << 10

// apply takes one batch of a segment.
func (l *look) apply(e wal.Entry, off int64) error {
	if e.Seq%patience == 0 && l.ctx.Err() != nil {
		return context.Cause(l.ctx)
	}
	if e.Seq == l.base.Seq() && e.Chain != l.base.Chain() {
		return &fault.Error{Op: "open", At: fault.Place{Path: l.reading, Offset: off, Seq: uint64(e.Seq)}, Err: fault.ErrCorrupt, Detail: "its chain value is not that of the checkpoint",
			Hint: "log and checkpoint do not belong together; restore a backup"}
	}
	if l.otherEnd(e.Seq, e.Chain) {
		return otherHistory(fault.Place{Path: l.reading, Offset: off, Seq: uint64(e.Seq)})
	}
	if e.Seq != l.last+1 {
		return nil
	}
	if l.bound && e.Seq > l.limit {
		l.last, l.chain, l.report.Beyond = e.Seq, e.Chain, e.Seq
		return nil
	}
	if e.Flags&batch.FlagRef != 0 {
		return &fault.Error{Op: "open", At: fault.Place{Path: l.reading, Offset: off, Seq: uint64(e.Seq)}, Err: fault.ErrIncompatible, Detail: "the batch lies in an object, which this version does not read"}
	}
	if err := l.change(e); err != nil {
		return &fault.Error{Op: "open", At: fault.Place{Path: l.reading, Offset: off, Seq: uint64(e.Seq)}, Err: fault.KindOf(err), Cause: err}
	}
	l.last, l.chain = e.Seq, e.Chain
	l.report.Replayed++
	l.report.ReplayedBytes += int64(len(e.Payload))
	return nil
}

// change makes the changes of one batch.
func (l *look) change(e wal.Entry) error {
	if l.bulk != nil {
		return l.bulk.take(&l.batch, e)
	}
	err := batch.Decode(&l.batch, e.Payload)
	if err == nil {
		l.edit.Apply(&l.batch, state.Position{Seq: e.Seq, Time: e.Time, Chain: e.Chain})
	}
	return err
}

// unsealed decides about a segment without a seal: a gap below what is proven is
// damage; otherwise what does not check out is a torn tail.
func (l *look) unsealed(seg *wal.Segment, newest bool) error {
	proven, by := max(seg.Synced, l.base.Seq()), "the log or a checkpoint"
	if l.floor > proven {
		proven, by = l.floor, l.says
	}
	if !newest {
		proven, by = seg.Last+1, "a newer segment"
	}
	if denied(seg) {
		return changed(seg)
	}
	if proven > seg.Last {
		return damaged(seg, by)
	}
	l.report.Sealed = true
	if seg.Bad != nil {
		l.report.Cut = &Cut{File: seg.Name, Offset: seg.End, After: seg.Last, Why: seg.Bad.Why}
	}
	return nil
}

// denied says whether a good frame or seal of a segment was written behind other batches
// than those that stand before it.
func denied(seg *wal.Segment) bool { return seg.Bad != nil && seg.Bad.Denied }

// deniedSeq is the newest batch that may be the one that was changed.
func deniedSeq(seg *wal.Segment) batch.Seq { return max(seg.Last, seg.Header.First) }

// changed is the error for a batch that was changed together with its checksum.
func changed(seg *wal.Segment) error {
	return &fault.Error{Op: "open", At: fault.Place{Path: seg.Name, Offset: seg.Bad.Offset, Seq: uint64(deniedSeq(seg))}, Err: fault.ErrCorrupt,
		Detail: seg.Bad.Why + ": a batch before it was changed, and its checksum with it",
		Hint:   "nothing was changed by this opening; put back what was edited, or restore a backup"}
}

// damaged is the error for a batch that was acknowledged and does not check out.
func damaged(seg *wal.Segment, by string) error {
	at := fault.Place{Path: seg.Name, Offset: seg.Space(), Seq: uint64(seg.Last + 1)}
	why := "nothing stands there"
	if seg.Bad != nil {
		at.Offset, why = seg.Bad.Offset, seg.Bad.Why
	}
	return &fault.Error{Op: "open", At: at, Err: fault.ErrCorrupt, Detail: why + ", yet " + by + " says that it was durable",
		Hint: "nothing was changed; restore a backup, or see with `vlog recover --salvage --dry-run` what can be kept"}
}

// gap is the error for a missing segment.
func (l *look) gap(name string, first batch.Seq) error {
	return &fault.Error{Op: "open", At: fault.Place{Path: l.codec.SegmentName(l.last + 1), Seq: uint64(l.last + 1)}, Err: fault.ErrCorrupt,
		Detail: fmt.Sprintf("segment missing: %v to %v come before %s", l.last+1, first-1, name),
		Hint:   "put the missing segment back, or restore a backup; nothing was changed"}
}

// short is the error for a log that ends before what is proven.
func (l *look) short() error {
	return &fault.Error{Op: "open", At: fault.Place{Path: wal.Dir, Seq: uint64(l.last + 1)}, Err: fault.ErrCorrupt,
		Detail: fmt.Sprintf("the log ends at %v, yet %s says that %v was durable: segments are missing", l.last, l.says, l.floor),
		Hint:   "put the missing segments back, or restore a backup; nothing was changed"}
}
