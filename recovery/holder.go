package recovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// maxLock bounds what is read of LOCK, in bytes.
const maxLock = 4096

// Holder is who has a store open for writing. It is the cause of an ErrLocked:
// errors.AsType finds it there.
type Holder struct {
	PID     int       `json:"pid"`
	Program string    `json:"program"`
	Host    string    `json:"host"`
	Since   time.Time `json:"since"`
}

// Error returns who it is, in words.
func (h *Holder) Error() string {
	return fmt.Sprintf("held by pid %d (%s on %s) since %s", h.PID, h.Program, h.Host, h.Since.Format(time.RFC3339))
}

// Closed is what LOCK says after a clean close: how far the log reached. It lets
// the next opening notice that the end of the log has gone since.
type Closed struct {
	Seq   batch.Seq      `json:"seq"`
	Chain checkpoint.Hex `json:"chain"`
	Time  time.Time      `json:"time"`
}

// lockNote is the line in LOCK: who holds it, or how it was closed.
type lockNote struct {
	Store  checkpoint.Hex `json:"store"`
	Holder *Holder        `json:"holder,omitempty"`
	Closed *Closed        `json:"closed,omitempty"`
}

func (n *lockNote) encode() ([]byte, error) {
	line, err := json.Marshal(n)
	if err != nil {
		return nil, err
	}
	return sealLine(line), nil
}

// readLock reads LOCK; a line that does not check out says nothing.
func readLock(fsys vfs.FS) (n lockNote, err error) {
	line, err := readSmall(fsys, LockName, maxLock)
	if errors.Is(err, fault.ErrNotFound) || errors.Is(err, fault.ErrCorrupt) {
		return n, nil
	}
	if err != nil || !openLine(line) || json.Unmarshal(line, &n) != nil {
		return lockNote{}, err
	}
	return n, nil
}

// lock takes the store's lock. Where somebody else has it the error names them.
func lock(fsys vfs.FS) (vfs.Lock, error) {
	l, err := fsys.Lock(LockName)
	if errors.Is(err, fault.ErrLocked) {
		return nil, lockedBy(fsys, err)
	}
	return l, err
}

// unheld returns ErrLocked where somebody writes to the store.
func unheld(fsys vfs.FS) error {
	held, err := fsys.Held(LockName)
	if err != nil || !held {
		return err
	}
	return lockedBy(fsys, &fault.Error{Op: "open", At: fault.Place{Path: LockName}, Err: fault.ErrLocked})
}

// lockedBy adds the holder to an ErrLocked, where LOCK names one.
func lockedBy(fsys vfs.FS, cause error) error {
	e := &fault.Error{Op: "open", At: fault.Place{Path: fsys.Path()}, Err: fault.ErrLocked}
	note, err := readLock(fsys)
	if err != nil {
		e.Cause = errors.Join(cause, err)
	} else if note.Holder != nil {
		e.Cause = note.Holder
	}
	return e
}

// hold writes into LOCK who holds it. It need not be durable: the kernel decides
// who holds a store, and an older line is only a lower bound of the log.
func hold(l vfs.Lock, store wal.StoreID, h Holder) error {
	b, err := (&lockNote{Store: store[:], Holder: &h}).encode()
	if err != nil {
		return err
	}
	return l.SetContent(b, false)
}

// Release ends a clean close: LOCK says how far the log reached, durably, and is
// let go. The log must be closed before.
func Release(l vfs.Lock, store wal.StoreID, c Closed) error {
	b, err := (&lockNote{Store: store[:], Closed: &c}).encode()
	if err == nil {
		err = l.SetContent(b, true)
	}
	return errors.Join(err, l.Close())
}

// HolderNow returns who LOCK says has the store open; nil where it names nobody.
func HolderNow(fsys vfs.FS) (*Holder, error) {
	note, err := readLock(fsys)
	return note.Holder, err
}
