package recovery

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/wal"
)

// piece is a segment and how much of it is good.
type piece struct {
	file File
	seg  *wal.Segment // nil where its header is of no use
	why  string       // that is so, or it does not belong to the checkpoints
	odd  bool         // the second of the two
}

// segments reads every segment as far as it is good.
func (v *salvage) segments() error {
	for _, f := range v.files {
		if f.Class != ClassSegment {
			continue
		}
		p := &piece{file: f}
		v.pieces = append(v.pieces, p)
		if _, codec, _ := wal.ParseSegment(f.Base()); codec != v.codec {
			p.why = "a segment of another codec"
			continue
		}
		if err := v.scan(p); err != nil {
			return err
		}
		if p.seg != nil {
			v.known = max(v.known, p.seg.Last, p.seg.Synced)
		}
	}
	return nil
}

func (v *salvage) scan(p *piece) (err error) {
	if v.ctx.Err() != nil {
		return context.Cause(v.ctx)
	}
	var b batch.Batch
	visit := func(e wal.Entry, _ int64) error {
		if chain, ok := v.chains[e.Seq]; ok && chain != e.Chain {
			p.odd, p.why = true, fmt.Sprintf("its chain value at %v is not that of the checkpoint", e.Seq)
		}
		v.other = v.other || v.end.otherEnd(e.Seq, e.Chain)
		if e.Flags&batch.FlagRef != 0 {
			return nil
		}
		err := batch.Decode(&b, e.Payload)
		if errors.Is(err, fault.ErrCorrupt) {
			return wal.ErrStop
		}
		return err
	}
	p.seg, err = wal.Scan(v.ctx, wal.Place{FS: v.store.FS, Name: p.file.Path, Store: v.store.ID}, visit)
	if err != nil {
		p.why, err = useless(err)
		return err
	}
	if chain, ok := v.chains[p.seg.Header.First-1]; ok && chain != p.seg.Header.Chain {
		p.odd, p.why = true, fmt.Sprintf("its chain value behind %v is not that of the checkpoint", p.seg.Header.First-1)
	}
	return nil
}

// good says whether a piece can be part of the log.
func (p *piece) good() bool { return p.seg != nil && !p.odd }

// follows says whether a piece goes on where the one before it ends: then nothing is
// missing there, whatever became of that one's seal.
func (p *piece) follows(before *piece) bool {
	return p.good() && before.good() && p.seg.Header.First == before.seg.Last+1 && p.seg.Header.Chain == before.seg.ChainEnd
}

// keep decides what stays: from the base upwards as far as it goes without a gap, and
// downwards as far as it joins.
func (v *salvage) keep() error {
	at := -1
	for i, p := range v.pieces {
		if p.good() && p.seg.Header.First <= v.base+1 && p.seg.Last >= v.base {
			at = i
		}
	}
	v.low, v.top, v.last = 0, -1, v.base
	if at >= 0 {
		for v.top = at; v.top+1 < len(v.pieces) && v.pieces[v.top+1].follows(v.pieces[v.top]); {
			v.top++
		}
		for v.low = at; v.low > 0 && v.pieces[v.low].follows(v.pieces[v.low-1]); {
			v.low--
		}
		v.last = v.pieces[v.top].seg.Last
		v.bare()
	}
	if err := v.choose(); err != nil {
		return err
	}
	if len(v.aside) > 0 && v.last == 0 {
		return &fault.Error{Op: "salvage", At: fault.Place{Path: wal.Dir}, Err: fault.ErrCorrupt, Detail: "no checkpoint verifies, and the log does not begin with a good #1: there is nothing to stand on",
			Hint: "restore a backup; nothing was changed"}
	}
	return nil
}

// bare takes the newest piece out again where no batch of it is good and it is not for
// opening to cut: its header alone would be removed, and without that nobody could check
// what stood behind it.
func (v *salvage) bare() {
	p := v.pieces[v.top]
	if p.seg.Frames > 0 || v.torn(p) {
		return
	}
	p.why = "it holds no batch"
	if p.seg.Bad != nil {
		p.why = p.seg.Bad.Why
	}
	v.top--
}

// torn says whether what may stand behind the newest piece is a torn tail, which is for
// opening to cut.
func (v *salvage) torn(p *piece) bool { return v.known <= p.seg.Last && !denied(p.seg) }

// choose lists what goes: first ends of files, then files from the newest to the
// oldest, then checkpoints.
func (v *salvage) choose() error {
	for i := v.low; i <= v.top; i++ {
		if err := v.chooseEnd(v.pieces[i], i == v.top); err != nil {
			return err
		}
	}
	for i := len(v.pieces) - 1; i >= 0; i-- {
		if i < v.low || i > v.top {
			v.aside = append(v.aside, Aside{File: v.pieces[i].file.Path, Why: v.why(i)})
		}
	}
	v.aside = append(v.aside, v.bad...)
	for _, f := range v.files {
		if seq, good := v.goodCheckpoint(f); good && seq != v.base && seq+1 < v.first() {
			v.aside = append(v.aside, Aside{File: f.Path, Why: "the log behind it is not whole"})
		}
	}
	return nil
}

// chooseEnd notes what stands behind the last good batch of a piece, but for a torn
// tail of the newest: also where nothing there can be read, for the seal that the piece
// gets would be written over it.
func (v *salvage) chooseEnd(p *piece, newest bool) error {
	seg := p.seg
	if newest && v.torn(p) {
		return nil
	}
	why := "nothing that can be read stands there"
	if seg.Bad != nil {
		why = seg.Bad.Why
	} else if nothing, err := blank(v.ctx, v.store.FS, seg); err != nil || nothing || seg.Sealed {
		return err
	}
	v.aside = append(v.aside, Aside{File: seg.Name, Offset: seg.End, Why: why})
	return nil
}

// why says why a piece is not kept.
func (v *salvage) why(i int) string {
	p := v.pieces[i]
	switch {
	case p.why != "":
		return p.why
	case i > v.top:
		return fmt.Sprintf("does not go on behind %v", v.last)
	}
	return "does not join the log above it"
}

func (v *salvage) goodCheckpoint(f File) (batch.Seq, bool) {
	if f.Class != ClassCheckpoint {
		return 0, false
	}
	for _, b := range v.bad {
		if b.File == f.Path {
			return 0, false
		}
	}
	seq, _ := parseCheckpoint(f)
	return seq, true
}

// rescue counts, and hands out where somebody wants them, the batches above the first
// lost one that check out by themselves.
func (v *salvage) rescue() error {
	for _, p := range v.pieces {
		i := slices.IndexFunc(v.aside, func(a Aside) bool { return a.File == p.file.Path })
		if i < 0 || p.seg == nil {
			continue
		}
		a := &v.aside[i]
		err := wal.Rescue(v.ctx, wal.Place{FS: v.store.FS, Name: a.File, Store: v.store.ID}, a.Offset, func(e wal.Entry, _ int64) error {
			a.Batches++
			if v.how.Rescued == nil || e.Seq <= v.last {
				return nil
			}
			return v.how.Rescued(e)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (v *salvage) piece(path string) *piece {
	for _, p := range v.pieces {
		if p.file.Path == path {
			return p
		}
	}
	return &piece{}
}
