package recovery

import (
	"bytes"
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

// Closed is what LOCK says of the last clean close: how far the log reached. It lets
// every later opening notice that the log ends before that.
type Closed struct {
	Seq   batch.Seq      `json:"seq"`
	Chain checkpoint.Hex `json:"chain"`
	Time  time.Time      `json:"time"`
}

// lockNote is what LOCK says: how the store was last closed, then who holds it, a
// line each. The first line stays while the store is held: an opening that fails,
// or a power cut, must not take that proof away.
type lockNote struct {
	Store  checkpoint.Hex `json:"store"`
	Holder *Holder        `json:"holder,omitempty"`
	Closed *Closed        `json:"closed,omitempty"`
}

// encode returns the lines. The first fits into a sector, so a write that a power
// cut tears leaves it whole.
func (n *lockNote) encode() ([]byte, error) {
	var all []byte
	for _, part := range []lockNote{{Store: n.Store, Closed: n.Closed}, {Store: n.Store, Holder: n.Holder}} {
		if part.Closed == nil && part.Holder == nil {
			continue
		}
		line, err := json.Marshal(part)
		if err != nil {
			return nil, err
		}
		all = append(all, sealLine(line)...)
	}
	return all, nil
}

// readLock reads LOCK; a line that does not check out says nothing.
func readLock(fsys vfs.FS) (lockNote, error) {
	b, err := readSmall(fsys, LockName, maxLock)
	if errors.Is(err, fault.ErrNotFound) || errors.Is(err, fault.ErrCorrupt) {
		return lockNote{}, nil
	}
	n, _ := decodeLock(b)
	return n, err
}

// decodeLock reads the lines that check out; whole is false where one does not.
func decodeLock(b []byte) (n lockNote, whole bool) {
	whole = true
	for line := range bytes.Lines(b) {
		part := n
		if !openLine(line) || json.Unmarshal(line, &part) != nil {
			whole = false
			continue
		}
		n = part
	}
	return n, whole
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

// hold writes into LOCK who holds it, behind what the last close said, so that
// whoever comes while a long recovery is under way is told. It need not be
// durable: the kernel decides who holds a store.
func (s *Store) hold(h Holder) (err error) {
	if s.was, err = readSmall(s.FS, LockName, maxLock); err != nil && !errors.Is(err, fault.ErrCorrupt) {
		return err
	}
	note, _ := decodeLock(s.was)
	if string(note.Store) != string(s.ID[:]) {
		note = lockNote{Store: s.ID[:]}
	}
	note.Holder = &h
	b, err := note.encode()
	if err != nil {
		return err
	}
	s.held = true
	return s.Lock.SetContent(b, false)
}

// letGo gives back the lock of an opening that failed, and makes LOCK say what it
// said before.
func (s *Store) letGo() (err error) {
	if s.Lock == nil {
		return nil
	}
	if s.held {
		err = s.Lock.SetContent(s.was, false)
	}
	return errors.Join(err, s.Lock.Close())
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

// HeldBy returns who has the store open for writing at this moment, as LOCK names them;
// nil where nobody has, or has not yet said who it is.
func HeldBy(fsys vfs.FS) (*Holder, error) {
	held, err := fsys.Held(LockName)
	if err != nil || !held {
		return nil, err
	}
	return HolderNow(fsys)
}

// HolderNow returns who LOCK says has the store open; nil where it names nobody.
func HolderNow(fsys vfs.FS) (*Holder, error) {
	note, err := readLock(fsys)
	return note.Holder, err
}
