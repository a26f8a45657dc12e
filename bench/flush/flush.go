// Package flush counts how often a process asks the system to make something durable: an
// engine that answers without that is fast, and no peer.
package flush

import "errors"

// Counts is how often each call was made.
type Counts struct {
	Fsync     int64 `json:"fsync"`
	Fdatasync int64 `json:"fdatasync"`
	Msync     int64 `json:"msync"`
	Other     int64 `json:"other"` // sync, syncfs; sync_file_range promises nothing and is not counted
}

// All is the sum.
func (c Counts) All() int64 { return c.Fsync + c.Fdatasync + c.Msync + c.Other }

// ErrUnknown is what Count answers where the system cannot be asked.
var ErrUnknown = errors.New("flushes cannot be counted on this system")
