package fuzz

import (
	"context"
	"errors"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/backup"
	"github.com/vlogdb/vlog/internal/ptvp35"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/recovery"
)

func copyings() []*act {
	backs := func(opts engine.BackupOptions) func(ctx context.Context, s *stage) error {
		opts.Clock = clock
		return func(ctx context.Context, s *stage) error {
			to := s.placeFS()
			_, err := s.w.db.BackupFS(ctx, to, opts)
			return closing(to, err)
		}
	}
	restore := func(opts engine.RestoreOptions) func(ctx context.Context, s *stage) error {
		opts.Clock = clock
		return func(ctx context.Context, s *stage) error {
			src, to := s.fs(), s.placeFS()
			_, err := engine.RestoreFS(ctx, src, to, opts)
			return closing(src, closing(to, err))
		}
	}
	more := func(ctx context.Context, s *stage) error {
		for range 3 {
			if _, err := s.w.db.Checkpoint(ctx); err != nil {
				return err
			}
			if err := s.w.commit(ctx, filled[1]...); err != nil {
				return err
			}
		}
		return nil
	}
	return []*act{
		{name: "backup, the first", before: begun, do: backs(engine.BackupOptions{}), looks: true, after: backedUp},
		{name: "backup, another", place: "place: older", before: begun, do: backs(engine.BackupOptions{}), looks: true, after: backedUp},
		{name: "backup, prune", place: "place: clean", before: begun, prepare: more, do: backs(engine.BackupOptions{Prune: true, Verify: true}), looks: true, after: backedUp},
		{name: "backup, only told", place: "place: older", before: begun, do: backs(engine.BackupOptions{DryRun: true}), looks: true, after: backedUp},
		{name: "backup, not open", on: "not synced", closed: true, do: func(ctx context.Context, s *stage) error {
			src, to := s.fs(), s.placeFS()
			_, err := engine.BackupFS(ctx, src, to, engine.BackupOptions{Clock: clock})
			return closing(src, closing(to, err))
		}, looks: true},
		{name: "restore", on: "place: clean", closed: true, only: true, do: restore(engine.RestoreOptions{}), looks: true, after: restored(0)},
		{name: "restore, an older moment", on: "place: clean", closed: true, only: true, do: restore(engine.RestoreOptions{Seq: 11}), looks: true, after: restored(11)},
		{name: "restore, only told", on: "place: clean", closed: true, only: true, do: restore(engine.RestoreOptions{DryRun: true}), looks: true, after: restored(0)},
		{name: "convert", on: "clean", closed: true, looks: true, do: convert, after: func(ctx context.Context, s *stage) error {
			if leads(ctx, s.place, s.w.promise()) == nil {
				return nil
			}
			s.gate.inj = vfs.Nth(0, nil)
			return errors.Join(convert(ctx, s), leads(ctx, s.place, s.w.promise()))
		}},
		{name: "import from ptvp35", on: "empty", closed: true, only: true, do: imports, looks: true},
	}
}

// backedUp backs up again, without faults: the place then leads to all that there is.
func backedUp(ctx context.Context, s *stage) error {
	if _, err := engine.BackupFS(ctx, s.disk.Reopen(), s.place.Reopen(), engine.BackupOptions{Clock: clock}); err != nil {
		return err
	}
	return leads(ctx, s.place, s.w.promise())
}

// restored restores again, unless it is done, and looks at what that gives.
func restored(seq int) func(ctx context.Context, s *stage) error {
	return func(ctx context.Context, s *stage) error {
		want := s.w.promise()
		if seq != 0 {
			want.acked, want.asked = seq, seq
		}
		if leads(ctx, s.place, want) == nil {
			return nil
		}
		_, err := engine.RestoreFS(ctx, s.disk.Reopen(), s.place.Reopen(), engine.RestoreOptions{Seq: uint64(seq), Clock: clock})
		return errors.Join(err, leads(ctx, s.place, want))
	}
}

// leads says whether a directory, opened read-only, is what was promised, and whole.
func leads(ctx context.Context, mem *vfs.Mem, want promise) error {
	db, err := engine.OpenFS(ctx, mem.Reopen(), engine.Options{ReadOnly: true, Clock: clock})
	if err != nil {
		return err
	}
	_, err = want.kept(ctx, db)
	return errors.Join(err, db.Close(), cleanStore(ctx, mem))
}

// convert spells the store in the other codec.
func convert(ctx context.Context, s *stage) error {
	src, to := s.fs(), s.placeFS()
	codec := engine.NDJSON
	if s.w.codec == codec {
		codec = engine.Binary
	}
	open := func() (vfs.FS, error) { return lent{to}, nil }
	_, err := backup.Restore(ctx, src, backup.Dest{Open: open, Create: open}, backup.RestoreOptions{Codec: &codec, Open: recovery.Options{ReadOnly: true, Now: clock, Rand: numbers(s.seed)}})
	return closing(src, closing(to, err))
}

// lent is a file system that whoever gave it closes.
type lent struct{ vfs.FS }

func (lent) Close() error { return nil }

// imports reads a store of another system.
func imports(_ context.Context, s *stage) error {
	for name, text := range map[string]string{"x.db": `{"key":"a","value":1}` + "\n", "x.db.truncate_flag": "", "x.db.truncate": "\x16\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"} {
		if err := writeFile(s.disk, name, text); err != nil {
			return err
		}
	}
	fsys := s.fs()
	src, err := ptvp35.OpenFS(fsys, "x.db")
	if err != nil {
		return closing(fsys, err)
	}
	_, err = src.Check()
	return errors.Join(err, src.Close())
}

func writeFile(mem *vfs.Mem, name, text string) error {
	f, err := mem.Open(name, vfs.Create)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(text), 0)
	return errors.Join(err, f.Close())
}
