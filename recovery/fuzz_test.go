package recovery

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/fuzz/cost"
	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// lockChain is the chain value that the line in LOCK tells.
func lockChain(t testing.TB, f files) checkpoint.Hex {
	t.Helper()
	note, err := readLock(f.disk(t))
	if check(t, err); note.Closed == nil {
		t.Fatalf("LOCK says nothing: %q", f[LockName])
	}
	return note.Closed.Chain
}

// known says whether an error is one that bytes on disk may cause.
func known(err error) bool {
	k := fault.KindOf(err)
	return k == fault.ErrCorrupt || k == fault.ErrForeign || k == fault.ErrIncompatible
}

// FuzzFormat reads any bytes as FORMAT, as they are or with a right checksum. What
// decodes is spelled again so that it decodes to the same.
func FuzzFormat(f *testing.F) {
	n := write(f, 1)
	f.Add([]byte(n.closed[FormatName]), false)
	f.Add([]byte(object(0, `"x"`, `"y"`, "", uuidOf(f, n.closed), "binary")), true)
	f.Add([]byte(object(7, "", "", `"z"`, "", "x")), true)
	f.Add([]byte(`{"format":0,"format":1}`), true)
	f.Add([]byte(`{}`), true)
	f.Fuzz(func(t *testing.T, b []byte, right bool) {
		if right {
			b = sealLine(bytes.Clone(b))
		}
		var got Format
		var err error
		cost.Within(t, openCost(len(b)), func() { got, err = decodeFormat(b) })
		if err != nil {
			if !known(err) {
				t.Fatal(err)
			}
			return
		}
		line, err := got.encode()
		if err != nil { // a time that JSON cannot spell
			return
		}
		again, err := decodeFormat(line)
		check(t, err)
		x, err := json.Marshal(got)
		check(t, err)
		y, err := json.Marshal(again)
		if check(t, err); !bytes.Equal(x, y) {
			t.Fatalf("%s\n%s", x, y)
		}
	})
}

// FuzzLock reads any bytes as LOCK: what does not check out says nothing.
func FuzzLock(f *testing.F) {
	n := write(f, 1)
	f.Add([]byte(n.closed[LockName]), false)
	f.Add([]byte(n.crashed[LockName]), false)
	f.Add([]byte(`{"store":"00","closed":{"seq":18446744073709551615,"chain":"","time":"2026-01-02T03:04:05Z"}}`), true)
	f.Add([]byte(`{"holder":{"pid":-1}}`), true)
	f.Fuzz(func(t *testing.T, b []byte, right bool) {
		if right {
			b = sealLine(bytes.Clone(b))
		}
		m := files{LockName: string(b)}.disk(t)
		var note lockNote
		var err error
		cost.Within(t, openCost(0), func() { note, err = readLock(m) })
		check(t, err)
		if (note.Holder != nil || note.Closed != nil) && (!anyLine(b, openLine) || len(b) > maxLock) {
			t.Fatalf("believed: %q", b)
		}
		if note.Holder != nil && note.Holder.Error() == "" {
			t.Fatal("a holder without words")
		}
	})
}

// anyLine says whether one line at least is as asked: each line of LOCK speaks for
// itself, so what lies before or behind a good one takes nothing from it.
func anyLine(b []byte, ok func([]byte) bool) bool {
	for line := range bytes.Lines(b) {
		if ok(line) {
			return true
		}
	}
	return false
}

// FuzzOpen puts any bytes in the place of one file of a closed store, or adds one
// of those that a crash may leave. Opening gives everything that was acknowledged,
// or an error that such bytes may cause and a disk that is as it was; never
// anything else. Check goes through the same bytes.
func FuzzOpen(f *testing.F) { fuzzOpen(f, wal.Binary) }

// FuzzOpenLines does the same with a store of lines.
func FuzzOpenLines(f *testing.F) { fuzzOpen(f, wal.NDJSON) }

func fuzzOpen(f *testing.F, codec wal.Codec) {
	n := novelIn(f, codec, 1)
	paths := append(n.closed.names(""), "log/durable", checkpoint.Backup, checkpoint.Recover, checkpoint.Truncate, checkpoint.TruncateFlag, "log/spare-1")
	backup, flag := n.backup(f, n.id, n.pic11)
	f.Add(uint8(0), []byte(n.closed[FormatName]))
	f.Add(uint8(4), []byte(n.closed[paths[5]]))
	f.Add(uint8(5), []byte(strings.ReplaceAll(n.closed[paths[5]], "\n", "\r\n")))
	f.Add(uint8(5), []byte(n.closed[paths[5]][:700]))
	f.Add(uint8(7), []byte(n.closed[paths[6]]))
	f.Add(uint8(8), []byte(n.crashed["log/durable"]))
	f.Add(uint8(9), []byte(backup))
	f.Add(uint8(10), []byte(flag))
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		path := paths[int(which)%len(paths)]
		g := n.closed.with(path, string(b))
		m := g.disk(t)
		var s *Store
		var err error
		cost.Within(t, openCost(len(b)), func() { s, err = Open(t.Context(), m.Reopen(), small(3)) })
		switch {
		case err == nil && (s.Picture.Seq() != 11 || !maps.Equal(contentOf(s.Picture), n.hist[11])):
			t.Fatalf("%s: opens at %v with %d keys", path, s.Picture.Seq(), s.Picture.Len())
		case err != nil && !known(err):
			t.Fatal(err)
		case err != nil:
			same(t, path, dump(t, m), g)
		}
		if _, err := Check(t.Context(), g.disk(t), CheckOptions{Now: now}, func(Finding) {}); err != nil && !known(err) {
			t.Fatal(err)
		}
		if r, err := Open(t.Context(), vfs.NewFail(g.disk(t), vfs.When(vfs.OnChange(), vfs.Always(fault.ErrReadOnly))), readOnly()); err == nil && !maps.Equal(contentOf(r.Picture), n.hist[r.Picture.Seq()]) {
			t.Fatalf("%s: read-only: opens at %v", path, r.Picture.Seq())
		}
	})
}
