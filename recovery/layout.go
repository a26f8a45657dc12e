package recovery

import (
	"strings"

	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// LockName is the file whose kernel lock the one writing process holds.
const LockName = "LOCK"

// CopyName is a file that is being copied into a backup place, or a store that is
// restored, and has no name of its own yet.
const CopyName = wal.Dir + "/copy.tmp"

// Class is what a name in a store stands for.
type Class uint8

// The classes of names. Unknown is the zero value: a file that no rule of
// docs/FORMAT.md names.
const (
	Unknown Class = iota
	ClassFormat
	ClassLock
	ClassLogDir
	ClassSegment
	ClassSpare
	ClassCheckpoint
	ClassDurable
	ClassBackup
	ClassFlag
	ClassErrorDir
	ClassKept  // a tail in error/
	ClassAside // what a salvage set aside in error/
	ClassTemp  // left by a replacement, or a copy of a tail, that did not finish
	// Irregular is a link, pipe, device or directory under a name of ours, or a
	// file where a directory of ours belongs: nothing may be read or written there.
	Irregular
)

// Classify says what a path inside a store stands for. It is the one place that
// knows all names.
func Classify(path string, dir bool) Class {
	if dir {
		return classifyDir(path)
	}
	if base, ok := strings.CutPrefix(path, checkpoint.ErrorDir+"/"); ok {
		return classifyKept(base)
	}
	if base, ok := strings.CutPrefix(path, wal.Dir+"/"); ok {
		return classifyLog(path, base)
	}
	switch {
	case path == FormatName:
		return ClassFormat
	case path == LockName:
		return ClassLock
	case isTemp(path):
		return ClassTemp
	}
	return Unknown
}

// isTemp says whether replacing FORMAT, the one file of a store that is replaced,
// may have left a name. Whatever else looks temporary belongs to somebody else.
func isTemp(path string) bool {
	rest, ok := strings.CutPrefix(path, "."+FormatName)
	return ok && rest != "" && vfs.IsTemp(path) && strings.Trim(strings.TrimSuffix(rest, ".tmp"), ".0123456789") == ""
}

func classifyDir(path string) Class {
	switch path {
	case wal.Dir:
		return ClassLogDir
	case checkpoint.ErrorDir:
		return ClassErrorDir
	}
	return Unknown
}

func classifyKept(base string) Class {
	whole := strings.TrimSuffix(base, tempKept)
	switch {
	case strings.Contains(base, "/") || !isKept(whole) && !isAside(whole):
		return Unknown
	case whole != base:
		return ClassTemp
	case isAside(base):
		return ClassAside
	}
	return ClassKept
}

func classifyLog(path, base string) Class {
	switch path {
	case wal.DurableName:
		return ClassDurable
	case CopyName:
		return ClassTemp
	case checkpoint.Backup:
		return ClassBackup
	case checkpoint.Recover, checkpoint.Truncate, checkpoint.TruncateFlag:
		return ClassFlag
	}
	if _, _, ok := wal.ParseSegment(base); ok {
		return ClassSegment
	}
	if _, ok := checkpoint.ParseName(base); ok {
		return ClassCheckpoint
	}
	if wal.ParseSpare(base) {
		return ClassSpare
	}
	return Unknown
}

// File is one name found in a store.
type File struct {
	Path  string
	Class Class
}

// odd says whether a name of ours stands for something of another kind.
func odd(path string, e vfs.DirEntry) bool {
	if e.Dir {
		return Classify(path, true) == Unknown && Classify(path, false) != Unknown
	}
	if e.Regular {
		return Classify(path, false) == Unknown && Classify(path, true) != Unknown
	}
	return Classify(path, false) != Unknown || Classify(path, true) != Unknown
}

// plain returns ErrNotRegular where a name of ours stands for something of
// another kind: it would be taken for missing, and then be written over.
func plain(files []File) error {
	for _, f := range files {
		if f.Class == Irregular {
			return &fault.Error{Op: "open", At: fault.Place{Path: f.Path}, Err: fault.ErrNotRegular, Hint: "put the plain file or directory back, or move this away; nothing was changed"}
		}
	}
	return nil
}

// Base returns the last element of the path.
func (f File) Base() string { return f.Path[strings.LastIndexByte(f.Path, '/')+1:] }

// Files lists every name in a store, directories it knows included, sorted by
// name within each directory.
func Files(fsys vfs.FS) ([]File, error) { return walk(fsys) }

func walk(fsys vfs.FS) ([]File, error) {
	var all []File
	dirs := []string{"."}
	for len(dirs) > 0 {
		dir := dirs[0]
		dirs = dirs[1:]
		entries, err := fsys.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			path := e.Name
			if dir != "." {
				path = dir + "/" + e.Name
			}
			class := Classify(path, e.Dir)
			if odd(path, e) {
				class = Irregular
			}
			all = append(all, File{path, class})
			if e.Dir && class != Unknown && class != Irregular {
				dirs = append(dirs, path)
			}
		}
	}
	return all, nil
}
