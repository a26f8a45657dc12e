package engine

import (
	"context"
	"errors"
	"time"

	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/recovery"
)

// Finding is one thing that checking found: what, where, and what it affects.
type Finding = recovery.Finding

// CheckSummary counts what checking went through.
type CheckSummary = recovery.CheckSummary

// CheckOptions of a check. The zero value is ready to use.
type CheckOptions struct {
	Progress func(done, total int64) // bytes; nil is not called
	Clock    func() time.Time        // nil is time.Now
}

// Check reads every byte that counts of a store that nobody has open for writing
// and calls found for what is not as it should be. It changes nothing. Damage is
// told through found; the error is for what stops the checking: ErrNotStore,
// ErrLocked, ErrIncompatible, ErrDenied, or the context's.
func Check(ctx context.Context, dir string, opts CheckOptions, found func(Finding)) (CheckSummary, error) {
	fsys, err := vfs.OpenOS(dir)
	if err != nil {
		return CheckSummary{}, notStore(dir, err)
	}
	sum, err := CheckFS(ctx, fsys, opts, found)
	return sum, errors.Join(err, fsys.Close())
}

// CheckFS is Check at the root of a file system, which stays open. It serves this
// module's own tests and tools.
func CheckFS(ctx context.Context, fsys vfs.FS, opts CheckOptions, found func(Finding)) (CheckSummary, error) {
	return recovery.Check(ctx, fsys, recovery.CheckOptions{Progress: opts.Progress, Now: told(opts.Clock)}, found)
}
