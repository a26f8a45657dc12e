package vfs

// Hints tells that something in a directory may have changed. It is a hint to look
// and nothing more: changes may pass untold, and what is told may be nothing. It may
// be used from any goroutine.
type Hints interface {
	// C gets a value after something may have changed, one however much did. It is
	// the same channel each time, and never closed.
	C() <-chan struct{}
	// Close ends the telling and what serves it. A second Close is ErrClosed.
	Close() error
}

// hints is the channel of a Hints.
type hints chan struct{}

func newHints() hints { return make(hints, 1) }

// C returns the channel.
func (h hints) C() <-chan struct{} { return h }

// tell leaves a value, where none waits to be taken.
func (h hints) tell() {
	select {
	case h <- struct{}{}:
	default:
	}
}
