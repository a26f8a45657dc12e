package recovery

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/zeebo/blake3"

	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// maxKept bounds what is kept of a tail, in bytes.
const maxKept = 64 << 20

// tailContext derives the digest of a tail; part of the format.
const tailContext = "vlog tail v1"

// tail is what a cut takes away.
type tail struct {
	fs     vfs.FS
	seg    *wal.Segment
	cut    *Cut
	digest [32]byte
}

func newTail(fsys vfs.FS, seg *wal.Segment, cut *Cut) *tail {
	return &tail{fs: fsys, seg: seg, cut: cut}
}

// keep takes c1: a copy of the tail in error/, durable with every directory on
// the way. The name comes from the content, so that doing it again changes nothing.
func (t *tail) keep() error {
	b, err := t.read()
	if err != nil {
		return err
	}
	t.digest = tailDigest(b)
	base := strings.TrimPrefix(t.seg.Name, wal.Dir+"/")
	t.cut.Kept = fmt.Sprintf("%s/%s-%d-%s", checkpoint.ErrorDir, base, t.seg.End, hex.EncodeToString(t.digest[:tailName]))
	if err := t.fs.Mkdir(checkpoint.ErrorDir); err != nil && !errors.Is(err, fault.ErrExists) {
		return err
	}
	if err := t.write(b); err != nil {
		return err
	}
	if err := t.fs.SyncDir(checkpoint.ErrorDir); err != nil {
		return err
	}
	return t.fs.SyncDir(wal.Dir)
}

// read returns the tail without its trailing zeros, at most maxKept of it.
func (t *tail) read() ([]byte, error) {
	f, err := t.fs.Open(t.seg.Name, vfs.ReadOnly)
	if err != nil {
		return nil, err
	}
	b := make([]byte, max(min(t.seg.Size-t.seg.End, maxKept), 0))
	n, err := f.ReadAt(b, t.seg.End)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	t.cut.Whole = t.seg.Size-t.seg.End <= maxKept
	end := n
	for end > 0 && b[end-1] == 0 {
		end--
	}
	t.cut.Bytes = int64(end)
	return b[:end], nil
}

// write gives the copy its name only when it is whole: a power cut may take the tail
// itself, and then nobody would write the copy again.
func (t *tail) write(b []byte) error {
	temp := t.cut.Kept + tempKept
	f, err := t.fs.Open(temp, vfs.Create)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, 0)
	if err == nil {
		err = f.Truncate(int64(len(b)))
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return t.fs.Rename(temp, t.cut.Kept)
}

// tempKept ends the name of a copy that is not whole yet.
const tempKept = ".tmp"

// tailName is how many bytes of a tail's digest stand in its name.
const tailName = 8

func tailDigest(b []byte) (d [32]byte) {
	h := blake3.NewDeriveKey(tailContext)
	h.Write(b) // a hash never fails to write
	h.Sum(d[:0])
	return d
}

// isKept says whether a base name in error/ is one that keep gives: segment,
// offset, digest.
func isKept(base string) bool {
	parts := strings.Split(base, "-")
	if len(parts) != 3 || len(parts[2]) != 2*tailName {
		return false
	}
	_, _, ok := wal.ParseSegment(parts[0])
	return ok && parts[1] != "" && strings.Trim(parts[1], "0123456789") == "" && strings.Trim(parts[2], "0123456789abcdef") == ""
}

// blank says whether nothing but zeros stands behind the good part of a segment. A file
// has any number of them that no disk has, so the context is asked meanwhile.
func blank(ctx context.Context, fsys vfs.FS, seg *wal.Segment) (nothing bool, err error) {
	f, err := fsys.Open(seg.Name, vfs.ReadOnly)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b := make([]byte, min(copyStep, max(seg.Size-seg.End, 0)))
	for off := seg.End; off < seg.Size; {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		n, err := f.ReadAt(b, off)
		if err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		if len(bytes.Trim(b[:n], "\x00")) > 0 {
			return false, nil
		}
		if n == 0 {
			break
		}
		off += int64(n)
	}
	return true, nil
}
