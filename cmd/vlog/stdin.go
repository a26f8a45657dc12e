package main

import (
	"context"
	"io"
	"os"
	"strings"
)

// stdin returns what is read from stdin; reading ends with the context's cause when
// that ends. A read of a terminal or a pipe cannot be called back, so it stays
// behind in a goroutine, which ends with the program.
func (a *app) stdin(ctx context.Context) io.Reader {
	r, w := io.Pipe()
	go func() {
		_, err := io.Copy(w, a.in)
		w.CloseWithError(err) // never fails; a nil error is the end of the file
	}()
	context.AfterFunc(ctx, func() { w.CloseWithError(context.Cause(ctx)) })
	return r
}

// value reads the value of an argument: itself, @file, or - for stdin.
func (a *app) value(ctx context.Context, arg string) ([]byte, error) {
	switch {
	case arg == "-":
		return io.ReadAll(a.stdin(ctx))
	case strings.HasPrefix(arg, "@"):
		b, err := os.ReadFile(arg[1:])
		if err != nil {
			return nil, usagef("%v", err)
		}
		return b, nil
	}
	return []byte(arg), nil
}
