package engine

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/recovery"
	"github.com/vlogdb/vlog/wal"
)

// Options of a DB. The zero value is safe and durable: it opens a store for
// writing, makes it where there is none, and syncs before every answer.
type Options struct {
	ReadOnly      bool   // take no lock, change nothing; another process may write meanwhile
	MustExist     bool   // ErrNotStore where there is no store, instead of making one
	MustNotExist  bool   // ErrExists where there is one
	Documentation string // kept in a store that is made; at most 256 KiB
	Codec         Codec  // of a store that is made: how its files are spelled; one that is there keeps its own

	Sync        SyncPolicy // when a commit is synced; the zero value syncs before each answer
	MaxBatch    int        // bytes of one transaction's changes; 0 is 64 MiB, at most 1 GiB
	SegmentSize int64      // bytes after which a log file is finished; 0 is 32 MiB
	Keep        *Keep      // changes how far back the store reaches; nil leaves it

	// NoPrepare writes no zeros ahead of the end of the log. They make syncs faster
	// and keep room for closing, and for deleting, on a full disk; a file system
	// that copies on write gains nothing by them.
	NoPrepare bool

	// CheckpointAfter is how many bytes of batches are logged before a checkpoint
	// is written in the background; 0 is 64 MiB, negative is never.
	CheckpointAfter int64
	// CheckpointRate bounds how fast the background writes, in bytes per second; 0
	// is 128 MiB, negative is no bound.
	CheckpointRate int64

	// Admit sees every request before it is numbered; an error refuses it. It runs
	// in the goroutine that commits, so it may be called at once, and must not call
	// the DB. Nil admits everything.
	Admit func(context.Context, Request) error
	// Logger is told what nobody else learns of, such as a failed checkpoint in
	// the background; nil is silent.
	Logger *slog.Logger
	// Clock gives the time of batches, which orders nothing; nil is time.Now. What is
	// before 1678 or behind 2262 counts as the first or last moment there is.
	// Random gives epochs and ids; nil is crypto/rand. Both may be called at once,
	// with locks held: they must not call the DB, wait or panic.
	Clock  func() time.Time
	Random func() uint64

	inMemory bool // there is no disk to prepare files on
}

// SyncPolicy says when commits become durable.
type SyncPolicy time.Duration

// The policies. SyncAlways is the zero value: an answer means that the batch is on
// disk. With SyncNever, and between the syncs of SyncEvery, an answer means that
// the batch has its place in the log: a crash of the machine (not of the program)
// may take the newest batches, never one in the middle. Tx.Seq and DB.Durable tell.
// Other processes see a batch when it is synced.
const (
	SyncAlways SyncPolicy = 0
	SyncNever  SyncPolicy = -1
)

// SyncEvery syncs in the background about every d; below 1 ns it is 1 ns.
func SyncEvery(d time.Duration) SyncPolicy { return SyncPolicy(max(d, 1)) }

// Codec is how the log and the checkpoints of a store are spelled. It is chosen when
// the store is made; what the store does is the same under each.
type Codec = wal.Codec

// The codecs. Binary, the zero value, is the fast one. NDJSON is for whoever reads
// the files with cat, grep and jq: one line of JSON for each batch, which takes about
// twice the room and time.
const (
	Binary = wal.Binary
	NDJSON = wal.NDJSON
)

// ParseCodec returns the codec of a name, binary or ndjson; ok is false for any other.
func ParseCodec(name string) (c Codec, ok bool) { return wal.ParseCodec(name) }

// Keep says how far back a store reaches. Exactly one field is set:
// Checkpoints keeps the log behind the nth newest checkpoint (a new store keeps
// 2), Batches the newest n batches, For those younger than a time, All everything. For
// goes by the times that batches have and by the clock as it is at each checkpoint:
// where that was wrong it keeps more or less; the others do not look at clocks.
type Keep = checkpoint.Keep

// Request is a transaction that asks to be committed, as Options.Admit sees it.
type Request struct {
	Bytes int // of the batch
	ops   []batch.Op
}

// Change is one change of a request or batch. End is not nil for a range, which deletes
// [Key, End), or all from Key where End is empty.
type Change struct {
	Op     string // put, del or del-range
	Space  string // kv, sys, …
	Tenant string
	Key    []byte
	Value  []byte
	End    []byte
}

// Changes yields the request's changes. The bytes must not be kept.
func (r Request) Changes() iter.Seq[Change] { return changesOf(r.ops) }

func changesOf(ops []batch.Op) iter.Seq[Change] {
	return func(yield func(Change) bool) {
		for i := range ops {
			if !yield(changeOf(&ops[i])) {
				return
			}
		}
	}
}

func changeOf(op *batch.Op) Change {
	c := Change{Op: op.Kind.String(), Space: batch.Space(op.Key[0]).String(), Value: op.Value}
	n := batch.PrefixLen(op.Key)
	c.Tenant, c.Key = string(op.Key[1:n-1]), op.Key[n:]
	if c.Tenant == "" {
		c.Tenant = batch.Main
	}
	if len(op.End) >= n {
		c.End = op.End[n:]
	}
	return c
}

const (
	defaultCheckpointAfter = 64 << 20
	defaultCheckpointRate  = 128 << 20
	spares                 = 1
	growAhead              = 128 << 10
	reserve                = 256 << 10 // for those who delete on a full disk: some 500 transactions
)

// check returns ErrBadName for a setting that names nothing. Taken for another it would
// make a store that nobody asked for, or one that is not synced.
func (o *Options) check() error {
	if o.Sync < SyncNever {
		return &fault.Error{Op: "open", Err: fault.ErrBadName, Detail: fmt.Sprintf("sync policy %d", int64(o.Sync)), Hint: "set Options.Sync to SyncAlways, SyncNever or SyncEvery of a time"}
	}
	if err := checkCodec("open", o.Codec); err != nil || o.Keep == nil {
		return err
	}
	return o.Keep.Check()
}

func checkCodec(op string, c Codec) error {
	if named, ok := ParseCodec(c.String()); ok && named == c {
		return nil
	}
	return &fault.Error{Op: op, Err: fault.ErrBadName, Detail: fmt.Sprintf("codec %d", uint8(c)), Hint: "use Binary or NDJSON"}
}

func (o Options) withDefaults() Options {
	if o.MaxBatch <= 0 {
		o.MaxBatch = batch.DefaultMaxBatch
	}
	o.MaxBatch = min(o.MaxBatch, batch.MaxRecord)
	if o.SegmentSize <= 0 {
		o.SegmentSize = wal.DefaultSegmentSize
	}
	if o.CheckpointAfter == 0 {
		o.CheckpointAfter = defaultCheckpointAfter
	}
	if o.CheckpointRate == 0 {
		o.CheckpointRate = defaultCheckpointRate
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Clock = told(o.Clock)
	if o.Random == nil {
		o.Random = random
	}
	return o
}

func random() uint64 {
	var b [8]byte
	rand.Read(b[:]) // crypto/rand never fails: it ends the program instead
	return binary.LittleEndian.Uint64(b[:])
}

// background says whether the DB keeps goroutines of its own for upkeep.
func (o *Options) background() bool { return o.CheckpointAfter > 0 }

func (o *Options) recovery() recovery.Options {
	r := recovery.Options{ReadOnly: o.ReadOnly, MustExist: o.MustExist, MustNotExist: o.MustNotExist, Documentation: o.Documentation, Codec: o.Codec,
		SegmentSize: o.SegmentSize, MaxBatch: o.MaxBatch, Rand: o.Random, Now: o.Clock, Logger: o.Logger}
	if o.inMemory || o.NoPrepare {
		return r
	}
	r.Grow, r.Reserve = growAhead, reserve
	if o.background() {
		r.Spares = spares
	}
	return r
}
