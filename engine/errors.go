package engine

import (
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/recovery"
)

// Error says where an operation failed, why, and what to do about it: Op, At (Path,
// Offset, Seq), Err (a *Kind), Detail, Hint and Cause. Its method Advice returns
// what to do in any case.
type Error = fault.Error

// Kind is a sentinel: what failed. Code is stable, Exit is the command's exit code.
type Kind = fault.Kind

// Holder is who has a store open for writing: the cause of an ErrLocked.
type Holder = recovery.Holder

// The sentinels that this package answers with.
var (
	ErrNotFound     = fault.ErrNotFound     // no such key
	ErrNotStore     = fault.ErrNotStore     // no store at that place
	ErrExists       = fault.ErrExists       // a store is there already
	ErrConflict     = fault.ErrConflict     // what the transaction read has changed
	ErrCorrupt      = fault.ErrCorrupt      // damage
	ErrForeign      = fault.ErrForeign      // a file of another store
	ErrNotRegular   = fault.ErrNotRegular   // a link, pipe or device in the store
	ErrLocked       = fault.ErrLocked       // somebody else has the store open
	ErrIncompatible = fault.ErrIncompatible // format or feature of another version
	ErrReadOnly     = fault.ErrReadOnly     // opened or mounted read-only
	ErrDenied       = fault.ErrDenied       // permission
	ErrCompacted    = fault.ErrCompacted    // no longer kept
	ErrPartial      = fault.ErrPartial      // done in part; what was left out is listed
	ErrAmbiguous    = fault.ErrAmbiguous    // it may be there after reopening
	ErrClosed       = fault.ErrClosed       // the DB was closed
	ErrPoisoned     = fault.ErrPoisoned     // a failed write ended writing
	ErrNoSpace      = fault.ErrNoSpace      // disk full; nothing was written
	ErrNoLocks      = fault.ErrNoLocks      // file system without reliable locks
	ErrTooLarge     = fault.ErrTooLarge     // key or batch above the limit
	ErrBadName      = fault.ErrBadName      // tenant name or setting not allowed
	ErrInTx         = fault.ErrInTx         // begin inside a transaction
	ErrNotInTx      = fault.ErrNotInTx      // the transaction has ended
	ErrIO           = fault.ErrIO           // the disk failed
)
