package recovery

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/wal"
)

// make makes a store where no FORMAT is, or goes on making one that a crash
// interrupted: only names of ours and no frame.
func (s *Store) make(opts Options) error {
	if err := s.makeable(opts); err != nil {
		return err
	}
	lock, err := lock(s.FS)
	if err != nil {
		return err
	}
	s.Lock = lock
	format, err := ReadFormat(s.FS)
	if err == nil { // somebody was faster
		if opts.MustNotExist {
			return &fault.Error{Op: "create", At: fault.Place{Path: s.FS.Path()}, Err: fault.ErrExists, Detail: "store " + format.UUID}
		}
		s.Format = format
		s.ID, err = format.Store()
		return err
	}
	if !errors.Is(err, fault.ErrNotFound) {
		return err
	}
	return s.create(opts)
}

// makeable returns nil where a store may be made here.
func (s *Store) makeable(opts Options) error {
	no := func(detail string) *fault.Error {
		return &fault.Error{Op: "open", At: fault.Place{Path: s.FS.Path()}, Err: fault.ErrNotStore, Detail: detail}
	}
	files, err := walk(s.FS)
	if err != nil {
		return err
	}
	if err := plain(files); err != nil {
		return err
	}
	for _, f := range files {
		switch f.Class {
		case ClassLock, ClassLogDir, ClassTemp, ClassSpare:
		case Unknown:
			return no("there is no " + FormatName + ", and " + f.Path + " is not ours")
		default:
			err := no("there is no " + FormatName + ", but " + f.Path + " is")
			err.Hint = "put " + FormatName + " back, or restore a backup; nothing was touched"
			return err
		}
	}
	if opts.MustExist || opts.ReadOnly {
		return no("there is no " + FormatName)
	}
	if n := len(opts.Documentation); n > maxDocumentation {
		return batch.TooLarge("documentation", n, maxDocumentation)
	}
	return nil
}

// create makes a store under the lock: the directory of the log and what made it
// durable first, FORMAT, which makes it a store, last.
func (s *Store) create(opts Options) (err error) {
	s.Format = newFormat(opts)
	if s.ID, err = s.Format.Store(); err != nil {
		return err
	}
	if err := s.FS.Mkdir(wal.Dir); err != nil && !errors.Is(err, fault.ErrExists) {
		return err
	}
	if err := s.FS.SyncDir(wal.Dir); err != nil {
		return err
	}
	if err := s.FS.SyncDir("."); err != nil {
		return err
	}
	line, err := s.Format.encode()
	if err != nil {
		return err
	}
	s.Report.Created = true
	return s.FS.Replace(FormatName, line)
}

func newFormat(opts Options) Format {
	none := []string{}
	return Format{Version: FormatVersion, Features: Features{none, none, none}, UUID: newUUID(opts.Rand, opts.nanos()), Codec: opts.Codec.String(),
		Created: opts.Now().UTC().Truncate(time.Second), Documentation: opts.Documentation}
}

// newUUID returns a UUID of version 7 (RFC 9562): 48 bits of milliseconds, the
// rest random.
func newUUID(random func() uint64, nanos int64) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], uint64(nanos/int64(time.Millisecond))<<16|random()&0xfff)
	binary.BigEndian.PutUint64(b[8:], random())
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return fmt.Sprintf("%s-%s-%s-%s-%s", h[:8], h[8:12], h[12:16], h[16:20], h[20:])
}
