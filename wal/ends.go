package wal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"

	"github.com/vlogdb/vlog/internal/batch"
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
	return at.scan(ctx, true, func(e Entry, off int64) error {
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
	r.win.size, r.win.live = st.Size, true
	e := Ends{Header: r.header, Size: r.win.size}
	seal, err := r.spell.lastSeal(r)
	if err != nil {
		return e, r.wrap(err, e.Size)
	}
	if seal.kind == kindSeal && seal.count > 0 && seal.seq == e.First+Seq(seal.count)-1 {
		e.Sealed, e.Last, e.Chain = true, seal.seq, seal.chain
	}
	return e, nil
}

// lastSeal implements spelling.
func (frames) lastSeal(r *reader) (frame, error) {
	off := r.win.size - sector
	if off < HeaderSize || off%sector != 0 {
		return frame{}, nil
	}
	b, err := r.win.at(off, sector)
	if err != nil {
		return frame{}, err
	}
	f, ok := decodeFrame(b, r.salt, off)
	if !ok || f.kind != kindSeal || f.length != sealBody || f.size > sector {
		return frame{}, nil
	}
	body := b[f.head():][:sealBody]
	if batch.Sum(body) != f.sum {
		return frame{}, nil
	}
	f.count = binary.LittleEndian.Uint64(body)
	copy(f.chain[:], body[8:])
	return f, nil
}

// lastSeal implements spelling: it is the last line, and a short one.
func (lines) lastSeal(r *reader) (frame, error) {
	from := max(r.win.size-2*lineHead, 0)
	b, err := r.win.at(from, r.win.size-from)
	if err != nil || len(b) == 0 || b[len(b)-1] != '\n' {
		return frame{}, err
	}
	i := bytes.LastIndexByte(b[:len(b)-1], '\n') + 1
	f := decodeLine(b[i:], spot{r.salt, from + int64(i)}, &r.again)
	if f.why != "" {
		return frame{}, nil
	}
	return f, nil
}
