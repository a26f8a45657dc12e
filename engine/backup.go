package engine

import (
	"context"
	"errors"
	"time"

	"github.com/vlogdb/vlog/internal/backup"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/recovery"
)

// BackupOptions of a backup. The zero value is ready to use.
type BackupOptions struct {
	Prune    bool                    // forget in the place what the store no longer keeps
	Verify   bool                    // read the whole place: first to copy again what is damaged, and back at the end
	DryRun   bool                    // only tell what would be done
	Progress func(done, total int64) // bytes; nil is not called
	Clock    func() time.Time        // nil is time.Now
}

// BackupResult is what a backup did, or would do: Seq, Time and Chain of the batch that
// the place leads to now, what was copied, and what was there already.
type BackupResult = backup.Result

// Backup copies the store, as it is when the call begins, to a directory, and beside the
// work: nobody waits for it. What a SyncPolicy left off the disk is synced first. What the place has is not copied again. A place
// is a store that is only read: it can be opened read-only, and Restore makes a store
// of it that can be written.
//
// Whatever stops it, the context too, the place leads to the moment that it led to
// before, or to a newer one; where it was the first backup, the place says that it is
// not finished, and the next one goes on. Where the store no longer keeps what comes
// behind the end of the place, the place gives up what it had, also without Prune.
//
// Errors: ErrExists where dest is neither empty nor a backup place, ErrForeign for that
// of another store, ErrConflict where it has another history of this store, as far as
// the store still keeps the batch where the place ends, ErrLocked, ErrCorrupt,
// ErrCompacted where files go faster than they are copied, ErrNoSpace, ErrIO, ErrClosed.
func (db *DB) Backup(ctx context.Context, dest string, opts BackupOptions) (BackupResult, error) {
	c := db.core
	if err := c.ended("backup"); err != nil {
		return BackupResult{}, err
	}
	if !c.opts.inMemory {
		if err := apart(db.Path(), dest); err != nil {
			return BackupResult{}, err
		}
	}
	return c.backup(ctx, destOf(dest), opts)
}

// BackupFS is DB.Backup to the root of a file system, which stays open. It serves this
// module's own tests and tools.
func (db *DB) BackupFS(ctx context.Context, dest vfs.FS, opts BackupOptions) (BackupResult, error) {
	if err := db.core.ended("backup"); err != nil {
		return BackupResult{}, err
	}
	return db.core.backup(ctx, rootOf(dest), opts)
}

func (c *core) backup(ctx context.Context, to backup.Dest, opts BackupOptions) (BackupResult, error) {
	if c.committer != nil {
		if err := c.onDisk(ctx, c.committer.Published().Seq()); err != nil {
			return BackupResult{}, err
		}
	}
	src := backup.Source{FS: c.store.FS, Format: c.store.Format, Moment: c.moment}
	res, err := backup.Run(ctx, src, to, opts.internal())
	if closed := c.ended("backup"); err != nil && closed != nil {
		return res, closed
	}
	return res, err
}

// moment tells how far the store is durable and lists its files. Only for that no
// checkpoint may take files away.
func (c *core) moment(ctx context.Context) (m backup.Moment, err error) {
	if c.committer != nil {
		release, err := c.alone(ctx)
		if err != nil {
			return m, err
		}
		defer release()
	}
	if _, m.Seq, m.Chain, err = c.store.Log.Bounds(ctx); err != nil {
		return m, err
	}
	m.Files, err = recovery.Files(c.store.FS)
	return m, err
}

// Backup is DB.Backup for a store that is not open here; another process may write to it
// meanwhile. What a crash left in it is not repaired, and what nothing proves is not
// copied.
func Backup(ctx context.Context, dir, dest string, opts BackupOptions) (BackupResult, error) {
	fsys, err := vfs.OpenOS(dir)
	if err != nil {
		return BackupResult{}, notStore(dir, err)
	}
	if err := apart(dir, dest); err != nil {
		return BackupResult{}, errors.Join(err, fsys.Close())
	}
	res, err := backupClosed(ctx, fsys, destOf(dest), opts)
	return res, errors.Join(err, fsys.Close())
}

// BackupFS is Backup from one file system to another, which both stay open. It serves
// this module's own tests and tools.
func BackupFS(ctx context.Context, fsys, dest vfs.FS, opts BackupOptions) (BackupResult, error) {
	return backupClosed(ctx, fsys, rootOf(dest), opts)
}

func backupClosed(ctx context.Context, fsys vfs.FS, to backup.Dest, opts BackupOptions) (BackupResult, error) {
	src, err := backup.Closed(fsys, looking(opts.Clock))
	if err != nil {
		return BackupResult{}, err
	}
	return backup.Run(ctx, src, to, opts.internal())
}

// looking are the options with which a source is looked at.
func looking(clock func() time.Time) recovery.Options {
	o := Options{ReadOnly: true, Clock: clock}.withDefaults()
	return o.recovery()
}

func (o BackupOptions) internal() backup.Options {
	return backup.Options{Prune: o.Prune, Verify: o.Verify, DryRun: o.DryRun, Progress: o.Progress, Now: told(o.Clock)}
}

// RestoreOptions of a restore. The zero value restores the newest moment; at most one
// of Seq and Time is set. A time is looked for among the batches that are kept: where the
// clock went back, one that was trimmed cannot be counted, as with AtTime.
type RestoreOptions struct {
	Seq      uint64                  // the store as it was behind this batch
	Time     time.Time               // behind the last batch before the first one that is later, in order
	DryRun   bool                    // only tell what would be done
	NoCheck  bool                    // do not read the result back
	Progress func(done, total int64) // bytes; nil is not called
	Clock    func() time.Time        // nil is time.Now

	codec *Codec // of the result; nil is that of the source
}

// RestoreResult is what a restore did, or would do.
type RestoreResult = backup.Restored

// Restore makes a store in a directory as a backup place, or another store that nobody
// has open for writing, was at a moment, with all the history that leads there. It has
// the identity of the source, opens with nothing to repair, and is checked at the end.
// The source is not changed.
//
// Errors: ErrExists where dir is there and not empty; ErrCompacted for a moment before
// what is kept, ErrNotFound for one that has not come; ErrNotStore, ErrLocked,
// ErrCorrupt, ErrIncompatible, ErrNoSpace, ErrIO; ErrBadName for two moments. A restore that was cut off leaves a
// directory that says so; running it again goes on.
func Restore(ctx context.Context, src, dir string, opts RestoreOptions) (RestoreResult, error) {
	if err := opts.moments(); err != nil {
		return RestoreResult{}, err
	}
	fsys, err := vfs.OpenOS(src)
	if err != nil {
		return RestoreResult{}, notStore(src, err)
	}
	if err := apart(src, dir); err != nil {
		return RestoreResult{}, errors.Join(err, fsys.Close())
	}
	res, err := backup.Restore(ctx, fsys, destOf(dir), opts.internal())
	return res, errors.Join(err, fsys.Close())
}

// moments returns ErrBadName where two moments are asked for.
func (o RestoreOptions) moments() error {
	if o.Seq == 0 || o.Time.IsZero() {
		return nil
	}
	return &fault.Error{Op: "restore", Err: fault.ErrBadName, Detail: "both a batch and a time", Hint: "set Seq or Time of RestoreOptions, or neither"}
}

// RestoreFS is Restore from one file system to another, which both stay open. It serves
// this module's own tests and tools.
func RestoreFS(ctx context.Context, src, fsys vfs.FS, opts RestoreOptions) (RestoreResult, error) {
	if err := opts.moments(); err != nil {
		return RestoreResult{}, err
	}
	return backup.Restore(ctx, src, rootOf(fsys), opts.internal())
}

func (o RestoreOptions) internal() backup.RestoreOptions {
	return backup.RestoreOptions{Seq: o.Seq, Time: o.Time, DryRun: o.DryRun, NoCheck: o.NoCheck, Codec: o.codec, Progress: o.Progress, Open: looking(o.Clock)}
}

// apart returns ErrExists where one of two directories is, or lies in, the other.
func apart(dir, dest string) error {
	for _, pair := range [][2]string{{dest, dir}, {dir, dest}} {
		in, err := vfs.Inside(pair[0], pair[1])
		if err != nil {
			return err
		}
		if in {
			return &fault.Error{Op: "copy", At: fault.Place{Path: dest}, Err: fault.ErrExists, Detail: "it is, lies in or holds " + dir, Hint: "name a directory apart from the source"}
		}
	}
	return nil
}

func destOf(dir string) backup.Dest {
	return backup.Dest{Open: func() (vfs.FS, error) { return vfs.OpenOS(dir) }, Create: func() (vfs.FS, error) { return vfs.CreateOS(dir) }}
}

// rootOf is a destination that is open and stays so.
func rootOf(fsys vfs.FS) backup.Dest {
	open := func() (vfs.FS, error) { return lent{fsys}, nil }
	return backup.Dest{Open: open, Create: open}
}

// lent is a file system that whoever gave it closes.
type lent struct{ vfs.FS }

// Close does nothing.
func (lent) Close() error { return nil }
