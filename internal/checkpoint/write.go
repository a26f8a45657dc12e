package checkpoint

import (
	"errors"

	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// flushSize is how many bytes are gathered before they are written.
const flushSize = 1 << 20

// Pace is called before each write with its length in bytes; it may wait, and an
// error from it ends the writing. Nil means as fast as it goes.
type Pace func(n int) error

// Write puts a picture into a new file and syncs it; the directory is not synced.
func Write(fsys vfs.FS, name string, img Image, pace Pace) (Summary, error) {
	f, err := fsys.Open(name, vfs.CreateNew)
	if err != nil {
		return Summary{}, &notBegun{err}
	}
	sum, err := img.writeTo(f, pace)
	if err == nil {
		err = f.Sync()
	}
	return sum, errors.Join(err, f.Close())
}

// notBegun marks a file that could not be made: there is nothing on disk.
type notBegun struct{ cause error }

func (n *notBegun) Error() string { return n.cause.Error() }
func (n *notBegun) Unwrap() error { return n.cause }

// Image is a picture on its way into a file.
type Image struct {
	Store   wal.StoreID
	Picture *state.Picture
}

func (img Image) writeTo(f vfs.File, pace Pace) (Summary, error) {
	p := img.Picture
	h := Header{Store: img.Store, At: state.Position{Seq: p.Seq(), Time: p.Time(), Chain: p.Chain()}}
	s := newSummer(h)
	out := flusher{f: f, pace: pace, buf: h.encode()}
	for entries := range p.Image(BlockSize) {
		head := s.head(entries)
		if err := out.add(head[:], entries); err != nil {
			return Summary{}, err
		}
	}
	err := out.add(s.footer(uint64(p.Len())), nil)
	if err == nil {
		err = out.flush()
	}
	return s.sum, err
}

// flusher gathers small writes.
type flusher struct {
	f    vfs.File
	pace Pace
	off  int64
	buf  []byte
}

func (w *flusher) add(a, b []byte) error {
	w.buf = append(append(w.buf, a...), b...)
	if len(w.buf) < flushSize {
		return nil
	}
	return w.flush()
}

func (w *flusher) flush() error {
	if w.pace != nil {
		if err := w.pace(len(w.buf)); err != nil {
			return err
		}
	}
	_, err := w.f.WriteAt(w.buf, w.off)
	w.off += int64(len(w.buf))
	w.buf = w.buf[:0]
	return err
}

// Size returns about how many bytes the file of a picture takes: exactly, but for
// what its blocks have at their head.
func Size(p *state.Picture) int64 {
	live := int64(p.Stats().LiveBytes)
	return headerSize + live + (live/BlockSize+1)*blockHead + footerSize
}
