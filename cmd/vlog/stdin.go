package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/vlogdb/vlog/engine"
)

// stdin returns what is read from stdin.
func (a *app) stdin(ctx context.Context) io.Reader {
	return feed(ctx, func() (io.ReadCloser, error) { return io.NopCloser(a.in), nil })
}

// feed returns what is read from something; reading ends with the context's cause
// when that ends. Opening a pipe or reading a terminal cannot be called back, so it
// stays behind in a goroutine, which ends with the program.
func feed(ctx context.Context, open func() (io.ReadCloser, error)) io.Reader {
	r, w := io.Pipe()
	go func() {
		from, err := open()
		if err == nil {
			_, err = io.Copy(w, from)
			err = errors.Join(err, from.Close())
		}
		w.CloseWithError(err) // never fails; a nil error is the end of the file
	}()
	context.AfterFunc(ctx, func() { w.CloseWithError(context.Cause(ctx)) })
	return r
}

// value reads the value of an argument: itself, @file, or - for stdin.
func (a *app) value(ctx context.Context, arg string) ([]byte, error) {
	switch {
	case arg == "-":
		return bounded(a.stdin(ctx))
	case arg == "@":
		return nil, usagef("name the file behind @")
	case strings.HasPrefix(arg, "@"):
		b, err := bounded(feed(ctx, func() (io.ReadCloser, error) { return os.Open(arg[1:]) }))
		if p, ok := errors.AsType[*fs.PathError](err); ok {
			return nil, usagef("the value %s cannot be read: %v", arg, p.Err)
		}
		return b, err
	}
	return []byte(arg), nil
}

// bounded reads all there is, unless that is more than any transaction takes: a
// device without an end must not fill the memory.
func bounded(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxChanges+1))
	if len(b) > maxChanges {
		return nil, &engine.Error{Err: engine.ErrTooLarge, Detail: "the value has more than " + size(maxChanges), Hint: valueHint}
	}
	return b, err
}
