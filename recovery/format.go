package recovery

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// FormatName is the file that makes a directory a store.
const FormatName = "FORMAT"

// FormatVersion is the version of the files on disk that this package writes.
const FormatVersion = 0

// maxFormat bounds the file, in bytes: documentation is the one long field.
const (
	maxFormat        = 1 << 20
	maxDocumentation = 256 << 10
)

// Format is what the file FORMAT says: one JSON line, written once, when the
// store is made.
type Format struct {
	Version       int       `json:"format"`
	Features      Features  `json:"features"`
	UUID          string    `json:"uuid"`
	Codec         string    `json:"codec"`
	Created       time.Time `json:"created"`
	Documentation string    `json:"documentation"`
}

// Features are names of what a store uses beyond its version. A version that does
// not know a name may still write a store that has it as compatible, only read
// one that has it as read-only compatible, and not open one that has it as incompatible.
type Features struct {
	Compatible         []string `json:"compatible"`
	ReadOnlyCompatible []string `json:"read_only_compatible"`
	Incompatible       []string `json:"incompatible"`
}

// sealed is how the line ends: a checksum of all that stands before it.
const sealed = `,"sum":"`

// encode returns the line.
func (f *Format) encode() ([]byte, error) {
	line, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	return sealLine(line), nil
}

// sealLine ends a JSON object with the checksum of what stands before it.
func sealLine(object []byte) []byte {
	line := bytes.TrimSuffix(object, []byte("}"))
	return fmt.Appendf(line, `%s%08x"}%s`, sealed, batch.Sum(line), "\n")
}

// openLine checks a line made by sealLine.
func openLine(line []byte) bool {
	i := bytes.LastIndex(line, []byte(sealed))
	return i > 0 && string(line[i:]) == fmt.Sprintf(`%s%08x"}%s`, sealed, batch.Sum(line[:i]), "\n")
}

// ReadFormat reads FORMAT. There are four outcomes: the format; ErrNotFound where
// the file is not there; ErrIncompatible where it comes from the future, which is
// looked at first; ErrCorrupt where it is damaged.
func ReadFormat(fsys vfs.FS) (Format, error) {
	line, err := readSmall(fsys, FormatName, maxFormat)
	if err != nil {
		return Format{}, err
	}
	return decodeFormat(line)
}

func decodeFormat(line []byte) (f Format, err error) {
	whole := openLine(line)
	var v struct {
		Version *int `json:"format"`
	}
	if err := json.Unmarshal(line, &v); err != nil || v.Version == nil {
		return f, formatError(fault.ErrCorrupt, "not a line of JSON with a format", err)
	}
	if *v.Version != FormatVersion && (whole || !mendable(line, *v.Version)) {
		return f, formatError(fault.ErrIncompatible, fmt.Sprintf("format %d, this version knows %d", *v.Version, FormatVersion), nil)
	}
	if !whole {
		return f, formatError(fault.ErrCorrupt, "the line does not match its checksum", nil)
	}
	if err := json.Unmarshal(line, &f); err != nil {
		return f, formatError(fault.ErrCorrupt, "a field is not as it should be", err)
	}
	return f, f.check()
}

// mendable says whether the line checks out with this version's number in it:
// then the number was damaged, and the store is not from the future.
func mendable(line []byte, version int) bool {
	old := fmt.Appendf(nil, `{"format":%d,`, version)
	return openLine(bytes.Replace(line, old, fmt.Appendf(nil, `{"format":%d,`, FormatVersion), 1))
}

func formatError(kind *fault.Kind, detail string, cause error) error {
	return &fault.Error{Op: "open", At: fault.Place{Path: FormatName}, Err: kind, Detail: detail, Cause: cause}
}

func (f *Format) check() error {
	if f.Unfinished() && len(f.Features.Incompatible) == 1 {
		return f.cutOff()
	}
	if len(f.Features.Incompatible) > 0 {
		return formatError(fault.ErrIncompatible, "features "+strings.Join(f.Features.Incompatible, ", "), nil)
	}
	if _, ok := wal.ParseCodec(f.Codec); !ok {
		return formatError(fault.ErrIncompatible, fmt.Sprintf("codec %q", f.Codec), nil)
	}
	if _, err := f.Store(); err != nil {
		return formatError(fault.ErrCorrupt, fmt.Sprintf("uuid %q", f.UUID), err)
	}
	return nil
}

// LogCodec returns how the log is spelled; the format must have been checked.
func (f *Format) LogCodec() wal.Codec {
	c, _ := wal.ParseCodec(f.Codec)
	return c
}

// Store returns the id that lies under the checksums of every file.
func (f *Format) Store() (id wal.StoreID, err error) {
	raw, err := hex.DecodeString(strings.ReplaceAll(f.UUID, "-", ""))
	if err == nil && len(raw) != len(id) {
		err = errors.New("not 16 bytes")
	}
	copy(id[:], raw)
	return id, err
}

// writable returns ErrIncompatible where a store may only be read by this version.
func (f *Format) writable() error {
	if names := f.Features.ReadOnlyCompatible; len(names) > 0 {
		if f.IsBackup() && len(names) == 1 {
			return &fault.Error{Op: "open", At: fault.Place{Path: FormatName}, Err: fault.ErrIncompatible, Detail: "a backup place allows reading only", Hint: "restore it into another directory, and open that"}
		}
		err := formatError(fault.ErrIncompatible, "features "+strings.Join(slices.Sorted(slices.Values(names)), ", ")+" allow reading only", nil)
		err.(*fault.Error).Hint = "open it read-only, or use a version of vlog that knows them"
		return err
	}
	return nil
}

// readSmall reads a whole file of at most limit bytes.
func readSmall(fsys vfs.FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.Open(name, vfs.ReadOnly)
	if err != nil {
		return nil, err
	}
	b, err := readAll(f, limit)
	if e, ok := errors.AsType[*fault.Error](err); ok && e.At.Path == "" {
		e.At.Path = name
	}
	return b, errors.Join(err, f.Close())
}

func readAll(f vfs.File, limit int64) ([]byte, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st.Size > limit {
		return nil, &fault.Error{Op: "read", Err: fault.ErrCorrupt, Detail: fmt.Sprintf("%d bytes, at most %d", st.Size, limit)}
	}
	b := make([]byte, st.Size)
	n, err := f.ReadAt(b, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return b[:n], err
}
