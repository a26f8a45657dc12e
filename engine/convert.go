package engine

import "context"

// ConvertOptions of a conversion. The zero value is ready to use.
type ConvertOptions struct {
	DryRun   bool                    // only tell what would be done
	Progress func(done, total int64) // bytes of the source; nil is not called
}

// Convert makes, in a directory of its own, a copy of a store that nobody has open for
// writing, spelled in another codec: the same identity, batches, checkpoints and chain
// values, so that whoever kept one can see that nothing was changed. The source stays as
// it is. Put the copy in its place, and do not write to both: they are one store.
//
// Errors: ErrConflict where the source has that codec already, ErrBadName for a codec that is none, else those of Restore. A
// conversion that was cut off leaves a directory that says so; the same call goes on.
func Convert(ctx context.Context, dir, dest string, codec Codec, opts ConvertOptions) (RestoreResult, error) {
	if err := checkCodec("convert", codec); err != nil {
		return RestoreResult{}, err
	}
	return Restore(ctx, dir, dest, RestoreOptions{DryRun: opts.DryRun, Progress: opts.Progress, codec: &codec})
}
