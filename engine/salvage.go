package engine

import (
	"context"
	"errors"
	"time"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/recovery"
	"github.com/vlogdb/vlog/wal"
)

// Salvaged is what a salvage kept and set aside.
type Salvaged = recovery.Salvaged

// Aside is a file, or the end of one, that a salvage set aside.
type Aside = recovery.Aside

// SalvageOptions of a salvage. The zero value is ready to use.
type SalvageOptions struct {
	DryRun  bool              // only say what would be done
	Rescued func(Batch) error // is given the batches behind the damage that can still be read, ascending; nil is not called
	Ready   func() error      // is called when Rescued was given all, before anything is changed; nil is not called
	Clock   func() time.Time  // nil is time.Now
}

// Salvage makes a store that is damaged, and so refuses to open, one that opens: the
// newest checkpoint that verifies, and the log that goes on from there without a gap,
// stay; everything else is moved to log/error, and nothing is deleted. It does nothing
// to a store without damage. Batches behind the damage are no longer part of the store,
// also where they can be read: nobody can say what they rested on. Rescued is given
// those, for people to look through; their Chain is empty. What was set aside is not
// given again by another call: keep it durably in Ready, whose error ends the salvage
// with nothing changed.
//
// Errors: ErrNotStore, ErrLocked, ErrCorrupt where there is nothing to stand on,
// ErrIncompatible, ErrNotRegular, ErrIO, ErrNoSpace, that of Rescued or Ready, or the
// context's.
// After an error, or a stop in the middle, the same call goes on.
func Salvage(ctx context.Context, dir string, opts SalvageOptions) (Salvaged, error) {
	fsys, err := vfs.OpenOS(dir)
	if err != nil {
		return Salvaged{}, notStore(dir, err)
	}
	sum, err := salvageFS(ctx, fsys, opts)
	return sum, errors.Join(err, fsys.Close())
}

func salvageFS(ctx context.Context, fsys vfs.FS, opts SalvageOptions) (Salvaged, error) {
	how := recovery.SalvageOptions{DryRun: opts.DryRun, Ready: opts.Ready}
	if opts.Rescued != nil {
		var b batch.Batch
		how.Rescued = func(e wal.Entry) error {
			if err := decoded(&b, &e); err != nil {
				return nil // it cannot be read
			}
			return opts.Rescued(Batch{Seq: uint64(e.Seq), Time: time.Unix(0, e.Time).UTC(), Bytes: len(e.Payload), batch: &b})
		}
	}
	o := Options{Clock: opts.Clock}.withDefaults()
	return recovery.Salvage(ctx, fsys, o.recovery(), how)
}
