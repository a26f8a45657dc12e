// Package wal keeps batches in order: the append-only log.
//
// [Log] is the log as the engine sees it. [Local] is the kind that lives in a
// directory: segment files named by their first seq, each with a header, frames
// and, once it is finished, a seal. Its bytes, integers little-endian:
//
//	segment header, one sector of 512 bytes
//	offset  size  field
//	0       8     magic "vlog\x00seg"
//	8       4     format, 0
//	12      4     sector size, 512
//	16      16    store
//	32      8     epoch: random, new for each use of the file
//	40      8     seq of the first frame
//	48      32    chain value before the first frame
//	80      8     created, nanoseconds since 1970
//	88      420   zero
//	508     4     CRC-32C of bytes 0 to 507
//
//	frame header, 40 bytes, or 72 where it opens a group
//	0       2     magic "vF"
//	2       1     kind: 1 batch, 2 seal
//	3       1     flags: 1 reference, 2 compressed, 4 encrypted, 128 opens a group
//	4       4     payload length
//	8       8     seq (of a seal: of the last frame)
//	16      8     time, nanoseconds since 1970
//	24      8     synced: every batch up to this seq was durable when this was written
//	32      4     CRC-32C of the payload
//	36      4     CRC-32C of store, epoch, offset (8 bytes), bytes 0 to 35 and, where
//	              it opens a group, the chain value
//	40      32    chain value before this frame, only where it opens a group
//
//	seal payload, 40 bytes
//	0       8     number of frames in this segment
//	8       32    chain value behind the last frame
//
// A frame's payload follows its header; the next frame of the same group begins
// at the next multiple of 8, a group at the next sector; what lies between is
// zero. So an append never rewrites a sector that holds acknowledged bytes. A
// seal is a group of its own and the last thing in its file.
//
// Overwriting a sector leaves it old or new; only a sector never written since
// the file got it may be zero or garbage. The log relies on that and on nothing else.
package wal

import (
	"context"
	"iter"

	"github.com/vlogdb/vlog/internal/batch"
)

// What a log is made of, for those who build another kind of log.
type (
	// Seq is the number of a batch.
	Seq = batch.Seq
	// Chain is the chain value behind a batch.
	Chain = batch.Chain
	// Record is a batch on its way into the log.
	Record = batch.Record
	// Entry is a batch as it is read.
	Entry = batch.Entry
)

// Log is an ordered list of batches, numbered without gaps. Append and Sync are
// called by one goroutine at a time, and so is Trim; the rest by any number at once.
//
// Errors: ErrConflict, ErrTooLarge, ErrNoSpace (nothing was written, the log goes
// on), ErrAmbiguous (it may have been written), ErrPoisoned (an earlier failure
// ended writing), ErrCompacted, ErrCorrupt, ErrIO, ErrClosed.
type Log interface {
	// Append adds a group behind after. Three things may happen: all of it is
	// written and last is its last seq; nothing is written (after is not the last
	// seq: ErrConflict; no room: ErrNoSpace); or the log stops (ErrAmbiguous,
	// ErrPoisoned). A crash may keep a prefix of a group that was not yet synced.
	Append(ctx context.Context, after Seq, group []Record) (last Seq, err error)
	// Sync makes everything appended durable. An error ends writing for good.
	Sync(ctx context.Context) error
	// Read yields what is durable now, from a seq on: in order, dense, never
	// retracted. An error is the last pair. Payloads are valid until the next pair.
	Read(ctx context.Context, from Seq) iter.Seq2[Entry, error]
	// Follow is Read, then what comes; it ends with the context or the log.
	Follow(ctx context.Context, from Seq) iter.Seq2[Entry, error]
	// Bounds returns the first kept seq, the last durable one and the chain value
	// behind that. An empty log has first = last+1.
	Bounds(ctx context.Context) (first, last Seq, chain Chain, err error)
	// Trim forgets whole segments that end before a seq.
	Trim(ctx context.Context, before Seq) error
	// Limits tells what one append may hold.
	Limits() Limits
	// Close ends the log; what was not synced is synced first.
	Close() error
}

// Limits of a log.
type Limits struct {
	Record  int  // bytes of one payload
	Group   int  // bytes of the payloads of one append, soft: one record may exceed it
	Durable bool // Append is durable by itself, Sync has nothing to do
}
