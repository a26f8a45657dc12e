package wal

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/vlogdb/vlog/internal/vfs"
)

// Ends is what the header and the seal of a segment say.
type Ends struct {
	Header
	Size   int64 // of the file
	Sealed bool  // a seal stands at the end of the file; the rest is set only then
	Last   Seq
	Chain  Chain // behind Last
}

// errEnough is what a visit returns to end a scan as if the file ended there.
var errEnough = errors.New("enough")

// ScanTo is Scan that stops behind a batch, as if the file ended there: what stands
// behind it may be written meanwhile. Where the frames end before, so does the result.
func ScanTo(ctx context.Context, at Place, last Seq, visit Visit) (*Segment, error) {
	return Scan(ctx, at, func(e Entry, off int64) error {
		if visit != nil {
			if err := visit(e, off); err != nil {
				return err
			}
		}
		if e.Seq >= last {
			return errEnough
		}
		return nil
	})
}

// ReadEnds reads header and seal of a segment and nothing between: enough to tell
// whether two files that were checked once are the same segment. Where no seal stands
// at the end of the file, which [Scan] may still find further ahead, Sealed is false.
// Errors are those of [ReadHeader].
func ReadEnds(at Place) (Ends, error) {
	f, err := at.FS.Open(at.Name, vfs.ReadOnly)
	if err != nil {
		return Ends{}, err
	}
	e, err := endsOf(f, at)
	return e, errors.Join(err, f.Close())
}

func endsOf(f vfs.File, at Place) (Ends, error) {
	r, err := newReader(f, at.Name, at.Store, maxHeaderLine) // a header and little more
	if err != nil {
		return Ends{}, err
	}
	st, err := f.Stat()
	if err != nil {
		return Ends{}, err
	}
	r.win.size = st.Size
	e := Ends{Header: r.header, Size: r.win.size}
	start := r.pos
	if r.pos, err = r.spell.last(r); err != nil || r.pos < start {
		return e, err
	}
	return e, e.seal(r)
}

// seal takes over what stands at the end of the file, where that is a seal.
func (e *Ends) seal(r *reader) error {
	f, off, err := r.spell.find(r)
	if err != nil {
		return r.wrap(err, r.pos)
	}
	if f.why != "" || f.kind != kindSeal {
		return nil
	}
	body, why, err := r.spell.body(r, &f, off)
	if err != nil {
		return r.wrap(err, off)
	}
	if why != "" || len(body) != sealBody {
		return nil
	}
	if count := binary.LittleEndian.Uint64(body); count == 0 || f.seq != e.First+Seq(count)-1 {
		return nil
	}
	e.Sealed, e.Last = true, f.seq
	copy(e.Chain[:], body[8:])
	return nil
}
