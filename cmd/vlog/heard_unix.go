//go:build unix

package main

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// heardEvery is how often a poll that nothing ended looks whether its verb has.
const heardEvery = 200 * time.Millisecond

// whileHeard returns a context that ends, with EPIPE, when the reader of a pipe has
// gone: a verb that waits for changes may have nothing to print for ever, and would
// never notice.
func whileHeard(ctx context.Context, out any) (context.Context, func()) {
	f, ok := out.(*os.File)
	if !ok {
		return ctx, func() {}
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		if readerGone(ctx, int32(f.Fd())) {
			cancel(&os.PathError{Op: "write", Path: f.Name(), Err: syscall.EPIPE})
		}
	}()
	return ctx, func() { cancel(nil); <-over }
}

// readerGone waits until nobody reads a pipe any more; false where the context ends.
func readerGone(ctx context.Context, fd int32) bool {
	for ctx.Err() == nil {
		ask := []unix.PollFd{{Fd: fd}} // errors and the other end are told unasked
		n, err := unix.Poll(ask, int(heardEvery.Milliseconds()))
		if err != nil && !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EAGAIN) {
			return false // it cannot be asked: the next write will tell
		}
		if n > 0 && err == nil {
			return ask[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
		}
	}
	return false
}
