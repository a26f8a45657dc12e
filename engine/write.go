package engine

import (
	"context"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/committer"
	"github.com/vlogdb/vlog/internal/fault"
)

// Put sets a key to a value in a transaction of its own. Errors as for Update and
// Tx.Put.
func (s Scope) Put(ctx context.Context, key, value []byte) error {
	var room [stackKey]byte
	return s.alone(ctx, "put", batch.Op{Kind: batch.Put, Key: s.fullIn(room[:0], key), Value: value})
}

// Delete removes a key in a transaction of its own, whether it is there or not. Errors
// as for Put.
func (s Scope) Delete(ctx context.Context, key []byte) error {
	var room [stackKey]byte
	return s.alone(ctx, "delete", batch.Op{Kind: batch.Delete, Key: s.fullIn(room[:0], key)})
}

// DeleteRange removes every key of a range in a transaction of its own.
func (s Scope) DeleteRange(ctx context.Context, r Range) error {
	return s.Update(ctx, func(_ context.Context, tx *Tx) error { return tx.DeleteRange(r) })
}

// fullIn appends the full key of one of the scope's keys.
func (s Scope) fullIn(dst, key []byte) []byte {
	return append(append(dst, s.prefix...), key...)
}

// single is all that a transaction of one change needs, in one piece.
type single struct {
	req   committer.Request
	batch batch.Batch
	ops   [1]batch.Op
}

// alone commits one change. It read nothing, so nothing can conflict with it, and it
// needs none of what a transaction keeps for its user: it is the request alone. It goes
// through the gate only where an exclusive transaction is inside or waits.
func (s Scope) alone(ctx context.Context, what string, op batch.Op) error {
	c := s.core
	if err := c.writable(what); err != nil {
		return err
	}
	if ctx.Value(inTx{c}) != nil {
		return &fault.Error{Op: what, Err: fault.ErrInTx}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := batch.CheckLength(&op); err != nil {
		return err
	}
	one := &single{ops: [1]batch.Op{op}}
	one.batch = batch.Batch{Writer: c.writer, Counter: c.counter.Add(1), Ops: one.ops[:]}
	n, err := c.admit(ctx, &one.batch)
	if err != nil {
		return err
	}
	if one.req.Record, err = c.record(&one.batch, n); err != nil {
		return err
	}
	if err := batch.Decode(&one.batch, one.req.Record.Payload); err != nil { // what the caller has is not kept
		return err
	}
	one.req.Batch = &one.batch
	if c.exclusive.Load() > 0 {
		if err := c.gate.Acquire(ctx, 1); err != nil {
			return context.Cause(ctx)
		}
		defer c.gate.Release(1)
	}
	_, err = c.committer.Commit(ctx, &one.req)
	return err
}

// admit returns the size of a batch that may be written.
func (c *core) admit(ctx context.Context, b *batch.Batch) (n int, err error) {
	n = batch.Size(b)
	if n > c.opts.MaxBatch {
		return n, batch.TooLarge("batch", n, c.opts.MaxBatch)
	}
	if admit := c.opts.Admit; admit != nil {
		err = admit(ctx, Request{Bytes: n, ops: b.Ops})
	}
	return n, err
}

// record makes the record of a batch of n bytes: all that can be computed outside
// every lock.
func (c *core) record(b *batch.Batch, n int) (r batch.Record, err error) {
	payload, err := batch.Append(make([]byte, 0, n), b)
	if err != nil {
		return r, err
	}
	r = batch.NewRecord(payload)
	r.Frees = b.Frees()
	if c.codec == NDJSON {
		r.Text = batch.AppendJSON(nil, b)
		if len(r.Text) > batch.MaxRecord {
			return r, batch.TooLarge("line", len(r.Text), batch.MaxRecord)
		}
	}
	return r, nil
}
