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

// maxBatchLine bounds a line with a batch, which spells a byte with up to six. Anything
// else that is longer than maxChanges is not read any further.
const maxBatchLine = 8 * maxChanges

// changeReader reads changes line by line.
type changeReader struct {
	in       *bufio.Reader
	line     int
	end      bool
	settings []int // lines with a setting of a store, which is left out
}

// next returns the changes of the next transaction: of up to n lines, or of all for n = 0.
// It may be none, where the lines have none. Behind the last line it is io.EOF.
func (r *changeReader) next(ctx context.Context, n int) ([]step, error) {
	var steps []step
	size, lines := 0, 0
	for !r.end && (n == 0 || lines < n) {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		some, blank, err := r.parse()
		if err != nil {
			return nil, err
		}
		if blank {
			continue
		}
		lines++
		for _, s := range some {
			steps = append(steps, s)
			if size += len(s.key) + len(s.value); size > maxChanges {
				return nil, tooMany(len(steps))
			}
		}
	}
	if lines == 0 {
		return nil, io.EOF
	}
	return steps, nil
}

// parse reads the next line, and says of one where nothing stands that it is blank.
func (r *changeReader) parse() (steps []step, blank bool, err error) {
	text, err := r.readLine()
	if err != nil {
		return nil, false, err
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, true, nil
	}
	all, err := parseLine(text)
	if err != nil {
		return nil, false, &badLine{r.line, err}
	}
	for _, s := range all {
		if s.setting {
			r.settings = append(r.settings, r.line)
			continue
		}
		s.line = r.line
		steps = append(steps, s)
	}
	return steps, false, nil
}

// byteOrderMark is what some systems put before text.
const byteOrderMark = "\ufeff"

// readLine returns the next line; a last one needs no newline.
func (r *changeReader) readLine() ([]byte, error) {
	text, err := r.wholeLine()
	if r.line++; err != nil {
		return nil, err
	}
	if len(text) > lineLimit(text) {
		return nil, &badLine{r.line, errors.New("longer than " + size(int64(lineLimit(text))))}
	}
	if r.line == 1 {
		text = bytes.TrimPrefix(text, []byte(byteOrderMark))
	}
	return text, nil
}

// wholeLine returns the bytes up to a newline or the end, and not many more than a
// line may have.
func (r *changeReader) wholeLine() (text []byte, err error) {
	for len(text) <= maxChanges || len(text) <= lineLimit(text) {
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

// lineLimit is how long a line may be that begins so.
func lineLimit(text []byte) int {
	head := bytes.TrimLeft(text[:min(len(text), 100)], " \t\r\n{"+byteOrderMark)
	for _, name := range batchNames {
		if bytes.HasPrefix(head, []byte(`"`+name+`"`)) {
			return maxBatchLine
		}
	}
	return maxChanges
}
