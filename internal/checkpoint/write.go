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
	Codec   wal.Codec // how the file is spelled
}

func (img Image) writeTo(f vfs.File, pace Pace) (Summary, error) {
	p := img.Picture
	s := newSpelling(img.Codec, Header{Store: img.Store, At: p.Position()})
	out := flusher{f: f, pace: pace, buf: s.header()}
	for entries := range p.Image(BlockSize) {
		out.buf = s.block(out.buf, entries)
		if err := out.flush(flushSize); err != nil {
			return Summary{}, err
		}
	}
	out.buf = append(out.buf, s.footer(uint64(p.Len()))...)
	return s.summary(), out.flush(0)
}

// flusher gathers small writes.
type flusher struct {
	f    vfs.File
	pace Pace
	off  int64
	buf  []byte
}

// flush writes what was gathered where that is at least so many bytes.
func (w *flusher) flush(least int) error {
	if len(w.buf) < least {
		return nil
	}
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

// Size returns about how many bytes the file of a picture takes. Under the binary
// codec that is exact, but for what its blocks have at their head. Under NDJSON it
// is what ASCII text and compact JSON take in tenant main; other bytes take a third
// more, other text up to three times as much.
func Size(p *state.Picture, c wal.Codec) int64 {
	stats := p.Stats()
	live := int64(stats.LiveBytes)
	blocks := live/BlockSize + 1
	if c == wal.NDJSON {
		return headerLine + live + int64(stats.Keys)*entryLine + blocks*blockLine + footerLine
	}
	return headerSize + live + blocks*blockHead + footerSize
}
