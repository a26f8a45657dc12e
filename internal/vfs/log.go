package vfs

import (
	"io"
	"strings"
	"sync"

	"github.com/vlogdb/vlog/internal/fault"
)

// Log is an FS that records every operation after it was carried out.
type Log struct{ wrap }

var _ FS = (*Log)(nil)

// NewLog wraps fs so that record hears of every operation and how it ended, in
// the goroutine that made it. A *Trace records as text.
func NewLog(fs FS, record func(op Op, err error)) *Log {
	l := &Log{}
	l.fs = fs
	l.around = func(op Op, do func(op Op) error) error {
		err := do(op)
		record(op, err)
		return err
	}
	return l
}

// Trace is a record of operations as text, one line for each, for golden files:
//
//	create log/0001.vlog
//	write log/0001.vlog 512+1024
//	sync log/0001.vlog: IO
//
// A line ends in the code of the error where there was one. The zero value is
// empty and leaves out what only reads. It may be used from any goroutine.
type Trace struct {
	Reads bool // record also what only reads

	mu    sync.Mutex // guards lines
	lines strings.Builder
}

// Record adds a line; give it to NewLog.
func (t *Trace) Record(op Op, err error) {
	if op.Kind.Reads() && !t.Reads {
		return
	}
	line := op.String()
	if err != nil && err != io.EOF {
		line += ": " + codeOf(err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines.WriteString(line + "\n")
}

func codeOf(err error) string {
	if k := fault.KindOf(err); k != nil {
		return k.Code()
	}
	return err.Error()
}

// Note adds a line of the caller's own, to say what the following is about.
func (t *Trace) Note(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines.WriteString(line + "\n")
}

// String returns the lines so far.
func (t *Trace) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lines.String()
}

// Reset forgets the lines so far.
func (t *Trace) Reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines.Reset()
}
