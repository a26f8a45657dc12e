package checkpoint

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// maxFlag bounds a flag file, in bytes; a longer one does not parse.
const maxFlag = 4096

// Promotion is what the flag `recover` says: the file `backup` with this digest is
// to become the checkpoint of this seq. A flag is a hint, its content decides.
type Promotion struct {
	Store  Hex       `json:"store"`
	Seq    batch.Seq `json:"seq"`
	Digest Hex       `json:"digest"`
	Time   int64     `json:"time"` // by which Keep.For counts, nanoseconds since 1970
}

// Tail is what the file `truncate` says: the tail that a recovery was cutting.
type Tail struct {
	Store   Hex       `json:"store"`
	Segment batch.Seq `json:"segment"`
	Epoch   uint64    `json:"epoch"`
	Offset  int64     `json:"offset"`
	Digest  Hex       `json:"digest"` // of the bytes kept in error/
}

// raise is what the file `truncate_flag` says.
type raise struct {
	Store Hex `json:"store"`
}

// Hex is bytes that JSON spells as hex digits.
type Hex []byte

// MarshalText implements encoding.TextMarshaler.
func (h Hex) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hex) UnmarshalText(b []byte) (err error) {
	*h, err = hex.AppendDecode(nil, b)
	return err
}

// flagLine spells what a flag file says: one JSON object, whose last field is the sum
// of what stands before it. What a flag says decides what of the log goes: a bit that
// flipped on the disk must not.
func flagLine(content any) ([]byte, error) {
	line, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	line = line[:len(line)-1]
	return appendSum(line, batch.Sum(line)), nil
}

// writeFlag makes a flag file of one JSON line and syncs it and the directory.
func writeFlag(fsys vfs.FS, name string, content any) error {
	line, err := flagLine(content)
	if err != nil {
		return err
	}
	f, err := fsys.Open(name, vfs.CreateNew)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(line, 0)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return fsys.SyncDir(wal.Dir)
}

// readFlag reads a flag file into content. There are three outcomes: it is not
// there, it is there and says nothing (it does not parse, or its sum is another), or
// it is raised.
func readFlag(fsys vfs.FS, name string, content any) (there, raised bool, err error) {
	f, err := fsys.Open(name, vfs.ReadOnly)
	if errors.Is(err, fault.ErrNotFound) {
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	b := make([]byte, maxFlag+1)
	n, err := f.ReadAt(b, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return true, false, err
	}
	return true, n <= maxFlag && summed(b[:n]) && json.Unmarshal(b[:n], content) == nil, nil
}

// Flags is which files of the protocols are there, and what they say.
type Flags struct {
	Backup       bool
	Recover      bool
	Promotion    *Promotion // nil where the flag is not raised for this store
	Truncate     bool
	TruncateFlag bool
	Tail         *Tail // nil where not raised for this store
}

// ReadFlags reads the files of the protocols and changes nothing.
func ReadFlags(fsys vfs.FS, store wal.StoreID) (fl Flags, err error) {
	var p Promotion
	var t Tail
	var r raise
	var raised, up, tail bool
	if fl.Recover, raised, err = readFlag(fsys, Recover, &p); err != nil {
		return fl, err
	}
	if raised && string(p.Store) == string(store[:]) && len(p.Digest) == len(batch.Digest{}) {
		fl.Promotion = &p
	}
	if fl.Truncate, tail, err = readFlag(fsys, Truncate, &t); err != nil {
		return fl, err
	}
	if fl.TruncateFlag, up, err = readFlag(fsys, TruncateFlag, &r); err != nil {
		return fl, err
	}
	if tail && up && string(t.Store) == string(store[:]) && string(r.Store) == string(store[:]) {
		fl.Tail = &t
	}
	fl.Backup, err = exists(fsys, Backup)
	return fl, err
}

func exists(fsys vfs.FS, name string) (bool, error) {
	f, err := fsys.Open(name, vfs.ReadOnly)
	if errors.Is(err, fault.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, f.Close()
}

// remove removes a file where it is there, and makes that durable.
func remove(fsys vfs.FS, name string) error {
	if err := fsys.Remove(name); err != nil {
		if errors.Is(err, fault.ErrNotFound) {
			return nil
		}
		return err
	}
	return fsys.SyncDir(wal.Dir)
}
