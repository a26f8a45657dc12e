package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/committer"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/txn"
)

// inPlaceAfter is how many conflicts Update takes before it asks for the writer's
// place, where it cannot conflict, but with what others could not write: after one
// more it waits for that too. So nobody loses for ever.
const inPlaceAfter = 3

// inTx is the key under which a context carries the open transaction of a DB.
type inTx struct{ db *core }

// View runs fn on a picture of the published state: what is durable now, and
// nothing later. It takes no lock and never waits; on a read-only DB it first reads
// what other processes have written.
func (s Scope) View(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	tx, err := s.Begin(ctx, Reading)
	if err != nil {
		return err
	}
	defer tx.core.end(txRolledBack)
	tx.core.managed = true
	return fn(tx.core.ctx, tx)
}

// Update runs fn in a Deferred transaction and commits it. Where what fn read has
// changed meanwhile it runs fn again on the newer state, after a few times in the
// writer's place; so fn must not leave traces outside the transaction, and only
// what it reads by tx counts. An error or a panic in fn rolls back. Beginning
// another writing transaction with the context that fn gets is ErrInTx; with
// another context it is a transaction of its own, which may wait for this one and
// so for ever: always use the context that fn gets.
//
// Three things may happen: nil, the batch is on disk; an error, nothing was
// written; or ErrAmbiguous, it may be there after reopening.
func (s Scope) Update(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	return s.retry(ctx, fn, func(tx *Tx) error { return tx.Commit() })
}

// Submit is Update without waiting for the disk: what fn changed has its place in
// order and will be written; Pending.Wait tells when it is on disk.
func (s Scope) Submit(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) (p *Pending, err error) {
	err = s.retry(ctx, fn, func(tx *Tx) (err error) {
		p, err = tx.Submit()
		return err
	})
	return p, err
}

// retry runs fn and ends its transaction with finish until that does not conflict.
func (s Scope) retry(ctx context.Context, fn func(ctx context.Context, tx *Tx) error, finish func(*Tx) error) error {
	for n := 0; ; n++ {
		tx, err := s.beginAttempt(ctx, n)
		if err != nil {
			return err
		}
		lost, err := runIn(tx, fn)
		if lost {
			continue
		}
		if err != nil {
			return err
		}
		if err := finish(tx); !errors.Is(err, fault.ErrConflict) || tx.core.refused {
			return err
		}
	}
}

func (s Scope) beginAttempt(ctx context.Context, n int) (*Tx, error) {
	switch {
	case n == 0:
		return s.begin(ctx, start{})
	case n < inPlaceAfter:
		return s.begin(ctx, start{pending: true})
	case n == inPlaceAfter:
		return s.begin(ctx, start{mode: Immediate})
	}
	return s.begin(ctx, start{mode: Immediate, settled: true})
}

// start is how a writing transaction begins.
type start struct {
	mode    Mode
	pending bool // Deferred: on the pending picture
	settled bool // in the writer's place: only once all that it sees is durable
}

// runIn runs fn and rolls back where it fails or panics; lost says that fn failed on
// changes that then were not written, so that its error means nothing.
func runIn(tx *Tx, fn func(ctx context.Context, tx *Tx) error) (lost bool, err error) {
	tx.core.managed = true
	done := false
	defer func() {
		if !done {
			tx.core.end(txRolledBack)
		}
	}()
	err = fn(tx.core.ctx, tx)
	done, tx.core.managed = true, false
	if err == nil {
		return false, tx.core.err("update")
	}
	back := tx.Rollback()
	if errors.Is(back, fault.ErrConflict) {
		return true, nil
	}
	if back != nil {
		return false, errors.Join(err, back)
	}
	return false, err
}

// Begin begins a transaction in a mode; the context governs it to its end. End it
// with Commit, Submit or Rollback; Rollback after Commit does nothing, so that
// `defer tx.Rollback()` is right. Inside View, Update and Scope.Submit these three
// are ErrInTx and do nothing: there the function's result decides. Prefer View and
// Update: only they cannot be left open, and only Update retries.
//
// Errors: ErrInTx where ctx belongs to a transaction of this DB and mode is not
// Reading, ErrBadName for an unknown mode, ErrReadOnly, ErrClosed, ErrPoisoned, or
// the context's.
func (s Scope) Begin(ctx context.Context, mode Mode) (*Tx, error) {
	if mode == Reading {
		return s.beginReading(ctx)
	}
	if mode > Reading {
		return nil, &fault.Error{Op: "begin", Err: fault.ErrBadName, Detail: fmt.Sprintf("mode %d", mode), Hint: "use Deferred, Immediate, Exclusive or Reading"}
	}
	return s.begin(ctx, start{mode: mode})
}

func (s Scope) beginReading(ctx context.Context) (*Tx, error) {
	if err := s.core.ended("begin"); err != nil {
		return nil, err
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	p, err := s.see(ctx)
	if err != nil {
		return nil, err
	}
	t := &txCore{db: s.core, tx: txn.New(p, false, 0), base: committer.Base{Picture: p}, mode: Reading, ctx: ctx}
	return &Tx{t, s}, nil
}

// begin begins a writing transaction.
func (s Scope) begin(ctx context.Context, how start) (*Tx, error) {
	c := s.core
	if err := c.writable("begin"); err != nil {
		return nil, err
	}
	if ctx.Value(inTx{c}) != nil {
		return nil, &fault.Error{Op: "begin", Err: fault.ErrInTx}
	}
	t := &txCore{db: c, mode: how.mode, gate: 1}
	if t.mode == Exclusive {
		t.gate = gateAll
	}
	if err := c.passGate(ctx, t.gate); err != nil {
		return nil, err
	}
	if err := t.take(ctx, how); err != nil {
		c.giveWay(t.gate)
		return nil, err
	}
	t.ctx = context.WithValue(ctx, inTx{c}, t)
	t.tx = txn.New(t.base.Picture, t.mode == Deferred, c.opts.MaxBatch)
	if err := c.enlist(t); err != nil {
		t.end(txClosed)
		return nil, err
	}
	return &Tx{t, s}, nil
}

// passGate takes a weight of the gate.
func (c *core) passGate(ctx context.Context, weight int64) error {
	if weight == gateAll {
		c.exclusive.Add(1)
	}
	if err := c.gate.Acquire(ctx, weight); err != nil {
		if weight == gateAll {
			c.exclusive.Add(-1)
		}
		return context.Cause(ctx)
	}
	return nil
}

// giveWay gives back what passGate took.
func (c *core) giveWay(weight int64) {
	c.gate.Release(weight)
	if weight == gateAll {
		c.exclusive.Add(-1)
	}
}

// take gets the picture to begin with, and the writer's place where the mode wants it.
func (t *txCore) take(ctx context.Context, how start) (err error) {
	c := t.db.committer
	if err := c.Err(); err != nil {
		return err
	}
	switch {
	case how.settled:
		t.base, err = c.TakeSettled(ctx)
	case t.holds():
		t.base, err = c.Take(ctx)
	case how.pending:
		t.base = c.Pending()
	default:
		t.base = c.Latest()
	}
	return err
}

// enlist makes the transaction known to Close, or fails where that came first.
func (c *core) enlist(t *txCore) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.ended("begin"); err != nil {
		return err
	}
	c.txs[t] = struct{}{}
	return nil
}

// Commit makes the changes durable, all or nothing. Three things may happen: nil;
// an error, nothing was written (ErrConflict: what it read has changed, try
// again); or ErrAmbiguous. The transaction is over in any case.
func (tx *Tx) Commit() error {
	if err := tx.core.free("commit"); err != nil {
		return err
	}
	req, err := tx.close()
	if err != nil {
		return err
	}
	t := tx.core
	defer t.forget()
	if req == nil {
		return t.settle(t.ctx)
	}
	commit := t.db.committer.Commit
	if t.holds() {
		commit = t.db.committer.CommitHeld
	}
	t.seq, err = commit(t.ctx, req)
	return err
}

// Submit is Commit without waiting for the disk: the changes have their place in
// order and will be written. ErrConflict is told at once.
func (tx *Tx) Submit() (*Pending, error) {
	if err := tx.core.free("submit"); err != nil {
		return nil, err
	}
	req, err := tx.close()
	if err != nil {
		return nil, err
	}
	t := tx.core
	defer t.forget()
	if req == nil {
		return &Pending{empty: t}, nil
	}
	var p committer.Pending
	if t.holds() {
		p, err = t.db.committer.SubmitHeld(req)
	} else {
		p, err = t.db.committer.Submit(t.ctx, req)
	}
	if err != nil {
		return nil, err
	}
	t.seq = p.Seq()
	return &Pending{p: p}, nil
}

// Rollback drops the changes. It does nothing where the transaction has ended. It
// is an error only where the transaction saw changes that then were not written,
// or where its context ended before that was known.
func (tx *Tx) Rollback() error {
	t := tx.core
	if err := t.free("rollback"); err != nil {
		return err
	}
	if !t.end(txRolledBack) || t.mode == Reading {
		return nil
	}
	err := t.settle(t.ctx)
	if errors.Is(err, fault.ErrAmbiguous) && t.ctx.Err() != nil {
		return context.Cause(t.ctx) // nothing of this transaction is in doubt
	}
	return err
}

// free returns ErrInTx where View or Update ends the transaction and nobody else may.
func (t *txCore) free(op string) error {
	if !t.managed || t.state.Load() != txOpen {
		return nil
	}
	return &fault.Error{Op: op, Err: fault.ErrInTx, Detail: "the function's result decides", Hint: "return nil to commit, an error to roll back; or use Begin"}
}

// settle waits until what the transaction read is durable: only then may its
// outcome be told.
func (t *txCore) settle(ctx context.Context) error {
	if t.mode == Reading {
		return nil
	}
	return t.db.committer.Settle(ctx, t.base)
}

// close ends the transaction for its user and returns what is to be written; nil
// where nothing changed. What the transaction holds is given back by whoever
// writes, but for an error and where there is nothing to write.
func (tx *Tx) close() (*committer.Request, error) {
	t := tx.core
	defer t.end(txRolledBack) // unless it ends below: also where Admit panics
	req, err := tx.prepare()
	if err != nil {
		return nil, err
	}
	if req == nil {
		if !t.end(txCommitted) {
			return nil, t.err("commit")
		}
		return nil, nil
	}
	if !t.state.CompareAndSwap(txOpen, txCommitted) {
		return nil, t.err("commit")
	}
	return req, nil
}

func (tx *Tx) prepare() (*committer.Request, error) {
	t := tx.core
	if err := t.err("commit"); err != nil {
		return nil, err
	}
	if t.ctx.Err() != nil {
		return nil, context.Cause(t.ctx)
	}
	if !t.tx.Changed() {
		return nil, nil
	}
	return t.request()
}

// request makes the request: everything that can be computed outside locks is.
func (t *txCore) request() (*committer.Request, error) {
	b := &batch.Batch{Writer: t.db.writer, Counter: t.db.counter.Add(1), Ops: t.tx.Ops()}
	n, err := t.db.admit(t.ctx, b)
	if err != nil {
		t.refused = true
		return nil, err
	}
	r, err := t.db.record(b, n)
	if err != nil {
		return nil, err
	}
	return &committer.Request{Base: t.base, Reads: t.tx.Reads(), Batch: b, Record: r}, nil
}
