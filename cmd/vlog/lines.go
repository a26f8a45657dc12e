package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// maxChanges bounds one transaction, one value and one line of changes, in bytes.
const maxChanges = 64 << 20

// badLine is a line of changes that says nothing that can be done.
type badLine struct {
	line int
	why  error
}

func (b *badLine) Error() string { return fmt.Sprintf("line %d: %v", b.line, b.why) }

// changeReader reads changes line by line.
type changeReader struct {
	in   *bufio.Reader
	line int
	end  bool
}

// next returns the changes of the next transaction: of up to n lines, or of all for n = 0.
// None is the end.
func (r *changeReader) next(ctx context.Context, n int) ([]step, error) {
	var steps []step
	size, lines := 0, 0
	for !r.end && (n == 0 || lines < n) {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		text, err := r.readLine()
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		some, err := parseLine(text)
		if err != nil {
			return nil, &badLine{r.line, err}
		}
		lines++
		for _, s := range some {
			s.line = r.line
			steps = append(steps, s)
			if size += len(s.key) + len(s.value); size > maxChanges {
				return nil, tooMany(len(steps))
			}
		}
	}
	return steps, nil
}

// byteOrderMark is what some systems put before text.
const byteOrderMark = "\ufeff"

// readLine returns the next line; a last one needs no newline.
func (r *changeReader) readLine() ([]byte, error) {
	text, err := r.wholeLine()
	if r.line++; err != nil {
		return nil, err
	}
	if len(text) > maxChanges {
		return nil, &badLine{r.line, errors.New("longer than " + size(maxChanges))}
	}
	if r.line == 1 {
		text = bytes.TrimPrefix(text, []byte(byteOrderMark))
	}
	return text, nil
}

// wholeLine returns the bytes up to a newline or the end, and not many more than a
// line may have.
func (r *changeReader) wholeLine() (text []byte, err error) {
	for len(text) <= maxChanges {
		part, err := r.in.ReadSlice('\n')
		text = append(text, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF):
			r.end = true
			return text, nil
		}
		return text, err
	}
	return text, nil
}
