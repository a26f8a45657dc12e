package backup

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/recovery"
	"github.com/vlogdb/vlog/wal"
)

// piece is a segment, as far as it counts.
type piece struct {
	name  string
	head  wal.Header
	last  batch.Seq
	chain batch.Chain // behind last
	size  int64       // bytes of the file that count
	cut   bool        // more may follow in the file: a copy gets a seal of its own
}

// image is a checkpoint.
type image struct {
	name string
	checkpoint.Summary
}

// stock is what a directory holds of a history: segments and checkpoints, ascending.
type stock struct {
	fs     vfs.FS
	store  wal.StoreID
	pieces []piece
	images []image
	bad    []string // of a place: files that say nothing usable
	proves bool     // of a place: header and seal are not enough, every byte is read
}

// noLimit is the limit of a directory in which everything counts.
const noLimit = batch.Seq(math.MaxUint64)

// read learns what a source holds up to a batch. Nothing is believed yet: what is
// copied is verified as a copy.
func (s *stock) read(ctx context.Context, files []recovery.File, upto batch.Seq) error {
	for _, f := range files {
		var err error
		switch first, seq := seqOf(f); {
		case f.Class == recovery.ClassSegment && first <= upto:
			err = s.addPiece(ctx, f.Path, upto)
		case f.Class == recovery.ClassCheckpoint && seq <= upto:
			err = s.addImage(f.Path, seq)
		}
		if err != nil {
			return err
		}
	}
	s.sort()
	return nil
}

// readPlace learns what a backup place holds. What cannot be used is noted, not told:
// it is copied again where the source still has it.
func (s *stock) readPlace(ctx context.Context, files []recovery.File) error {
	for _, f := range files {
		var err error
		switch _, seq := seqOf(f); f.Class {
		case recovery.ClassSegment:
			err = s.addPiece(ctx, f.Path, noLimit)
		case recovery.ClassCheckpoint:
			err = s.addImage(f.Path, seq)
		}
		if err != nil && !errors.Is(err, fault.ErrCorrupt) {
			return err
		}
		if err != nil {
			s.bad = append(s.bad, f.Path)
		}
	}
	s.pieces = slices.DeleteFunc(s.pieces, func(p piece) bool {
		if p.cut {
			s.bad = append(s.bad, p.name)
		}
		return p.cut
	})
	s.sort()
	return nil
}

// seqOf returns what the name of a file states: of a segment the first seq, of a
// checkpoint the seq.
func seqOf(f recovery.File) (first, seq batch.Seq) {
	switch f.Class {
	case recovery.ClassSegment:
		first, _, _ = wal.ParseSegment(f.Base())
	case recovery.ClassCheckpoint:
		seq, _ = checkpoint.ParseName(f.Base())
	}
	return first, seq
}

func (s *stock) at(name string) wal.Place {
	return wal.Place{FS: s.fs, Name: name, Store: s.store}
}

func (s *stock) sort() {
	slices.SortFunc(s.pieces, func(a, b piece) int { return compareSeq(a.head.First, b.head.First) })
	slices.SortFunc(s.images, func(a, b image) int { return compareSeq(a.At.Seq, b.At.Seq) })
}

func compareSeq(a, b batch.Seq) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// addPiece reads what a segment holds up to a batch: header and seal where that is
// enough, else its frames.
func (s *stock) addPiece(ctx context.Context, name string, upto batch.Seq) error {
	at := s.at(name)
	e, err := wal.ReadEnds(at)
	if err != nil {
		return err
	}
	if e.Sealed && e.Last <= upto && !s.proves {
		s.pieces = append(s.pieces, piece{name: name, head: e.Header, last: e.Last, chain: e.Chain, size: e.Size})
		return nil
	}
	seg, err := wal.ScanTo(ctx, at, upto, nil)
	if err != nil {
		return err
	}
	if seg.Frames == 0 && upto < noLimit { // begun, and nothing in it counts yet
		return nil
	}
	p := piece{name: name, head: seg.Header, last: seg.Last, chain: seg.ChainEnd, size: seg.End, cut: !seg.Sealed}
	if s.proves {
		if err := p.matches(seg); err != nil {
			return err
		}
	}
	s.pieces = append(s.pieces, p)
	return nil
}

func (s *stock) addImage(name string, seq batch.Seq) error {
	learn := checkpoint.Peek
	if s.proves {
		learn = checkpoint.Verify
	}
	sum, err := learn(s.fs, name, s.store)
	if err != nil {
		return err
	}
	if sum.At.Seq != seq {
		return &fault.Error{Op: "read checkpoint", At: fault.Place{Path: name}, Err: fault.ErrCorrupt, Detail: "the checkpoint of " + sum.At.Seq.String() + " under another name"}
	}
	s.images = append(s.images, image{name: name, Summary: sum})
	return nil
}

// first returns the first batch that the log holds, or the one behind top where it
// holds none.
func (s *stock) first(top batch.Seq) batch.Seq {
	if len(s.pieces) > 0 {
		return s.pieces[0].head.First
	}
	return top + 1
}

// floor returns the first moment that can be brought back: the empty store, or the
// oldest checkpoint.
func (s *stock) floor(top batch.Seq) batch.Seq {
	if s.first(top) == 1 || len(s.images) == 0 {
		return 0
	}
	return s.images[0].At.Seq
}

// connect keeps what hangs together from a batch down, by seqs and chain values, and
// returns the names of the rest: what a promotion, or a backup across a gap, has not
// removed yet. whole is false where nothing leads to that batch.
func (s *stock) connect(top batch.Seq) (loose []string, whole bool) {
	lowest, n := top+1, len(s.pieces)
	chain, known := s.chainOfImage(top)
	for n > 0 && s.pieces[n-1].last == lowest-1 && (!known || s.pieces[n-1].chain == chain) {
		n--
		lowest, chain, known = s.pieces[n].head.First, s.pieces[n].head.Chain, true
	}
	for _, p := range s.pieces[:n] {
		loose = append(loose, p.name)
	}
	s.pieces = s.pieces[n:]
	s.images = slices.DeleteFunc(s.images, func(i image) bool {
		if i.At.Seq < lowest-1 {
			loose = append(loose, i.name)
		}
		return i.At.Seq < lowest-1
	})
	return loose, lowest == 1 || len(s.images) > 0
}

func (s *stock) chainOfImage(seq batch.Seq) (chain batch.Chain, ok bool) {
	for _, i := range s.images {
		if i.At.Seq == seq {
			return i.At.Chain, true
		}
	}
	return chain, false
}

// chainAt returns the chain value behind a batch; ok is false where the directory does
// not reach back to it.
func (s *stock) chainAt(ctx context.Context, seq batch.Seq) (chain batch.Chain, ok bool, err error) {
	if seq == 0 {
		return chain, true, nil
	}
	if chain, ok := s.chainOfImage(seq); ok {
		return chain, true, nil
	}
	for _, p := range s.pieces {
		switch {
		case seq == p.last:
			return p.chain, true, nil
		case seq == p.head.First-1:
			return p.head.Chain, true, nil
		case seq >= p.head.First && seq < p.last:
			seg, err := wal.ScanTo(ctx, s.at(p.name), seq, nil)
			if err != nil {
				return chain, false, err
			}
			return seg.ChainEnd, seg.Last == seq, nil
		}
	}
	return chain, false, nil
}

// timeAt returns the time of the newest batch, and its chain value.
func (s *stock) timeAt(ctx context.Context, top batch.Seq) (nanos int64, chain batch.Chain, err error) {
	for _, i := range s.images {
		if i.At.Seq == top {
			return i.At.Time, i.At.Chain, nil
		}
	}
	if len(s.pieces) == 0 {
		return 0, chain, nil
	}
	p := s.pieces[len(s.pieces)-1]
	seg, err := wal.ScanTo(ctx, s.at(p.name), top, nil)
	if err != nil {
		return 0, chain, err
	}
	return seg.LastTime, seg.ChainEnd, nil
}

// newest returns the newest batch that the directory leads to, and its chain value.
func (s *stock) newest() (seq batch.Seq, chain batch.Chain) {
	if n := len(s.pieces); n > 0 {
		seq, chain = s.pieces[n-1].last, s.pieces[n-1].chain
	}
	if n := len(s.images); n > 0 && s.images[n-1].At.Seq > seq {
		seq, chain = s.images[n-1].At.Seq, s.images[n-1].At.Chain
	}
	return seq, chain
}
