package recovery

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// act sets aside what was chosen. Whatever proves that something is missing goes only
// when all that was missed is in log/error: until then opening refuses, and another
// salvage goes on.
func (v *salvage) act() error {
	fsys := v.store.FS
	if err := fsys.Mkdir(checkpoint.ErrorDir); err != nil && !errors.Is(err, fault.ErrExists) {
		return err
	}
	if err := fsys.SyncDir(wal.Dir); err != nil {
		return err
	}
	for i := range v.aside {
		if err := v.move(&v.aside[i]); err != nil {
			return err
		}
	}
	if err := v.reseal(); err != nil {
		return err
	}
	if err := fsys.Remove(wal.DurableName); err != nil && !errors.Is(err, fault.ErrNotFound) {
		return err
	}
	if err := fsys.SyncDir(wal.Dir); err != nil {
		return err
	}
	return v.disclaim()
}

// move sets one thing aside, durably.
func (v *salvage) move(a *Aside) error {
	a.To = v.name(a)
	fsys := v.store.FS
	if a.Offset > 0 {
		if err := copyEnd(fsys, a); err != nil {
			return err
		}
	} else if err := fsys.Rename(a.File, a.To); err != nil {
		return err
	}
	if err := fsys.SyncDir(checkpoint.ErrorDir); err != nil {
		return err
	}
	if a.Offset > 0 {
		return wal.Cut(fsys, v.piece(a.File).seg)
	}
	return fsys.SyncDir(wal.Dir)
}

// asideSuffix is in the name of what was set aside, before a number.
const asideSuffix = ".aside-"

// name returns a free name in log/error.
func (v *salvage) name(a *Aside) string {
	base := strings.TrimPrefix(a.File, wal.Dir+"/")
	if a.Offset > 0 {
		base += "@" + strconv.FormatInt(a.Offset, 10)
	}
	for n := 1; ; n++ {
		if name := fmt.Sprintf("%s/%s%s%d", checkpoint.ErrorDir, base, asideSuffix, n); !v.taken[name] {
			v.taken[name] = true
			return name
		}
	}
}

// isAside says whether a base name in error/ is one that name gives.
func isAside(base string) bool {
	what, num, found := strings.Cut(base, asideSuffix)
	if n, err := strconv.Atoi(num); !found || err != nil || n < 1 || strconv.Itoa(n) != num {
		return false
	}
	file, off, cut := strings.Cut(what, "@")
	if cut && (off == "" || strings.Trim(off, "0123456789") != "") {
		return false
	}
	_, _, segment := wal.ParseSegment(file)
	_, check := checkpoint.ParseName(file)
	return segment || check && !cut
}

// copyStep is how much of an end is copied at once, in bytes.
const copyStep = 1 << 20

// copyEnd copies what stands behind an offset; the copy gets its name when it is whole.
func copyEnd(fsys vfs.FS, a *Aside) (err error) {
	from, err := fsys.Open(a.File, vfs.ReadOnly)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	temp := a.To + tempKept
	to, err := fsys.Open(temp, vfs.Create)
	if err != nil {
		return err
	}
	if err := errors.Join(copyBytes(to, from, a.Offset), to.Close()); err != nil {
		return err
	}
	return fsys.Rename(temp, a.To)
}

func copyBytes(to, from vfs.File, off int64) error {
	buf := make([]byte, copyStep)
	if err := to.Truncate(0); err != nil {
		return err
	}
	for at := int64(0); ; {
		n, err := from.ReadAt(buf, off+at)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if n == 0 {
			return to.Sync()
		}
		if _, err := to.WriteAt(buf[:n], at); err != nil {
			return err
		}
		at += int64(n)
	}
}

// reseal ends the kept segments below the newest that have lost their seal: all their
// batches are there, for the next segment goes on behind them.
func (v *salvage) reseal() error {
	for i := v.low; i < v.top; i++ {
		seg := v.pieces[i].seg
		if seg.Sealed {
			continue
		}
		if _, err := wal.Mend(v.store.FS, seg, seg.From(seg.Synced), v.now); err != nil {
			return err
		}
	}
	return nil
}

// disclaim takes back what LOCK says of a close behind the newest batch that is kept, or
// with other batches.
func (v *salvage) disclaim() error {
	note, _ := decodeLock(v.store.was)
	if note.Closed == nil || note.Closed.Seq <= v.last && !v.other {
		return nil
	}
	v.store.was = nil
	return v.store.Lock.SetContent(nil, true)
}

func parseCheckpoint(f File) (batch.Seq, bool) { return checkpoint.ParseName(f.Base()) }
