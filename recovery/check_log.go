package recovery

import (
	"errors"
	"fmt"
	"slices"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/wal"
)

// segments reads every segment whole and follows the chain through them.
func (c *checker) segments() error {
	var firsts []File
	for _, f := range c.files {
		if f.Class == ClassSegment {
			firsts = append(firsts, f)
		}
	}
	for i, f := range firsts {
		next := batch.Seq(0)
		if i+1 < len(firsts) {
			next, _, _ = wal.ParseSegment(firsts[i+1].Base())
		}
		if err := c.segment(f, next); err != nil {
			return err
		}
	}
	return nil
}

// segment reads one segment; next is the first seq of the one behind it, or 0.
func (c *checker) segment(f File, next batch.Seq) error {
	c.sum.Segments++
	first, _, _ := wal.ParseSegment(f.Base())
	c.look.reading = f.Path
	seg, err := wal.Scan(c.ctx, wal.Place{FS: c.fs, Name: f.Path, Store: c.store}, c.visit)
	if err != nil {
		c.prev = nil
		return errors.Join(c.damage(f.Path, first, err, affected(first, next)), c.read(f))
	}
	c.linked(seg)
	c.inside(seg, next)
	c.sum.Batches += seg.Frames
	c.ended = max(c.ended, seg.Last)
	c.prev = seg
	return c.read(f)
}

// visit checks that a batch is canonical, and that checkpoints were taken of this history.
func (c *checker) visit(e wal.Entry, off int64) error {
	if chain, ok := c.chains[e.Seq]; ok && chain != e.Chain {
		c.tell(Finding{SeverityError, "chain", checkpoint.Name(e.Seq), 0, uint64(e.Seq), "its chain value is not that of the log", "log and checkpoint do not belong together"})
	}
	if c.look.otherEnd(e.Seq, e.Chain) {
		c.other = &Finding{SeverityError, "chain", c.look.reading, off, uint64(e.Seq), "its chain value is not the one with which the store was closed, as " + LockName + " tells", affected(e.Seq, 0)}
	}
	if e.Flags&batch.FlagRef != 0 {
		return nil
	}
	if err := batch.Decode(&c.batch, e.Payload); err != nil {
		return &fault.Error{Op: "check", At: fault.Place{Offset: off, Seq: uint64(e.Seq)}, Err: fault.KindOf(err), Detail: err.Error()}
	}
	return nil
}

// linked checks that a segment follows the one before it.
func (c *checker) linked(seg *wal.Segment) {
	if c.prev == nil {
		return
	}
	switch {
	case seg.Header.First != c.prev.Last+1 && c.prev.Last+1 > c.oldest && c.prev.Sealed: // else inside has told it
		c.missing(c.prev.Last+1, seg.Header.First)
	case seg.Header.First == c.prev.Last+1 && seg.Header.Chain != c.prev.ChainEnd:
		c.tell(Finding{SeverityError, "chain", seg.Name, 0, uint64(seg.Header.First), "its chain value is not that of " + c.prev.Name, affected(seg.Header.First, 0)})
	}
}

// inside tells what is wrong within a segment whose header is good.
func (c *checker) inside(seg *wal.Segment, next batch.Seq) {
	if seg.Stray != 0 {
		c.tell(Finding{SeverityError, "padding", seg.Name, seg.Stray, 0, "padding is not zero", "no batch; the file was changed"})
	}
	if seg.Sealed {
		c.behindSeal(seg)
		return
	}
	if denied(seg) {
		c.tell(Finding{SeverityError, "chain", seg.Name, seg.Bad.Offset, uint64(deniedSeq(seg)), seg.Bad.Why + ": a batch before it was changed", affected(seg.Header.First, next)})
		return
	}
	want := seg.Last + 1
	f := Finding{SeverityWarning, "torn", seg.Name, seg.Space(), uint64(want), "not sealed", "nothing that was acknowledged; the next opening finishes it"}
	if seg.Bad != nil {
		f.Offset, f.Detail = seg.Bad.Offset, seg.Bad.Why
	}
	if next != 0 || max(seg.Synced, c.newest, c.look.floor) >= want {
		f.Severity, f.Kind, f.Affects = SeverityError, "checksum", affected(want, next)
	} else if seg.Frames > 0 && seg.Last == c.look.closed {
		f.Severity, f.Kind, f.Detail, f.Affects = SeverityError, "checksum", joinText("the seal of a clean close is damaged", f.Detail), "no batch; the next opening seals it again"
	}
	c.tell(f)
}

func (c *checker) behindSeal(seg *wal.Segment) {
	if seg.End < seg.Size {
		c.tell(Finding{SeverityWarning, "leftover", seg.Name, seg.End, 0, fmt.Sprintf("%d bytes behind the seal", seg.Size-seg.End), "nothing"})
	}
}

// affected names the batches from a seq up to before another, 0 being open.
func affected(from, before batch.Seq) string {
	if before == 0 {
		return fmt.Sprintf("batches from %v on", from)
	}
	if before <= from+1 {
		return fmt.Sprintf("batch %v", from)
	}
	return fmt.Sprintf("batches %v to %v", from, before-1)
}

// reaches checks that the log begins where the oldest good checkpoint ends, and does
// not end before the newest: reading history, and an opening that has to go back to
// the older checkpoint, need all of it.
func (c *checker) reaches() error {
	i := slices.IndexFunc(c.files, func(f File) bool { return f.Class == ClassSegment })
	first := c.newest + 1
	if i >= 0 {
		first, _, _ = wal.ParseSegment(c.files[i].Base())
	}
	if first > c.oldest+1 {
		c.missing(c.oldest+1, first)
	}
	if i >= 0 && c.ended < c.newest && c.oldest < c.newest && c.sum.Errors == 0 {
		c.missing(c.ended+1, c.newest+1)
	}
	return nil
}

// missing tells of batches from a seq up to before another that no segment holds.
func (c *checker) missing(from, before batch.Seq) {
	c.tell(Finding{SeverityError, "missing", c.codec.SegmentName(from), 0, uint64(from), "no segment holds these batches", affected(from, before)})
}
