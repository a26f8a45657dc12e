package fuzz

import (
	"os"
	"runtime/debug"
	"testing"
)

// TestMain lets garbage pile up to a few hundred megabytes: the searches of this package
// open a hundred thousand small stores, and collecting took a third of their time.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}
