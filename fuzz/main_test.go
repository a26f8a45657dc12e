package fuzz

import (
	"runtime/debug"
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails where a goroutine is left when all tests have ended. It lets garbage
// pile up to a few hundred megabytes: the searches of this package open a hundred
// thousand small stores, and collecting took a third of their time.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	goleak.VerifyTestMain(m)
}
