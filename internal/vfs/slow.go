package vfs

import "time"

// Slow is an FS that takes its time.
type Slow struct{ wrap }

var _ FS = (*Slow)(nil)

// NewSlow wraps fs so that each operation waits first for as long as delay says;
// zero does not wait. It sleeps with no lock held, so it works in a bubble of
// testing/synctest. A delay that blocks is a disk that hangs.
func NewSlow(fs FS, delay func(op Op) time.Duration) *Slow {
	s := &Slow{}
	s.fs = fs
	s.around = func(op Op, do func(op Op) error) error {
		if d := delay(op); d > 0 {
			time.Sleep(d)
		}
		return do(op)
	}
	return s
}

// SlowSyncs delays syncs of files and directories and nothing else.
func SlowSyncs(d time.Duration) func(op Op) time.Duration {
	syncs := OnKind(OpSync, OpSyncDir)
	return func(op Op) time.Duration {
		if syncs(op) {
			return d
		}
		return 0
	}
}
