package wal

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
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
	r, err := newReader(f, at.Name, at.Store, 0)
	if err != nil {
		return Ends{}, err
	}
	e := Ends{Header: r.header, Size: r.win.size}
	off := e.Size - sealSize
	if off < HeaderSize || off%sector != 0 {
		return e, nil
	}
	b := make([]byte, sealSize)
	if n, err := f.ReadAt(b, off); n < len(b) {
		return e, r.wrap(shorter(err), off)
	}
	e.seal(b, r.salt, off)
	return e, nil
}

// shorter is the error of a read that got less than there was; the file is being
// cut, or the disk failed.
func shorter(err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	return damage("the file became shorter while it was read")
}

// seal takes over what a sector says, where that is a seal.
func (e *Ends) seal(b []byte, s salt, off int64) {
	f, ok := decodeFrame(b, s, off)
	if !ok || f.kind != kindSeal || f.length != sealBody || f.end(0) > sealSize {
		return
	}
	body := b[f.head():][:sealBody]
	count := binary.LittleEndian.Uint64(body)
	if batch.Sum(body) != f.sum || count == 0 || f.seq != e.First+Seq(count)-1 {
		return
	}
	e.Sealed, e.Last = true, f.seq
	copy(e.Chain[:], body[8:])
}
