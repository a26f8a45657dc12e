// Package ptvp35 reads the files of ptvp35, a key-value store of lines of JSON, as
// that system would on opening them, and never writes to them.
//
// A store there is a main file and up to five beside it:
//
//	x.db                main file: lines {"key": <json>, "value": <json>}, later ones win
//	x.db.backup         copy of the main file, made while that is rebuilt
//	x.db.recover        flag: the backup is valid, the main file is not to be trusted
//	x.db.truncate       16 bytes, little-endian: so many characters of the main file are valid
//	x.db.truncate_flag  flag: the truncate file is valid, the main file beyond it is not
//	x.db.error          what was cut before; not read
//
// A backup or truncate file without its flag is ignored. Where both flags are
// raised the backup counts, whole: the cut was about the main file that it replaces.
//
// Embedders do not need this package.
package ptvp35

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"

	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

// What stands behind the name of the main file.
const (
	backup       = ".backup"
	recoverFlag  = ".recover"
	truncate     = ".truncate"
	truncateFlag = ".truncate_flag"
)

// truncateSize is the length of a truncate file, in bytes.
const truncateSize = 16

// noCut is more characters than any file has.
const noCut = math.MaxInt64

// Source is an open ptvp35 store. It belongs to one goroutine. Close it.
type Source struct {
	fs     vfs.FS
	main   vfs.File
	plan   Plan
	chars  int64 // that count; noCut for all
	warned bool
}

// Plan says what of the files counts.
type Plan struct {
	File     string   // whose lines count: the main file or its backup
	Restored bool     // the backup counts, since its flag is raised
	Cut      bool     // the truncate flag is raised: what lies behind Valid does not count
	Valid    int64    // bytes that count
	Dropped  int64    // bytes behind them
	NonASCII bool     // the cut was counted in characters of more than one byte
	Ignored  []string // files that are there and do not count
}

// Open opens the store whose main file is at path. Errors: ErrNotFound where
// neither the main file nor a valid backup is there, ErrNotRegular, ErrDenied,
// ErrIO, and ErrCorrupt for a truncate file that cannot be right.
func Open(path string) (*Source, error) {
	fsys, err := vfs.OpenOS(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	s, err := OpenFS(fsys, filepath.Base(path))
	if err != nil {
		return nil, errors.Join(err, fsys.Close())
	}
	return s, nil
}

// OpenFS is Open at the root of a file system, which it closes with the source.
func OpenFS(fsys vfs.FS, name string) (*Source, error) {
	s := &Source{fs: fsys, chars: noCut, plan: Plan{File: name}}
	if err := s.decide(name); err != nil {
		return nil, err
	}
	f, err := fsys.Open(s.plan.File, vfs.ReadOnly)
	if err != nil {
		return nil, err
	}
	s.main = f
	if err := s.measure(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

// Close closes the files.
func (s *Source) Close() error { return errors.Join(s.main.Close(), s.fs.Close()) }

// Plan returns what of the files counts.
func (s *Source) Plan() Plan { return s.plan }

// decide looks at the flags.
func (s *Source) decide(name string) error {
	there := map[string]bool{}
	for _, suffix := range []string{backup, recoverFlag, truncate, truncateFlag} {
		ok, err := s.exists(name + suffix)
		if err != nil {
			return err
		}
		there[suffix] = ok
	}
	if there[recoverFlag] && !there[backup] {
		return beside(name+recoverFlag, "the flag is raised and %s is missing", name+backup)
	}
	s.plan.Restored = there[recoverFlag]
	s.plan.Cut = there[truncateFlag] && !s.plan.Restored
	if s.plan.Restored {
		s.plan.File = name + backup
	}
	s.ignore(there[backup] && !s.plan.Restored, name+backup)
	s.ignore(there[truncate] && !s.plan.Cut, name+truncate)
	s.ignore(there[truncateFlag] && !s.plan.Cut, name+truncateFlag)
	if !s.plan.Cut {
		return nil
	}
	return s.readTruncate(name + truncate)
}

func (s *Source) ignore(is bool, name string) {
	if is {
		s.plan.Ignored = append(s.plan.Ignored, name)
	}
}

func (s *Source) exists(name string) (bool, error) {
	f, err := s.fs.Open(name, vfs.ReadOnly)
	if errors.Is(err, fault.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, f.Close()
}

// readTruncate learns how many characters count.
func (s *Source) readTruncate(name string) error {
	f, err := s.fs.Open(name, vfs.ReadOnly)
	if errors.Is(err, fault.ErrNotFound) {
		return beside(name+"_flag", "the flag is raised and %s is missing", name)
	}
	if err != nil {
		return err
	}
	b := make([]byte, truncateSize+1)
	n, err := f.ReadAt(b, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if n != truncateSize {
		return beside(name, "not %d bytes", truncateSize)
	}
	low, high := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
	if high != 0 || low >= noCut {
		return beside(name, "says %#x characters and 2^64 times %d", low, high)
	}
	s.chars = int64(low)
	return nil
}

// measure finds where the part that counts ends. A main file that is shorter than
// what is said to be valid has lost something.
func (s *Source) measure() error {
	st, err := s.main.Stat()
	if err != nil {
		return err
	}
	s.plan.Valid = st.Size
	if s.chars == noCut {
		return nil
	}
	end, chars, err := s.endOf(st.Size)
	if err != nil {
		return err
	}
	if chars < s.chars {
		return damage(s.plan.File, end, "has %d characters, of which %d are said to be valid", chars, s.chars)
	}
	s.plan.Valid, s.plan.Dropped, s.plan.NonASCII = end, st.Size-end, end != s.chars
	return nil
}

// endOf returns the offset behind the last character that counts, and how many
// there are up to it.
func (s *Source) endOf(size int64) (end, chars int64, err error) {
	r := io.NewSectionReader(s.main, 0, size)
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		for i, c := range buf[:n] {
			if c&0xc0 == 0x80 { // inside a character
				continue
			}
			if chars == s.chars {
				return end + int64(i), chars, nil
			}
			chars++
		}
		end += int64(n)
		if errors.Is(err, io.EOF) {
			return end, chars, nil
		}
		if err != nil {
			return end, chars, err
		}
	}
}

func damage(name string, off int64, format string, args ...any) *fault.Error {
	return &fault.Error{Op: "import", At: fault.Place{Path: name, Offset: off}, Err: fault.ErrCorrupt, Detail: fmt.Sprintf(format, args...),
		Hint: "nothing was imported; salvaging takes the lines that can be read"}
}

// beside is damage of the files beside the main one, of which salvaging knows no more.
func beside(name string, format string, args ...any) error {
	e := damage(name, 0, format, args...)
	e.Hint = "nothing was imported; put back what is missing, or take copies of the files that you trust, without the flag"
	return e
}
