// Package gate tells what the disk can do at this moment, and who else is at work on the
// machine: a figure that stands beside neither says nothing.
package gate

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Rate is how often something was done, and how long it took.
type Rate struct {
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50_us"`
	P99       float64 `json:"p99_us"`
}

// RateOf sums up how long each of some calls took; all of them took d together. It sorts
// the slice.
func RateOf(took []time.Duration, d time.Duration) Rate {
	if len(took) == 0 {
		return Rate{}
	}
	slices.Sort(took)
	at := func(q float64) float64 {
		return float64(took[min(int(q*float64(len(took))), len(took)-1)].Nanoseconds()) / 1e3
	}
	return Rate{float64(len(took)) / d.Seconds(), at(0.5), at(0.99)}
}

const (
	rawSize  = 8 << 20 // bytes of the file that is written over
	rawWrite = 512     // bytes of one write
)

// Raw is what one durable write costs at least: a sector of a file that is there is
// written over and synced, again and again for d.
func Raw(dir string, d time.Duration) (r Rate, err error) {
	f, err := os.Create(filepath.Join(dir, "raw"))
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	if _, err := f.Write(make([]byte, rawSize)); err != nil {
		return r, err
	}
	if err := f.Sync(); err != nil {
		return r, err
	}
	sector := make([]byte, rawWrite)
	for i := range sector {
		sector[i] = byte(i*7 + i/3 + 1)
	}
	var took []time.Duration
	began := time.Now()
	for last := began; last.Sub(began) < d; {
		if _, err := f.WriteAt(sector, int64(len(took))*rawWrite%rawSize); err != nil {
			return r, err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return r, err
		}
		now := time.Now()
		took, last = append(took, now.Sub(last)), now
	}
	return RateOf(took, time.Since(began)), nil
}
