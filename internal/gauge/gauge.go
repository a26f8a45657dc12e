// Package gauge measures what a disk does for who wants what he wrote to be there: how
// often in a second it makes a write durable, and how fast it streams.
//
// Embedders do not need this package.
package gauge

import (
	"context"
	"slices"
	"time"

	"github.com/vlogdb/vlog/internal/vfs"
)

// Rate is how often something was done, and how long one took: half of them no longer
// than P50, of a hundred 99 no longer than P99. The zero Rate is of nothing done.
type Rate struct {
	PerSecond float64
	P50, P99  time.Duration
}

// RateOf sums up how long each of some calls took; all of them took d together. It sorts
// the slice.
func RateOf(took []time.Duration, d time.Duration) Rate {
	if len(took) == 0 || d <= 0 {
		return Rate{}
	}
	slices.Sort(took)
	at := func(percent int) time.Duration { return took[min(len(took)*percent/100, len(took)-1)] }
	return Rate{float64(len(took)) / d.Seconds(), at(50), at(99)}
}

// Bench is a directory in which to measure. What it makes there it removes.
type Bench struct {
	FS  vfs.FS
	For time.Duration // how long one measurement takes
}

// New returns a Bench in a directory that is there. Close it.
func New(dir string, d time.Duration) (Bench, error) {
	fsys, err := vfs.OpenOS(dir)
	return Bench{fsys, d}, err
}

// Close lets the directory go.
func (b Bench) Close() error { return b.FS.Close() }

const (
	file     = "gauge"
	prepared = 4 << 20
	piece    = 1 << 20
	streamed = 64 << 20
)

// Flush measures the least that a durable write can cost: one sector of a file that is
// there is written over and synced.
func (b Bench) Flush(ctx context.Context) (r Rate, err error) {
	err = b.with(func(f vfs.File) error {
		if _, err := f.WriteAt(make([]byte, prepared), 0); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
		r, err = b.sectors(ctx, f, prepared)
		return err
	})
	return r, err
}

// Append measures the same at the end of a file, which becomes longer each time.
func (b Bench) Append(ctx context.Context) (r Rate, err error) {
	err = b.with(func(f vfs.File) error {
		r, err = b.sectors(ctx, f, 1<<40)
		return err
	})
	return r, err
}

// sectors writes one sector behind the other, each synced, and begins anew at a size.
func (b Bench) sectors(ctx context.Context, f vfs.File, size int64) (Rate, error) {
	sector := pattern(vfs.SectorSize)
	var took []time.Duration
	began := time.Now()
	for last, off := began, int64(0); last.Sub(began) < b.For; off = (off + vfs.SectorSize) % size {
		if ctx.Err() != nil {
			return Rate{}, context.Cause(ctx)
		}
		if _, err := f.WriteAt(sector, off); err != nil {
			return Rate{}, err
		}
		if err := f.Sync(); err != nil {
			return Rate{}, err
		}
		now := time.Now()
		took, last = append(took, now.Sub(last)), now
	}
	return RateOf(took, time.Since(began)), nil
}

// Stream measures bytes a second: written one behind the other with one sync at the end,
// and read back, as a rule from the memory of the system.
func (b Bench) Stream(ctx context.Context) (write, read float64, err error) {
	err = b.with(func(f vfs.File) error {
		p := pattern(piece)
		began := time.Now()
		if err := each(ctx, func(off int64) error { _, err := f.WriteAt(p, off); return err }); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
		write = streamed / time.Since(began).Seconds()
		began = time.Now()
		err := each(ctx, func(off int64) error { _, err := f.ReadAt(p, off); return err })
		read = streamed / time.Since(began).Seconds()
		return err
	})
	return write, read, err
}

// each calls fn for each piece of a stream.
func each(ctx context.Context, fn func(off int64) error) error {
	for off := int64(0); off < streamed; off += piece {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := fn(off); err != nil {
			return err
		}
	}
	return nil
}

// with runs fn on a new file.
func (b Bench) with(fn func(f vfs.File) error) error {
	f, err := b.FS.Open(file, vfs.CreateNew)
	if err != nil {
		return err
	}
	err = fn(f)
	for _, e := range []error{f.Close(), b.FS.Remove(file)} {
		if err == nil {
			err = e
		}
	}
	return err
}

// pattern returns bytes that are not all alike: some disks are faster for zeros.
func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i*7 + i/3 + 1)
	}
	return p
}
