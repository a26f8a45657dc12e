//go:build !linux || !amd64

package flush

import "os/exec"

// Offer does nothing here.
func Offer() error { return ErrUnknown }

// Mark does nothing here.
func Mark() error { return ErrUnknown }

// Count does nothing here.
func Count(*exec.Cmd) (Counts, error) { return Counts{}, ErrUnknown }
