package vfs

import "fmt"

// OpKind is what an operation does.
type OpKind uint8

// The kinds of operation. OpOpen opens what is there, OpCreate is an Open that
// may create; a Mem reports OpCreate only where a file was really created.
const (
	OpOpen OpKind = iota + 1
	OpRead
	OpStat
	OpReadDir
	OpHeld
	OpClose
	OpCreate
	OpWrite
	OpTruncate
	OpSync
	OpRename
	OpRemove
	OpMkdir
	OpSyncDir
	OpLock
	OpSetLock
	OpUnlock
)

// String returns the word for the kind used in traces and errors.
func (k OpKind) String() string {
	words := [...]string{"none", "open", "read", "stat", "readdir", "held", "close", "create", "write", "truncate",
		"sync", "rename", "remove", "mkdir", "syncdir", "lock", "setlock", "unlock"}
	if int(k) >= len(words) {
		return "unknown"
	}
	return words[k]
}

// Reads reports whether an operation of this kind leaves the disk as it is.
func (k OpKind) Reads() bool { return k < OpCreate }

// Op is one operation on an FS or a File.
type Op struct {
	N       int // 1 for the first one; what is counted is said where Ops are given out
	Kind    OpKind
	Name    string // file or directory concerned
	NewName string // of a rename
	Offset  int64  // of a read or write
	Len     int64  // bytes read or written; the new size for a truncate

	file File // that a sync is of, whatever it is called by now
}

// String returns the operation as one line of a trace, for example
// "write log/7.vlog 512+1024".
func (o Op) String() string {
	switch o.Kind {
	case OpRead, OpWrite:
		return fmt.Sprintf("%v %s %d+%d", o.Kind, o.Name, o.Offset, o.Len)
	case OpTruncate, OpSetLock:
		return fmt.Sprintf("%v %s %d", o.Kind, o.Name, o.Len)
	case OpRename:
		return fmt.Sprintf("%v %s %s", o.Kind, o.Name, o.NewName)
	}
	return fmt.Sprintf("%v %s", o.Kind, o.Name)
}
