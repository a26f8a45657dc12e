package wal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
)

// keepBuffer bounds what is kept between appends for building groups, in bytes.
const keepBuffer = 8 << 20

// Append implements Log. The group is one write at a sector boundary.
func (l *Local) Append(ctx context.Context, after Seq, records []Record) (Seq, error) {
	if err := l.take(ctx); err != nil {
		return 0, err
	}
	defer l.give()
	if after != l.after {
		return 0, &fault.Error{Op: "append", At: fault.Place{Seq: uint64(l.after)}, Err: fault.ErrConflict, Detail: fmt.Sprintf("the log ends at %v, not at %v", l.after, after)}
	}
	if len(records) == 0 {
		return after, nil
	}
	for i := range records {
		if n := len(records[i].Payload); n > l.opts.MaxRecord {
			return 0, batch.TooLarge("record", n, l.opts.MaxRecord)
		}
	}
	l.texts = l.spell.texts(records, l.texts)
	defer clear(l.texts)
	for _, text := range l.texts {
		if len(text) > batch.MaxRecord {
			return 0, batch.TooLarge("line", len(text), batch.MaxRecord)
		}
	}
	return l.append(records)
}

func (l *Local) append(records []Record) (Seq, error) {
	frees := !slices.ContainsFunc(records, func(r Record) bool { return !r.Frees })
	last, err := l.appendGroup(records, frees)
	if frees && spaceless(err) && l.lighten(l.opts.sealRoom()) {
		return l.appendGroup(records, frees)
	}
	return last, err
}

func (l *Local) appendGroup(records []Record, frees bool) (Seq, error) {
	g := group{after: l.after, chain: l.chain, synced: l.lastDurable(), records: records, texts: l.texts}
	if err := l.room(l.spell.size(&g), frees); err != nil {
		return 0, err
	}
	if !frees {
		if err := l.weigh(); err != nil {
			return 0, err
		}
	}
	a := l.active
	g.synced = l.lastDurable() // a new segment made all before it durable
	buf, chain := l.spell.appendGroup(l.buf[:0], &g, spot{a.salt, a.off})
	if cap(buf) <= keepBuffer {
		l.buf = buf
	}
	if err := l.write(buf, frees); err != nil {
		return 0, err
	}
	a.count += uint64(len(records))
	a.dirty = true
	l.after += Seq(len(records))
	l.chain = chain
	l.grew()
	return l.after, nil
}

// write puts a group at the end of the active segment.
func (l *Local) write(buf []byte, frees bool) error {
	a := l.active
	end := a.off + int64(len(buf))
	if err := l.extend(end, frees); err != nil {
		return err
	}
	if _, err := a.f.WriteAt(buf, a.off); err != nil {
		return l.unwrite(err)
	}
	a.off, a.size = end, max(a.size, end)
	return nil
}

// spared returns how many bytes must stay free behind a group: room for the seal,
// so that a log on a full disk can still be closed, and what is kept for those
// who delete, so that a full disk can be made less full.
func (l *Local) spared(frees bool) int64 {
	if frees {
		return l.spell.sealSize()
	}
	return l.spell.sealSize() + l.opts.Reserve
}

// extend makes the active file long enough for a group that ends at end: zeros
// are written ahead of it, so that most syncs change no metadata and a full disk
// is found before anything of the group is written. A small file gets few of them,
// and so does any where there is no room for more.
func (l *Local) extend(end int64, frees bool) error {
	need := end + l.spared(frees)
	if l.opts.Grow == 0 || need <= l.active.size {
		return nil
	}
	ahead := min(l.opts.Grow, l.active.size)
	want := max(need, min(need+ahead, l.opts.SegmentSize))
	err := l.zeros(want)
	if spaceless(err) && want > need { // any other failure is told
		return l.zeros(need)
	}
	return err
}

// zeros makes the active file a number of bytes long. Where that fails it is as
// long as before.
func (l *Local) zeros(size int64) error {
	a := l.active
	err := writeZeros(a.f, a.size, size)
	if err == nil {
		a.size = size
		return nil
	}
	if e := a.f.Truncate(a.size); e != nil {
		return l.stop(a, errors.Join(err, e))
	}
	return &NotWritten{named(err, a.name)}
}

// nothing is what zeros are written from. Memory that was asked for anew would have to
// be made first, page by page, while the system copies it: 12 ms for a MiB instead of 0.2.
var nothing [fillStep]byte

// writeZeros fills a file from one offset to another.
func writeZeros(f io.WriterAt, from, to int64) error {
	for from < to {
		n := min(to-from, fillStep)
		if _, err := f.WriteAt(nothing[:n], from); err != nil {
			return err
		}
		from += n
	}
	return nil
}

func (l *Local) lastDurable() Seq {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.durable
}

// grew tells Stats how long the active segment is now.
func (l *Local) grew() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open.Last, l.open.Size = l.after, l.active.off
}

// unwrite takes back a group whose write failed: no frame of it may stay
// readable, since its writers are told that nothing was written. Where the
// segment cannot be shortened durably the log ends.
func (l *Local) unwrite(cause error) error {
	a := l.active
	err := a.f.Truncate(a.off)
	if err == nil {
		a.size = a.off
		err = a.f.Sync()
	}
	if err != nil {
		return l.stop(a, errors.Join(cause, err))
	}
	return &NotWritten{named(cause, a.name)}
}

// named says which segment a failure was about: the file was opened under the
// name of a spare.
func named(err error, name string) error {
	if e, ok := errors.AsType[*fault.Error](err); ok {
		e.At.Path = name
	}
	return err
}

// NotWritten marks a failure after which nothing of the group is in the log, and
// the log goes on.
type NotWritten struct{ Cause error }

// Error implements error.
func (n *NotWritten) Error() string { return n.Cause.Error() }

// Unwrap returns the cause.
func (n *NotWritten) Unwrap() error { return n.Cause }

// stop ends the log where a failure leaves open what a segment holds.
func (l *Local) stop(a *active, cause error) error {
	l.fail(cause)
	return &fault.Error{Op: "append", At: fault.Place{Path: a.name, Offset: a.off}, Err: fault.ErrAmbiguous, Cause: cause}
}

// Sync implements Log. A failed sync ends the log: the system may have marked the
// pages clean, so that another sync would report success for lost bytes.
func (l *Local) Sync(ctx context.Context) error {
	if err := l.take(ctx); err != nil {
		return err
	}
	defer l.give()
	return l.sync()
}

func (l *Local) sync() error {
	if a := l.active; a != nil && a.dirty {
		if err := a.f.Sync(); err != nil {
			l.fail(err)
			return &fault.Error{Op: "sync", At: fault.Place{Path: a.name, Seq: uint64(l.after)}, Err: fault.ErrAmbiguous, Cause: err}
		}
		a.dirty = false
	}
	return l.publish()
}

// publish lets readers and other processes see what is durable: first
// log/durable, then the readers of this process, so that nobody is told about a
// batch that a follower elsewhere may not see.
func (l *Local) publish() error {
	if l.lastDurable() == l.after {
		return nil
	}
	if err := l.remark(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.durable, l.dchain = l.after, l.chain
	l.wakeLocked()
	return nil
}

// remark overwrites log/durable. Where that fails the file goes: without it
// followers see less, but what it says must never be wrong.
func (l *Local) remark() error {
	if l.mark == nil {
		return nil
	}
	err := l.writeMark()
	if err == nil {
		return nil
	}
	l.opts.Logger.Warn("log/durable could not be written and is removed", "cause", err)
	err = errors.Join(err, l.mark.Close())
	l.mark = nil
	if e := l.fs.Remove(DurableName); e != nil {
		err = errors.Join(err, e)
		l.fail(err)
		return &fault.Error{Op: "sync", At: fault.Place{Path: DurableName, Seq: uint64(l.after)}, Err: fault.ErrAmbiguous, Cause: err}
	}
	return nil
}

func (l *Local) writeMark() error {
	d := Durable{Store: l.opts.Store, Boot: l.boot, Seq: l.after}
	if l.active != nil {
		d.Segment = l.active.head.First
	}
	_, err := l.mark.WriteAt(d.encode(), 0)
	return err
}
