// Package fault declares every sentinel error of the module and the one struct
// that says where an error happened.
//
// A sentinel (a *Kind) says what went wrong; an Error says where, why, and what
// the user can do. [errors.Is] finds the sentinel, [errors.AsType] finds the
// Error. Each sentinel has a stable code for JSON and wires and the exit code
// that the command answers with.
//
// Package engine gives all of it out under its own name; embedders import that.
package fault

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Kind is a sentinel: one class of failure. Its zero value is not valid; the
// package variables below are all there are. Kinds are compared by identity.
type Kind struct {
	code string
	exit int
	text string
	hint string
	is   *Kind // a wider class this one also belongs to, or nil
}

// Error returns the class in words.
func (k *Kind) Error() string { return k.text }

// Code returns the stable code used in JSON and on wires, for example NOT_FOUND.
func (k *Kind) Code() string { return k.code }

// Exit returns the exit code of the command for this class.
func (k *Kind) Exit() int { return k.exit }

// Hint returns the sentence that tells the user what to do, used where an
// Error carries none of its own.
func (k *Kind) Hint() string { return k.hint }

// Is reports whether target is the wider class that k belongs to.
func (k *Kind) Is(target error) bool {
	t, ok := target.(*Kind)
	return ok && k.is != nil && k.is == t
}

// The sentinels. See docs/DESIGN.md, "Errors".
var (
	ErrNotFound     = &Kind{code: "NOT_FOUND", exit: 3, text: "not found", hint: "check the name"}
	ErrNotStore     = &Kind{code: "NOT_STORE", exit: 3, text: "not a vlog store", hint: "name a directory made by `vlog init`, or create one there"}
	ErrTrimmed      = &Kind{code: "TRIMMED", exit: 3, text: "history was trimmed", hint: "ask for a later position"}
	ErrExists       = &Kind{code: "EXISTS", exit: 4, text: "exists already", hint: "choose another name, or open what is there"}
	ErrConflict     = &Kind{code: "CONFLICT", exit: 4, text: "conflict", hint: "read again and retry; Update does so by itself"}
	ErrNotUnique    = &Kind{code: "NOT_UNIQUE", exit: 4, text: "not unique", hint: "give more digits of the id"}
	ErrCorrupt      = &Kind{code: "CORRUPT", exit: 5, text: "damaged", hint: "keep a copy of the directory; `vlog check` lists what is damaged"}
	ErrForeign      = &Kind{code: "FOREIGN", exit: 5, text: "belongs to another store", hint: "remove the foreign file from the store, or put back the right one"}
	ErrNotRegular   = &Kind{code: "NOT_REGULAR", exit: 5, text: "not a regular file", hint: "a store holds plain files and directories only; remove links, pipes and devices"}
	ErrLocked       = &Kind{code: "LOCKED", exit: 6, text: "locked by another opener", hint: "close it there first; one writer at a time may hold a store"}
	ErrIncompatible = &Kind{code: "INCOMPATIBLE", exit: 7, text: "not compatible", hint: "use a version of vlog that knows it"}
	ErrReadOnly     = &Kind{code: "READ_ONLY", exit: 8, text: "read-only", hint: "open it for writing, on a file system that can be written"}
	ErrDenied       = &Kind{code: "DENIED", exit: 8, text: "permission denied", hint: "check owner and mode of the path"}
	ErrPartial      = &Kind{code: "PARTIAL", exit: 9, text: "done in part", hint: "see what was left out"}
	ErrAmbiguous    = &Kind{code: "AMBIGUOUS", exit: 11, text: "outcome unknown", hint: "close, open again and look whether it is there"}
	ErrClosed       = &Kind{code: "CLOSED", exit: 1, text: "closed", hint: "open it again"}
	ErrPoisoned     = &Kind{code: "POISONED", exit: 1, text: "stopped writing after a failed write", hint: "close and open again; opening checks and repairs"}
	ErrNoSpace      = &Kind{code: "NO_SPACE", exit: 1, text: "no space left", hint: "free some space and try again; nothing was written"}
	ErrNoLocks      = &Kind{code: "NO_LOCKS", exit: 1, text: "file system without reliable locks", hint: "keep the store on a local disk"}
	ErrTooLarge     = &Kind{code: "TOO_LARGE", exit: 1, text: "too large", hint: "split it"}
	ErrBadName      = &Kind{code: "BAD_NAME", exit: 1, text: "name not allowed", hint: "see the rules for names"}
	ErrInTx         = &Kind{code: "IN_TX", exit: 1, text: "already in a transaction", hint: "use the transaction at hand, or tx.Sub to stack on it"}
	ErrNotInTx      = &Kind{code: "NOT_IN_TX", exit: 1, text: "the transaction has ended", hint: "begin another one"}
	ErrCompacted    = &Kind{code: "COMPACTED", exit: 1, text: "no longer kept", hint: "begin at the first kept position, or keep more"}
	ErrType         = &Kind{code: "TYPE", exit: 1, text: "wrong type", hint: "see the definition"}
	ErrMissingBlob  = &Kind{code: "MISSING_BLOB", exit: 1, text: "names a blob that is not there", hint: "store the blob first"}
	ErrBlobInUse    = &Kind{code: "BLOB_IN_USE", exit: 1, text: "blob is in use", hint: "remove what names it first"}
	ErrKind         = &Kind{code: "KIND", exit: 1, text: "snapshot and collection mixed", hint: "use one kind for an entry"}
	ErrRegistered   = &Kind{code: "REGISTERED", exit: 1, text: "registered already", hint: "register a tag once"}
	ErrUnknownTag   = &Kind{code: "UNKNOWN_TAG", exit: 1, text: "unknown tag", hint: "register its handler, or ask for the raw form"}
	ErrIO           = &Kind{code: "IO", exit: 1, text: "input/output error", hint: "check the disk"}
)

// Place says where an error happened. Only the fields that are known are set.
type Place struct {
	Path   string // file or directory, relative to the store where it lies in one
	Offset int64  // byte offset in Path; 0 means the file as a whole or its first bytes
	Seq    uint64 // batch concerned; 0 means none
}

// Error is one failure: what (Err, a sentinel), where (Op, At), why (Cause), and
// what was found against what was expected (Detail). Hint replaces the hint of
// the sentinel where something better can be said.
type Error struct {
	Op     string
	At     Place
	Err    *Kind
	Detail string
	Hint   string
	Cause  error
}

// Error returns one line: operation, place, class, detail, cause. What a cause says
// again, as most causes from the system do, is said once.
func (e *Error) Error() string { return before(e.Op) + before(e.At.String()) + e.what() }

// before ends a part of the line that others follow.
func before(part string) string {
	if part == "" {
		return ""
	}
	return part + ": "
}

// what is the line without operation and place.
func (e *Error) what() string {
	class, cause := e.Err.Error(), e.why()
	if says(cause, class) { // "no space left on device" says more than "no space left"
		class, cause = cause, ""
	}
	parts := []string{class}
	for _, more := range []string{e.Detail, cause} {
		if more != "" {
			parts = append(parts, more)
		}
	}
	return strings.Join(parts, ": ")
}

// says reports whether a cause begins with all the words of a class.
func says(cause, class string) bool {
	return len(cause) >= len(class) && strings.EqualFold(cause[:len(class)], class)
}

// why is the cause in words, without what e says before it; empty where that is all.
func (e *Error) why() string {
	switch cause := e.Cause.(type) {
	case nil:
		return ""
	case *Error:
		rest := *cause
		if rest.Op == e.Op {
			rest.Op = ""
		}
		if rest.At == e.At {
			rest.Op, rest.At = "", Place{} // another operation on the same thing is no news
		}
		return rest.Error()
	}
	if e.Err == ErrNotFound && errors.Is(e.Cause, fs.ErrNotExist) { // every system has its own words for this
		return ""
	}
	return e.Cause.Error()
}

// String returns the place in words; empty where nothing is known.
func (p Place) String() string {
	var parts []string
	if p.Path != "" {
		parts = append(parts, p.Path)
	}
	if p.Offset != 0 {
		parts = append(parts, fmt.Sprintf("offset %d", p.Offset))
	}
	if p.Seq != 0 {
		parts = append(parts, fmt.Sprintf("#%d", p.Seq))
	}
	return strings.Join(parts, " ")
}

// Unwrap returns the sentinel and the cause, so that errors.Is finds both.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.Cause}
}

// Advice returns the sentence that tells the user what to do.
func (e *Error) Advice() string {
	if e.Hint != "" {
		return e.Hint
	}
	return e.Err.Hint()
}

// KindOf returns the first sentinel in err's tree, or nil where there is none.
func KindOf(err error) *Kind {
	k, ok := errors.AsType[*Kind](err)
	if !ok {
		return nil
	}
	return k
}

// Kinds returns every sentinel, in the order of the exit codes.
func Kinds() []*Kind {
	return []*Kind{
		ErrNotFound, ErrNotStore, ErrTrimmed, ErrExists, ErrConflict, ErrNotUnique, ErrCorrupt, ErrForeign,
		ErrNotRegular, ErrLocked, ErrIncompatible, ErrReadOnly, ErrDenied, ErrPartial, ErrAmbiguous, ErrClosed,
		ErrPoisoned, ErrNoSpace, ErrNoLocks, ErrTooLarge, ErrBadName, ErrInTx, ErrNotInTx, ErrCompacted, ErrType,
		ErrMissingBlob, ErrBlobInUse, ErrKind, ErrRegistered, ErrUnknownTag, ErrIO,
	}
}
