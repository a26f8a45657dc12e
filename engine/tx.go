package engine

import (
	"context"
	"sync/atomic"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/committer"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/txn"
)

// Mode says when a writing transaction takes the writer's place.
type Mode uint8

// The modes. All are serializable, and readers are never shut out.
//
//   - Deferred, the zero value, takes no lock: its commit checks that what it read
//     has not changed and is ErrConflict otherwise, with nothing written.
//   - Immediate takes the writer's place at begin: other writers wait, and its
//     commit cannot conflict, but for one case: it sees what is still on its way to
//     the disk, and conflicts where that could not be written for want of space.
//   - Exclusive also waits until all other writing transactions have ended and
//     lets none begin.
//   - Reading never writes: a fixed picture of the published state.
const (
	Deferred Mode = iota
	Immediate
	Exclusive
	Reading
)

// String returns the mode's name.
func (m Mode) String() string {
	return [...]string{"deferred", "immediate", "exclusive", "reading"}[min(m, Reading)]
}

// Tx is a transaction on one tenant's keys; Tenant gives a handle on another
// tenant within the same transaction. It belongs to one goroutine. What it reads
// is the store as it was at begin, with its own changes on top. After Commit,
// Submit or Rollback its methods fail with ErrNotInTx, after DB.Close with ErrClosed.
type Tx struct {
	core  *txCore
	scope Scope
}

// txCore is one transaction, whatever tenants it works on.
type txCore struct {
	db    *core
	tx    *txn.Tx
	base  committer.Base
	mode  Mode
	ctx   context.Context // governs the transaction; carries that there is one
	state atomic.Uint32   // of txState
	seq   batch.Seq       // given by the commit
	gate  int64           // weight held of the gate

	managed bool // a function is at work whose result decides
	refused bool // by Options.Admit, or by a limit
}

// The states of a transaction.
const (
	txOpen uint32 = iota
	txCommitted
	txRolledBack
	txClosed // rolled back by DB.Close
)

// err returns nil while the transaction is open.
func (t *txCore) err(op string) error {
	if t.mode == Reading { // not on the list that Close goes through
		if err := t.db.ended(op); err != nil {
			return err
		}
	}
	switch t.state.Load() {
	case txOpen:
		return nil
	case txClosed:
		return &fault.Error{Op: op, Err: fault.ErrClosed, Detail: "the DB was closed; the transaction was rolled back"}
	case txCommitted:
		return &fault.Error{Op: op, Err: fault.ErrNotInTx, Detail: "it was committed"}
	}
	return &fault.Error{Op: op, Err: fault.ErrNotInTx, Detail: "it was rolled back"}
}

// writing is err for changes.
func (t *txCore) writing(op string) error {
	if err := t.err(op); err != nil {
		return err
	}
	if t.mode == Reading {
		return &fault.Error{Op: op, Err: fault.ErrReadOnly, Detail: "a reading transaction", Hint: "use Update, or Begin with a writing mode"}
	}
	if t.ctx.Err() != nil {
		return context.Cause(t.ctx)
	}
	return nil
}

// end gives back what an open transaction holds and makes it `state`; false where
// it had ended before.
func (t *txCore) end(state uint32) bool {
	if !t.state.CompareAndSwap(txOpen, state) {
		return false
	}
	if t.holds() {
		t.db.committer.Give()
	}
	t.forget()
	return true
}

// holds says whether the transaction has the writer's place.
func (t *txCore) holds() bool { return t.mode == Immediate || t.mode == Exclusive }

// forget takes the transaction off the list of open ones and out of the gate. It
// may be called again.
func (t *txCore) forget() {
	if t.mode == Reading {
		return
	}
	t.db.mu.Lock()
	gate := t.gate
	t.gate = 0
	delete(t.db.txs, t)
	t.db.mu.Unlock()
	if gate > 0 {
		t.db.giveWay(gate)
	}
}

// Context returns the context of the transaction: beginning another writing
// transaction of the same DB with it is ErrInTx, also after the end.
func (tx *Tx) Context() context.Context { return tx.core.ctx }

// Mode returns how the transaction was begun.
func (tx *Tx) Mode() Mode { return tx.core.mode }

// Open reports whether the transaction has neither been committed nor rolled back.
func (tx *Tx) Open() bool { return tx.core.state.Load() == txOpen }

// Tenant returns a handle on another tenant within the same transaction.
func (tx *Tx) Tenant(name string) (*Tx, error) {
	if err := batch.CheckTenant(name); err != nil {
		return nil, err
	}
	return &Tx{tx.core, newScope(tx.core.db, name)}, nil
}

// Base returns the number of the newest batch that the transaction can see.
func (tx *Tx) Base() uint64 { return uint64(tx.core.base.Picture.Seq()) }

// Seq returns the number that the commit got; 0 before, and where nothing changed.
func (tx *Tx) Seq() uint64 { return uint64(tx.core.seq) }

// Put sets a key to a value; both are copied. ErrTooLarge for a key above 32 KiB,
// or where the batch would be above Options.MaxBatch, views included; exactly
// MaxBatch fits, and nothing changes where it is refused.
func (tx *Tx) Put(key, value []byte) error {
	if err := tx.core.writing("put"); err != nil {
		return err
	}
	return tx.core.tx.Put(tx.scope.full(key), value)
}

// Delete removes a key, whether it is there or not. ErrTooLarge as for Put.
func (tx *Tx) Delete(key []byte) error {
	if err := tx.core.writing("delete"); err != nil {
		return err
	}
	return tx.core.tx.Delete(tx.scope.full(key))
}

// DeleteRange removes every key of a range, as one change however many there are.
// ErrTooLarge as for Put; the ends of the range are keys too.
func (tx *Tx) DeleteRange(r Range) error {
	if err := tx.core.writing("delete range"); err != nil {
		return err
	}
	from, to := tx.scope.bounds(r)
	return tx.core.tx.DeleteRange(from, to)
}

// full returns the full key of one of the scope's keys.
func (s Scope) full(key []byte) []byte {
	return append(append(make([]byte, 0, len(s.prefix)+len(key)), s.prefix...), key...)
}

// Sub stacks a view on the transaction: what fn changes is folded in where it
// returns nil, and dropped where it returns an error, which Sub returns, or
// panics. Views nest. fn gets the transaction itself.
func (tx *Tx) Sub(fn func(tx *Tx) error) error {
	if err := tx.core.writing("sub"); err != nil {
		return err
	}
	t := tx.core.tx
	depth := t.Depth()
	t.Push()
	defer func() {
		if tx.Open() {
			unwind(t, depth)
		}
	}()
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.core.writing("sub"); err != nil {
		return err
	}
	t.Fold()
	return nil
}

func unwind(t *txn.Tx, depth int) {
	for t.Depth() > depth {
		t.Drop()
	}
}
