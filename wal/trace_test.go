package wal

import (
	"strings"
	"testing"

	"github.com/vlogdb/vlog/internal/vfs"
)

// TestTraces: the order in which the log changes the disk is its promise. Each part
// of its life has one golden file.
func TestTraces(t *testing.T) {
	var trace vfs.Trace
	r := newRig(t, vfs.NewLog(mem(), trace.Record), sparing(2))
	done := func(name string) {
		t.Helper()
		golden(t, name+".trace", trace.String())
		trace.Reset()
	}
	done("resume")
	r.put("one")
	done("first-append")
	r.put("two", "three")
	done("append")
	check(t, r.Prepare(t.Context(), nil))
	done("prepare")
	r.put(strings.Repeat("x", 2000)) // fits no more
	done("rotate")
	check(t, r.Rotate(t.Context()))
	r.fill(3)
	check(t, r.Rotate(t.Context()))
	trace.Reset()
	check(t, r.Trim(t.Context(), 8)) // one small segment, one of three quarters, one full
	done("trim")
	r.put("nine")
	done("append-recycled")
	check(t, r.Close())
	done("close")
}

// TestTraceGrow: a file that was not prepared gets zeros ahead of its end, with the
// group that makes it longer; the next ones change no metadata.
func TestTraceGrow(t *testing.T) {
	var trace vfs.Trace
	opts := tiny(Binary)
	opts.Grow = 1024
	r := newRig(t, vfs.NewLog(mem(), trace.Record), opts)
	for range 4 {
		r.put("x")
	}
	check(t, r.Close())
	golden(t, "grow.trace", trace.String())
}
