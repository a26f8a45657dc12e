package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/committer"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/recovery"
	"github.com/vlogdb/vlog/wal"
)

// DB is an open store. It is the Scope of the tenant "main"; Tenant gives others.
// All methods may be called at once. After Close every method that returns an error
// returns ErrClosed.
type DB struct{ Scope }

// Scope is one tenant of a DB: the same operations on keys of its own. The zero
// Scope is not valid; DB.Tenant gives one. It stays usable as long as the DB is open.
type Scope struct {
	core   *core
	tenant string
	prefix []byte         // of every full key
	end    []byte         // behind every full key
	at     *state.Picture // of a Past; nil: what is there now
}

func newScope(c *core, tenant string) Scope {
	return Scope{core: c, tenant: tenant, prefix: batch.AppendPrefix(nil, batch.KV, tenant), end: batch.AppendTreeEnd(nil, batch.KV, tenant)}
}

// core is what all scopes and transactions of a DB share.
type core struct {
	store     *recovery.Store
	holders   holders // of the store's directory
	path      string
	opts      Options
	committer *committer.Committer // nil where read-only
	codec     wal.Codec
	writer    batch.Writer
	counter   atomic.Uint64
	closed    atomic.Bool

	// gate lets one exclusive transaction or any number of other writing ones in.
	gate      *semaphore.Weighted
	exclusive atomic.Int64 // exclusive transactions that are inside or wait

	mu  sync.Mutex           // guards txs
	txs map[*txCore]struct{} // open writing transactions, for Close

	promoter      *checkpoint.Promoter
	checkpointing chan struct{} // held by whoever writes a checkpoint
	newest        batch.Seq     // newest checkpoint; guarded by checkpointing
	logged        atomic.Int64  // bytes of batches above it
	kick          chan struct{} // wakes the keeper
	life          context.Context
	end           context.CancelFunc
	tasks         sync.WaitGroup
	done          chan struct{} // closed when Close has ended
}

// gateAll is the weight of an exclusive transaction.
const gateAll = 1 << 30

// Tenant returns the scope of another tenant: 1 to 64 of a-z 0-9 . _ -, not
// starting with a dot, else ErrBadName. Nothing needs to be made first.
func (db *DB) Tenant(name string) (Scope, error) {
	if err := batch.CheckTenant(name); err != nil {
		return Scope{}, err
	}
	return newScope(db.core, name), nil
}

// Name returns the scope's tenant.
func (s Scope) Name() string { return s.tenant }

// see returns what readers see. On a read-only DB that is everything answered by now,
// in whatever process.
func (s Scope) see(ctx context.Context) (*state.Picture, error) {
	if s.at != nil {
		return s.at, nil
	}
	if c := s.core.committer; c != nil {
		return c.Published(), nil
	}
	return s.core.store.Reader.Now(ctx)
}

// picture returns what readers saw last: on a read-only DB it does not look again.
func (s Scope) picture() *state.Picture {
	if s.at != nil {
		return s.at
	}
	if c := s.core.committer; c != nil {
		return c.Published()
	}
	return s.core.store.Reader.Picture()
}

// latest is see for those who have no error to return: where it fails it is what was
// seen last, and the next read tells.
func (s Scope) latest() *state.Picture {
	if p, err := s.see(context.Background()); err == nil {
		return p
	}
	return s.picture()
}

// ended returns ErrClosed once the DB was closed.
func (c *core) ended(op string) error {
	if c.closed.Load() {
		return &fault.Error{Op: op, At: fault.Place{Path: c.path}, Err: fault.ErrClosed}
	}
	return nil
}

// writable returns why the DB takes no writes, or nil.
func (c *core) writable(op string) error {
	if err := c.ended(op); err != nil {
		return err
	}
	if c.committer == nil {
		return &fault.Error{Op: op, At: fault.Place{Path: c.path}, Err: fault.ErrReadOnly}
	}
	return nil
}

// Durable returns the number of the last batch that is on disk. Under the zero
// SyncPolicy everything answered is.
func (db *DB) Durable() uint64 {
	if c := db.core.committer; c != nil {
		return uint64(c.Durable())
	}
	return uint64(db.latest().Seq())
}

// Refresh makes a read-only DB show everything that was answered before the call, in
// whatever process, as far as it is synced: see SyncPolicy. Every read outside a transaction, and every beginning of one, does
// that by itself; Refresh tells why it fails, and when it is a good time to wait for it.
// On a DB that writes there is nothing to do.
func (db *DB) Refresh(ctx context.Context) error {
	if err := db.core.ended("refresh"); err != nil {
		return err
	}
	_, err := db.see(ctx)
	return err
}

// Sync waits until everything committed or submitted so far is on disk. After an
// error it is not known to be; where the context ended, the error is ErrAmbiguous.
func (db *DB) Sync(ctx context.Context) error {
	if err := db.core.writable("sync"); err != nil {
		return err
	}
	return db.core.committer.Sync(ctx)
}

// Close ends the DB: open transactions are rolled back, what was submitted is
// written, the log is sealed, the lock let go. After a failed write or sync
// nothing more is written and that failure is returned; the next opening repairs.
// A second Close is ErrClosed.
func (db *DB) Close() error {
	c := db.core
	if c.closed.Swap(true) {
		<-c.done
		return &fault.Error{Op: "close", At: fault.Place{Path: c.path}, Err: fault.ErrClosed}
	}
	defer close(c.done)
	c.end()
	if c.committer == nil {
		return errors.Join(c.store.Reader.Close(), c.holders.done())
	}
	c.tasks.Wait()
	c.rollbackAll()
	err := c.committer.Close()
	c.checkpointing <- struct{}{} // a checkpoint by hand comes to its end first
	err = errors.Join(err, c.store.Writer.Close())
	return errors.Join(err, c.release(err), c.holders.done())
}

// release lets the lock go. After a clean end LOCK tells how far the log reaches.
func (c *core) release(failed error) error {
	if failed != nil {
		return c.store.Lock.Close()
	}
	p := c.committer.Published()
	return recovery.Release(c.store.Lock, c.store.ID, recovery.Closed{Seq: p.Seq(), Chain: chainHex(p), Time: c.opts.Clock().UTC()})
}

func chainHex(p *state.Picture) checkpoint.Hex {
	chain := p.Chain()
	return chain[:]
}

// rollbackAll ends every open writing transaction, so that none holds the
// writer's place for ever.
func (c *core) rollbackAll() {
	c.mu.Lock()
	open := make([]*txCore, 0, len(c.txs))
	for t := range c.txs {
		open = append(open, t)
	}
	c.mu.Unlock()
	for _, t := range open {
		t.end(txClosed)
	}
}

// poison ends writing after a failure that the log did not see.
func (c *core) poison(cause error) {
	c.store.Writer.Fail(cause)
	c.committer.Poison(cause)
}

// Err returns nil while the DB accepts writes, else why not: ErrClosed, ErrReadOnly,
// or ErrPoisoned with its cause.
func (db *DB) Err() error {
	if err := db.core.writable("write"); err != nil {
		return err
	}
	return db.core.committer.Err()
}

// String returns the path, for logs.
func (db *DB) String() string { return fmt.Sprintf("vlog store %s", db.Path()) }
