package engine

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/recovery"
	"github.com/vlogdb/vlog/wal"
)

// FormatVersion is the format of the files that this version reads and writes.
const FormatVersion = recovery.FormatVersion

// Info is what a store says about itself.
type Info struct {
	Path          string
	ID            string // a UUID, given when the store was made
	Format        int
	Codec         string
	Created       time.Time
	Documentation string
	ReadOnly      bool
	Backup        bool // a backup place
	Keep          Keep

	First, Last uint64    // batches kept in the log; First is Last+1 where none are
	Chain       string    // hex: commits to every batch up to Last
	Floor       uint64    // first batch that DB.At goes back to; 0: the empty store
	LastTime    time.Time // of batch Last; zero where there is none
	Durable     uint64
	Beyond      uint64 // read-only: newest batch in the log that is not shown, since nothing says that it is durable; 0: none

	Segments        int
	LogBytes        int64    // of segments
	Checkpoints     []uint64 // newest first
	CheckpointBytes int64
	KeptTails       int // torn tails kept in log/error
	Aside           int // files there that a salvage set aside

	Keys    int
	Tenants int
	Writer  *Holder // who has it open for writing; nil: nobody
}

// Info describes the store as it is now.
func (db *DB) Info(ctx context.Context) (Info, error) {
	c := db.core
	if err := c.ended("info"); err != nil {
		return Info{}, err
	}
	p, err := db.see(ctx)
	if err != nil {
		return Info{}, err
	}
	f := c.store.Format
	chain := p.Chain()
	info := Info{Path: db.Path(), ID: f.UUID, Format: f.Version, Codec: f.Codec, Created: f.Created, Documentation: f.Documentation, ReadOnly: c.committer == nil, Backup: f.IsBackup(),
		First: uint64(p.Seq()) + 1, Last: uint64(p.Seq()), Chain: hex.EncodeToString(chain[:]), Durable: uint64(p.Seq())}
	if t := p.Time(); t != 0 {
		info.LastTime = time.Unix(0, t).UTC()
	}
	if err := db.beyond(ctx, &info); err != nil {
		return info, err
	}
	if info.Keep, err = checkpoint.KeepOf(p); err != nil {
		return info, err
	}
	if info.Keys, err = db.allKeys(ctx, &info); err != nil {
		return info, err
	}
	if info.Writer, err = recovery.HeldBy(c.store.FS); err != nil {
		return info, err
	}
	if err := info.files(c.store.FS); err != nil {
		return info, err
	}
	info.Floor = info.floor()
	return info, nil
}

// floor returns the first batch that At goes back to: the present, if nothing else.
func (i *Info) floor() uint64 {
	k := kept{first: batch.Seq(i.First)}
	for _, seq := range i.Checkpoints {
		k.checkpoints = append(k.checkpoints, batch.Seq(seq))
	}
	floor, err := k.floor()
	if err != nil {
		return i.Last
	}
	return uint64(floor)
}

// beyond fills in what is durable and what is not.
func (db *DB) beyond(ctx context.Context, info *Info) error {
	if c := db.core.committer; c != nil {
		info.Durable = uint64(c.Durable())
		return nil
	}
	seq, err := db.core.store.Reader.Beyond(ctx)
	info.Beyond = uint64(seq)
	return err
}

// allKeys counts keys and tenants.
func (db *DB) allKeys(ctx context.Context, info *Info) (int, error) {
	for _, err := range db.Tenants(ctx) {
		if err != nil {
			return 0, err
		}
		info.Tenants++
	}
	return db.picture().Count([]byte{byte(batch.KV)}, []byte{byte(batch.KV) + 1}), nil
}

// files counts what lies in the log's directory.
func (i *Info) files(fsys vfs.FS) error {
	files, err := recovery.Files(fsys)
	if err != nil {
		return err
	}
	for _, f := range files {
		switch f.Class {
		case recovery.ClassSegment:
			first, _, _ := wal.ParseSegment(f.Base())
			i.First = min(i.First, uint64(first))
			i.Segments++
			err = addSize(fsys, f.Path, &i.LogBytes)
		case recovery.ClassCheckpoint:
			seq, _ := checkpoint.ParseName(f.Base())
			i.Checkpoints = append([]uint64{uint64(seq)}, i.Checkpoints...)
			err = addSize(fsys, f.Path, &i.CheckpointBytes)
		case recovery.ClassKept:
			i.KeptTails++
		case recovery.ClassAside:
			i.Aside++
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// addSize adds a file's size; one that has gone meanwhile adds nothing.
func addSize(fsys vfs.FS, path string, sum *int64) error {
	f, err := fsys.Open(path, vfs.ReadOnly)
	if errors.Is(err, fault.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	st, err := f.Stat()
	*sum += st.Size
	return errors.Join(err, f.Close())
}

// Path returns the directory of the store as it was given, or "InMemory".
func (db *DB) Path() string { return db.core.path }

// ID returns the store's UUID.
func (db *DB) ID() string { return db.core.store.Format.UUID }

// Documentation returns the text that the store was made with.
func (db *DB) Documentation() string { return db.core.store.Format.Documentation }

// Codec returns the name of the log's codec.
func (db *DB) Codec() string { return db.core.store.Format.Codec }

// Report returns what opening found and did.
func (db *DB) Report() Report { return db.core.store.Report }

// Stats are counts since the DB was opened, and what the map costs now.
type Stats struct {
	Commits         uint64 // batches written
	Groups          uint64 // writes they took
	Syncs           uint64
	Conflicts       uint64 // commits refused because what they read had changed
	BatchBytes      uint64 // of those batches
	OpenTx          int    // open writing transactions
	Seq             uint64 // newest batch that readers see
	Durable         uint64
	SinceCheckpoint int64 // bytes of batches above the newest checkpoint
	Spares          int   // log files made ahead

	Keys       int // of all spaces
	LiveBytes  int // of entries
	ArenaBytes int // of the memory they lie in
	HeapBytes  int // estimate of all that the map takes
}

// Stats returns the counts. It is cheap.
func (db *DB) Stats() Stats {
	c := db.core
	p := db.latest()
	m := p.Stats()
	s := Stats{Seq: uint64(p.Seq()), Durable: uint64(p.Seq()), Keys: m.Keys, LiveBytes: m.LiveBytes, ArenaBytes: m.ArenaBytes, HeapBytes: m.HeapBytes}
	if c.committer == nil {
		return s
	}
	w := c.committer.Stats()
	s.Durable = uint64(c.committer.Durable())
	s.Commits, s.Groups, s.Syncs, s.Conflicts, s.BatchBytes = w.Commits, w.Groups, w.Syncs, w.Conflicts, w.Bytes
	s.Spares, s.SinceCheckpoint = c.store.Writer.Stats().Spares, c.logged.Load()
	c.mu.Lock()
	s.OpenTx = len(c.txs)
	c.mu.Unlock()
	return s
}
