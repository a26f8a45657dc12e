package engine

import (
	"context"
	"errors"

	"github.com/zeebo/blake3"
	"golang.org/x/sync/semaphore"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/committer"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/recovery"
)

// Report is what opening found and did.
type Report = recovery.Report

// Open opens the store in a directory, or makes one there; the directory's parents
// are made too. It brings back every acknowledged batch, whatever stopped the
// last writer, and never changes anything before it knows that nothing was lost.
//
// Read-only it shows what other processes write, as they are answered: each read looks
// again. Where their SyncPolicy answers before the sync, it shows that behind the sync.
// There is no goroutine for that.
//
// Errors: ErrLocked, for a second writer, names the holder; ErrNotStore, ErrExists, ErrIncompatible,
// ErrCorrupt, ErrForeign, ErrNotRegular, ErrReadOnly, ErrDenied, ErrNoLocks,
// ErrNoSpace, ErrIO; ErrBadName for an option that names nothing. After an error nothing is held.
func Open(ctx context.Context, dir string, opts Options) (*DB, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err := opts.check(); err != nil { // before the directory is made
		return nil, err
	}
	open := vfs.CreateOS
	if opts.ReadOnly || opts.MustExist {
		open = vfs.OpenOS
	}
	fsys, err := open(dir)
	if err != nil {
		return nil, notStore(dir, err)
	}
	return OpenFS(ctx, fsys, opts)
}

// notStore names a missing directory for what it is.
func notStore(dir string, err error) error {
	if !errors.Is(err, fault.ErrNotFound) && !errors.Is(err, fault.ErrNotRegular) {
		return err
	}
	detail := "there is no such directory"
	if errors.Is(err, fault.ErrNotRegular) {
		detail = "not a directory"
	}
	return &fault.Error{Op: "open", At: fault.Place{Path: dir}, Err: fault.ErrNotStore, Detail: detail}
}

// In memory there is little to prepare, and small files are enough.
const memorySegment = 4 << 20

// OpenMemory makes a store in memory: the same engine on a disk that is gone when
// the DB is closed. Its Path is "InMemory", its Documentation "In Memory" where
// the options give none.
func OpenMemory(ctx context.Context, opts Options) (*DB, error) {
	if opts.Documentation == "" {
		opts.Documentation = "In Memory"
	}
	if opts.SegmentSize == 0 {
		opts.SegmentSize = memorySegment
	}
	opts.inMemory = true
	db, err := OpenFS(ctx, vfs.NewMem(vfs.MemOptions{}), opts)
	if err == nil {
		db.core.path = "InMemory"
	}
	return db, err
}

// OpenFS opens the store at the root of a file system and closes that with the
// DB. It serves this module's own tests and tools.
func OpenFS(ctx context.Context, fsys vfs.FS, opts Options) (*DB, error) {
	db, err := openFS(ctx, fsys, opts)
	if err != nil {
		return nil, errors.Join(err, fsys.Close())
	}
	if err := db.setKeep(ctx, opts.Keep); err != nil {
		return nil, errors.Join(err, db.Close()) // which closes fsys too
	}
	return db, nil
}

func openFS(ctx context.Context, fsys vfs.FS, opts Options) (*DB, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	opts = opts.withDefaults()
	store, err := recovery.Open(ctx, fsys, opts.recovery())
	if err != nil {
		return nil, err
	}
	db := newDB(store, opts)
	if !opts.ReadOnly {
		db.start()
	}
	return db, nil
}

func newDB(store *recovery.Store, opts Options) *DB {
	c := &core{store: store, opts: opts, path: store.FS.Path(), gate: semaphore.NewWeighted(gateAll), txs: map[*txCore]struct{}{}, done: make(chan struct{})}
	c.holders = holders{fs: store.FS, n: 1}
	c.life, c.end = context.WithCancel(context.Background())
	c.codec = store.Format.LogCodec()
	c.writer = writerID(store)
	last, _ := store.Picture.Counter(c.writer)
	c.counter.Store(last)
	db := &DB{Scope: newScope(c, batch.Main)}
	return db
}

// manySegments above the checkpoint call for a new one, however small they are: a
// program that opens, writes a little and closes leaves one each time.
const manySegments = 64

// writerID names who writes: this store on this machine.
func writerID(store *recovery.Store) (w batch.Writer) {
	h := blake3.NewDeriveKey("vlog writer v1")
	h.Write(store.ID[:]) // a hash never fails to write
	h.WriteString(vfs.Machine())
	copy(w[:], h.Sum(nil))
	return w
}

// start makes the parts that only a writer has.
func (db *DB) start() {
	c := db.core
	c.committer = committer.New(c.store.Picture, committer.Options{Log: c.store.Writer, Now: c.opts.Clock, SyncEach: c.opts.Sync == SyncAlways, Wrote: c.wrote})
	c.promoter = &checkpoint.Promoter{FS: c.store.FS, Store: c.store.ID, Now: func() int64 { return c.opts.Clock().UnixNano() }, Trim: c.trim, Known: c.store.Known, Codec: c.codec}
	c.checkpointing = make(chan struct{}, 1)
	c.kick = make(chan struct{}, 1)
	c.logged.Store(c.store.Report.ReplayedBytes)
	if c.store.Report.Segments >= manySegments {
		c.logged.Store(c.opts.CheckpointAfter)
	}
	c.newest = c.store.Report.Checkpoint
	if c.opts.background() {
		c.tasks.Go(c.keeper)
	}
	if c.opts.Sync > 0 {
		c.tasks.Go(c.syncer)
	}
}

// trim is the last part of a promotion, which ends whoever has given up meanwhile.
func (c *core) trim(ctx context.Context, before batch.Seq) error {
	return c.store.Writer.Trim(context.WithoutCancel(ctx), before)
}

// setKeep writes the store's Keep where the options change it.
func (db *DB) setKeep(ctx context.Context, keep *Keep) error {
	if keep == nil || db.core.committer == nil {
		return nil
	}
	have, err := checkpoint.KeepOf(db.picture())
	if err != nil || have == *keep {
		return err
	}
	value, err := keep.Encode()
	if err != nil {
		return err
	}
	return db.Update(ctx, func(_ context.Context, tx *Tx) error {
		return tx.core.tx.Put(checkpoint.KeepKey(), value)
	})
}
