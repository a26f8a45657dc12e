package recovery

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// Severities of a finding.
const (
	SeverityError   = "error"   // something that was acknowledged cannot be read, or is not as it was written
	SeverityWarning = "warning" // something that the next opening repairs, or that is not ours
)

// Finding is one thing that checking found.
type Finding struct {
	Severity string
	Kind     string // checksum, missing, chain, torn, foreign, incompatible, unknown, leftover, padding, io
	File     string // inside the store
	Offset   int64
	Seq      uint64 // first batch concerned; 0: none
	Detail   string // what was found
	Affects  string // what is affected, in words
}

// CheckSummary counts what checking went through.
type CheckSummary struct {
	Segments, Checkpoints int
	Batches               uint64 // good ones in the log
	Bytes                 int64  // read
	Errors, Warnings      int
	Took                  time.Duration
}

// CheckOptions of a check. Now is required.
type CheckOptions struct {
	Progress func(done, total int64) // bytes; nil is not called
	Now      func() time.Time
}

// Check reads every byte that counts of a store that nobody writes to, compares
// checksums, chain and seals, and calls found for what is not as it should be. It
// changes nothing. The error is for what stops the checking itself: no store, a
// living writer, a store from the future.
func Check(ctx context.Context, fsys vfs.FS, opts CheckOptions, found func(Finding)) (CheckSummary, error) {
	c := &checker{ctx: ctx, fs: fsys, opts: opts, found: found, began: opts.Now()}
	if err := c.run(); err != nil {
		return c.sum, err
	}
	c.sum.Took = max(opts.Now().Sub(c.began), 0)
	return c.sum, nil
}

type checker struct {
	flags checkpoint.Flags
	ctx   context.Context
	fs    vfs.FS
	opts  CheckOptions
	found func(Finding)
	began time.Time
	sum   CheckSummary

	quiet  *Quiet // nil until the format is known
	busy   error  // somebody writes to the store; it is not told any further
	store  wal.StoreID
	codec  wal.Codec
	files  []File
	sizes  map[string]int64
	total  int64
	chains map[batch.Seq]batch.Chain // of good checkpoints
	newest batch.Seq                 // good checkpoint
	oldest batch.Seq                 // good checkpoint; the log is kept from there on
	look   *look                     // knows what LOCK and log/durable prove
	ended  batch.Seq                 // last good batch of the log
	other  *Finding                  // LOCK tells of other batches; told where nothing else says so
	prev   *wal.Segment
	batch  batch.Batch
}

func (c *checker) run() error {
	format, err := ReadFormat(c.fs)
	if errors.Is(err, fault.ErrNotFound) {
		return &fault.Error{Op: "check", At: fault.Place{Path: c.fs.Path()}, Err: fault.ErrNotStore, Detail: "there is no " + FormatName}
	}
	if errors.Is(err, fault.ErrCorrupt) {
		return c.damage(FormatName, 0, err, "the whole store: its identity cannot be read")
	}
	if err != nil {
		return err
	}
	if c.store, err = format.Store(); err != nil {
		return err
	}
	c.codec = format.LogCodec()
	if c.quiet, err = NewQuiet(c.fs); err != nil {
		return err
	}
	for _, step := range []func() error{c.list, c.names, c.checkpoints, c.proofs, c.segments, c.bounds, c.tails} {
		if err := step(); err != nil {
			return c.quiet.Blame(err)
		}
		if c.busy != nil {
			return c.busy
		}
	}
	return nil
}

// tell tells of a finding; not of one that comes of somebody who writes meanwhile.
func (c *checker) tell(f Finding) {
	if c.busy == nil && c.quiet != nil && f.Severity == SeverityError {
		if changed := c.quiet.Still(); errors.Is(changed, fault.ErrLocked) {
			c.busy = changed
		}
	}
	if c.busy != nil {
		return
	}
	if f.Severity == SeverityError {
		c.sum.Errors++
	} else {
		c.sum.Warnings++
	}
	c.found(f)
}

// list learns names and sizes.
func (c *checker) list() (err error) {
	if c.files, err = walk(c.fs); err != nil {
		return err
	}
	if c.flags, err = checkpoint.ReadFlags(c.fs, c.store); err != nil {
		return err
	}
	c.sizes, c.chains = map[string]int64{}, map[batch.Seq]batch.Chain{}
	for _, f := range c.files {
		switch f.Class {
		case ClassSegment, ClassCheckpoint, ClassKept:
			size, err := fileSize(c.fs, f.Path)
			if err != nil {
				return err
			}
			c.sizes[f.Path] = size
			c.total += size
		}
	}
	return nil
}

func fileSize(fsys vfs.FS, name string) (int64, error) {
	f, err := fsys.Open(name, vfs.ReadOnly)
	if err != nil {
		return 0, err
	}
	st, err := f.Stat()
	return st.Size, errors.Join(err, f.Close())
}

// read counts a file as read.
func (c *checker) read(f File) error {
	c.sum.Bytes += c.sizes[f.Path]
	if c.opts.Progress != nil {
		c.opts.Progress(c.sum.Bytes, c.total)
	}
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	return nil
}

// proofs learns what LOCK and log/durable prove, and from where on the log is kept:
// while a promotion drops what is old, only from the newest checkpoint.
func (c *checker) proofs() error {
	c.look = &look{ctx: c.ctx, fs: c.fs, store: c.store, codec: c.codec}
	if slices.ContainsFunc(c.files, func(f File) bool { return f.Path == checkpoint.Recover }) {
		c.oldest = c.newest
	}
	return c.look.bounds(false)
}

// names tells of files that no rule names and of what a crash left.
func (c *checker) names() error {
	if !slices.ContainsFunc(c.files, func(f File) bool { return f.Class == ClassLogDir }) {
		c.tell(Finding{SeverityError, "missing", wal.Dir, 0, 0, "the directory is missing", "the whole log"})
	}
	for _, f := range c.files {
		switch f.Class {
		case ClassSegment:
			if _, codec, _ := wal.ParseSegment(f.Base()); codec != c.codec {
				c.tell(Finding{SeverityError, "foreign", f.Path, 0, 0, fmt.Sprintf("a segment of codec %v in a store of codec %v", codec, c.codec), "whatever it holds; opening refuses"})
			}
		case Irregular:
			c.tell(Finding{SeverityError, "irregular", f.Path, 0, 0, "is no plain file or directory, but has a name of ours", "whatever belongs there; opening refuses"})
		case Unknown:
			c.tell(Finding{SeverityWarning, "unknown", f.Path, 0, 0, "no rule names this file", "nothing; it is left alone"})
		case ClassBackup, ClassFlag, ClassTemp, ClassSpare:
			c.tell(Finding{SeverityWarning, "leftover", f.Path, 0, 0, c.left(f), "nothing; the next opening removes it"})
		}
	}
	return nil
}

// left says where a leftover comes from.
func (c *checker) left(f File) string {
	if f.Path == checkpoint.Recover && c.flags.Promotion == nil {
		return "left by a stop in the middle; it does not check out, and counts for nothing"
	}
	return "left by a stop in the middle"
}

// checkpoints reads every checkpoint whole, its entries too.
func (c *checker) checkpoints() error {
	for _, f := range c.files {
		if f.Class != ClassCheckpoint {
			continue
		}
		c.sum.Checkpoints++
		seq, _ := checkpoint.ParseName(f.Base())
		_, sum, err := checkpoint.Load(c.fs, f.Path, c.store)
		if err == nil && sum.At.Seq != seq {
			err = &fault.Error{Op: "check", Err: fault.ErrCorrupt, Detail: fmt.Sprintf("the checkpoint of %v under another name", sum.At.Seq)}
		}
		if err != nil {
			if err := c.damage(f.Path, seq, err, "the checkpoint; opening needs an older one and the log above it"); err != nil {
				return err
			}
		} else {
			c.chains[seq], c.newest = sum.At.Chain, max(c.newest, seq)
			if c.oldest == 0 {
				c.oldest = seq
			}
		}
		if err := c.read(f); err != nil {
			return err
		}
	}
	return nil
}

// damage turns an error from reading a file into a finding; one that is not about
// the file's content is returned.
func (c *checker) damage(path string, seq batch.Seq, err error, affects string) error {
	f := Finding{Severity: SeverityError, File: path, Seq: uint64(seq), Detail: err.Error(), Affects: affects}
	if e, ok := errors.AsType[*fault.Error](err); ok {
		f.Offset, f.Detail = e.At.Offset, e.Detail
		if e.Cause != nil {
			f.Detail = joinText(e.Detail, e.Cause.Error())
		}
		if e.At.Seq != 0 {
			f.Seq = e.At.Seq
		}
	}
	switch {
	case errors.Is(err, fault.ErrForeign):
		f.Kind = "foreign"
	case errors.Is(err, fault.ErrIncompatible):
		f.Kind = "incompatible"
	case errors.Is(err, fault.ErrCorrupt):
		f.Kind = "checksum"
	case errors.Is(err, fault.ErrIO):
		f.Kind = "io"
	default:
		return err
	}
	c.tell(f)
	return nil
}

func joinText(a, b string) string {
	if a == "" {
		return b
	}
	return a + ": " + b
}

// bounds checks that the log is not shorter than LOCK and log/durable say, and
// that it reaches down to a checkpoint.
func (c *checker) bounds() error {
	l := c.look
	if end := max(c.ended, c.newest); l.floor > end && c.sum.Errors == 0 {
		c.tell(Finding{SeverityError, "missing", wal.Dir, 0, uint64(end + 1), fmt.Sprintf("the log ends at %v, %s says that %v was durable", end, l.says, l.floor), affected(end+1, l.floor+1)})
	}
	if c.other != nil && c.sum.Errors == 0 {
		c.tell(*c.other)
	}
	if err := c.lock(); err != nil {
		return err
	}
	return c.reaches()
}

// lock tells of a line in LOCK that does not check out: it would have proven where
// a clean close ended the log.
func (c *checker) lock() error {
	b, err := readSmall(c.fs, LockName, maxLock)
	if errors.Is(err, fault.ErrNotFound) {
		return nil
	}
	if err != nil {
		return c.damage(LockName, 0, err, "no batch; what it said of the last close")
	}
	if _, whole := decodeLock(b); whole {
		return nil
	}
	c.tell(Finding{SeverityWarning, "checksum", LockName, 0, 0, "a line does not check out", "no batch; what it said of the last close"})
	return nil
}

// tails checks that what is kept in error/ is what its name says.
func (c *checker) tails() error {
	for _, f := range c.files {
		if f.Class != ClassKept {
			continue
		}
		b, err := readSmall(c.fs, f.Path, maxKept)
		if err != nil {
			if err := c.damage(f.Path, 0, err, "a kept tail"); err != nil {
				return err
			}
			continue
		}
		if d := tailDigest(b); !strings.HasSuffix(f.Base(), "-"+hex.EncodeToString(d[:tailName])) {
			c.tell(Finding{SeverityWarning, "checksum", f.Path, 0, 0, "is not what its name says", "a kept tail; no batch"})
		}
		if err := c.read(f); err != nil {
			return err
		}
	}
	return nil
}
