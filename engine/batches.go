package engine

import (
	"context"
	"encoding/hex"
	"errors"
	"iter"
	"strconv"
	"time"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/wal"
)

// Batch is one batch of the log: what one transaction changed. Its bytes are valid,
// and read-only, until the next one is asked for.
type Batch struct {
	Seq   uint64
	Time  time.Time // of the commit, UTC; it orders nothing
	Chain string    // hex: commits to every batch up to this one; empty where nothing vouches for those (see Salvage)
	Bytes int       // of its canonical form
	batch *batch.Batch
}

// Changes yields what the batch changed, in canonical order: ranges first, then
// single keys, each ascending.
func (b Batch) Changes() iter.Seq[Change] { return changesOf(b.batch.Ops) }

// AppendJSON appends the batch as one line of JSON without its end, ASCII alone and
// exact: keys and values that are no text are in base64.
//
//	{"seq":1042,"time":"2026-01-02T03:04:05Z","writer":"…","n":7,"ops":[{"op":"put","k":"users/42","v":{"name":"Alice"}}],"chain":"…"}
//
// A put has its value as v where that is compact ASCII JSON, as t where it is other
// text, else as b64. Space kv and tenant main are left out.
func (b Batch) AppendJSON(dst []byte) []byte {
	dst = strconv.AppendUint(append(dst, `{"seq":`...), b.Seq, 10)
	dst = b.Time.AppendFormat(append(dst, `,"time":"`...), time.RFC3339Nano)
	dst = batch.AppendJSON(append(dst, `",`...), b.batch)
	return append(append(append(dst, `,"chain":"`...), b.Chain...), `"}`...)
}

// Batches yields the batches that the store keeps, from a number on, in order; 0
// means from the first one kept. What is durable when the loop begins is what it
// yields, on a read-only DB what other processes made durable too. An error is the last
// pair: ErrCompacted for a number that is no longer kept, ErrCorrupt, ErrIO, ErrClosed
// or the context's. The sequence may be ranged again.
func (db *DB) Batches(ctx context.Context, from uint64) iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		if err := db.core.ended("read log"); err != nil {
			yield(Batch{}, err)
			return
		}
		db.core.batches(ctx, from, batchReader{db.core.store.Log.Read, yield})
	}
}

// batchReader is how batches are read and to whom they go.
type batchReader struct {
	read  func(context.Context, wal.Seq) iter.Seq2[wal.Entry, error]
	yield func(Batch, error) bool
}

// firstTries bounds how often reading begins again because the first batch that was
// kept has gone before it could be read.
const firstTries = 20

// batches yields the batches from a number on; 0 is the first that is kept.
func (c *core) batches(ctx context.Context, from uint64, r batchReader) {
	if from > 0 {
		r.from(ctx, wal.Seq(from), false)
		return
	}
	for try := range firstTries {
		first, _, _, err := c.store.Log.Bounds(ctx)
		if err != nil {
			r.yield(Batch{}, err)
			return
		}
		if !r.from(ctx, first, try < firstTries-1) {
			return
		}
	}
}

// from yields the batches from a seq on. With may it yields nothing where that one is
// no longer kept, and returns true.
func (r *batchReader) from(ctx context.Context, seq wal.Seq, may bool) (late bool) {
	var b batch.Batch
	for e, err := range r.read(ctx, seq) {
		if may && errors.Is(err, fault.ErrCompacted) {
			return true
		}
		may = false
		if err == nil {
			err = decoded(&b, &e)
		}
		if err != nil {
			r.yield(Batch{}, err)
			return false
		}
		chain := hex.EncodeToString(e.Chain[:])
		if !r.yield(Batch{Seq: uint64(e.Seq), Time: time.Unix(0, e.Time).UTC(), Chain: chain, Bytes: len(e.Payload), batch: &b}, nil) {
			return false
		}
	}
	return false
}

// decoded reads the batch of an entry.
func decoded(b *batch.Batch, e *wal.Entry) error {
	if e.Flags&batch.FlagRef != 0 {
		return &fault.Error{Op: "read log", At: fault.Place{Seq: uint64(e.Seq)}, Err: fault.ErrIncompatible, Detail: "the batch lies in an object, which this version does not read"}
	}
	if err := batch.Decode(b, e.Payload); err != nil {
		return &fault.Error{Op: "read log", At: fault.Place{Seq: uint64(e.Seq)}, Err: fault.KindOf(err), Cause: err}
	}
	return nil
}
