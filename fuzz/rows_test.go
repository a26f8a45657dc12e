package fuzz

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/recovery"
	"github.com/vlogdb/vlog/wal"
)

// The rows of docs/CRASH.md that opening after a crash must have met.
var rows = []string{
	"create: no FORMAT",
	"p1: no flag, backup torn",
	"p1: no flag, backup whole",
	"p3: flag does not parse",
	"p3: flag, whole backup",
	"p4: flag, new name, nothing gone yet",
	"p5: flag, some of what goes is gone",
	"p5: flag, all that goes is gone",
	"c1: copy there, tail there, no flag",
	"c2: truncate without its flag, tail there",
	"c3: flag, tail there",
	"c4: flag, tail cut",
	"c5: truncate without its flag, tail cut",
	"c7: unproven frames written again",
	"c7: seal torn",
}

// demand fails where a row was not met.
func (x *explorer) demand(names ...string) {
	for _, name := range names {
		if x.rows[name] == 0 {
			x.t.Errorf("never met: %s", name)
		}
	}
}

func (x *explorer) row(format string, args ...any) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.rows[fmt.Sprintf(format, args...)]++
}

// before is what a disk showed before it was opened.
type before struct {
	fs               vfs.FS
	truncate, raised bool
	kept             map[string]bool
}

// note says which rows of the promotion a disk stands in before it is opened.
func (x *explorer) note(mem *vfs.Mem) before {
	fs := mem.Reopen()
	if _, ok := readFile(fs, "FORMAT"); !ok {
		x.row("create: no FORMAT")
	}
	flag, hasFlag := readFile(fs, "log/recover")
	_, hasBackup := readFile(fs, checkpoint.Backup)
	whole := hasBackup && isWhole(fs)
	switch {
	case hasFlag && !json.Valid(flag):
		x.row("p3: flag does not parse")
	case hasFlag && hasBackup && whole:
		x.row("p3: flag, whole backup")
	case hasFlag && !hasBackup:
		x.row("%s", dropped(fs))
	case hasBackup && whole:
		x.row("p1: no flag, backup whole")
	case hasBackup:
		x.row("p1: no flag, backup torn")
	}
	b := before{fs: fs, kept: map[string]bool{}}
	_, b.truncate = readFile(fs, "log/truncate")
	_, b.raised = readFile(fs, "log/truncate_flag")
	entries, err := fs.ReadDir("log/error")
	for i := 0; err == nil && i < len(entries); i++ {
		b.kept["log/error/"+entries[i].Name] = true
	}
	return b
}

// isWhole says whether log/backup is a checkpoint of the store that verifies.
func isWhole(fs vfs.FS) bool {
	format, err := recovery.ReadFormat(fs)
	if err != nil {
		return false
	}
	store, err := format.Store()
	if err != nil {
		return false
	}
	_, err = checkpoint.Verify(fs, checkpoint.Backup, store)
	return err == nil
}

// sealTorn says whether a tail that was cut begins as a seal does.
func sealTorn(fs vfs.FS, c *recovery.Cut) bool {
	tail, _ := readFile(fs, c.Kept)
	return strings.Contains(c.Why, "seal") || strings.HasPrefix(string(tail), `{"seal":`)
}

// dropped says how far p5 got, by the segments that are left.
func dropped(fs vfs.FS) string {
	var checkpoints, firsts, lasts []batch.Seq
	entries, err := fs.ReadDir("log")
	if err != nil {
		return err.Error()
	}
	format, err := recovery.ReadFormat(fs)
	if err != nil {
		return err.Error()
	}
	store, _ := format.Store()
	for _, e := range entries {
		if seq, ok := checkpoint.ParseName(e.Name); ok {
			checkpoints = append(checkpoints, seq)
		}
		if _, _, ok := wal.ParseSegment(e.Name); ok {
			seg, err := wal.Scan(context.Background(), wal.Place{FS: fs, Name: "log/" + e.Name, Store: store}, nil)
			if err != nil {
				return err.Error()
			}
			firsts, lasts = append(firsts, seg.Header.First), append(lasts, seg.Last)
		}
	}
	if len(checkpoints) < 2 {
		return "p4: flag, new name, nothing gone yet"
	}
	base, gone, goes := checkpoints[len(checkpoints)-2], firsts[0] > 1 && len(checkpoints) < 3, len(checkpoints) > 2
	for i := range firsts {
		goes = goes || lasts[i] <= base
		gone = gone || (i > 0 && firsts[i] > lasts[i-1]+1)
	}
	switch {
	case !goes:
		return "p5: flag, all that goes is gone"
	case gone:
		return "p5: flag, some of what goes is gone"
	}
	return "p4: flag, new name, nothing gone yet"
}

// noteReport says which rows an opening went through.
func (x *explorer) noteReport(b before, r engine.Report) {
	tail := "cut"
	if r.Cut != nil {
		tail = "there"
		if sealTorn(b.fs, r.Cut) {
			x.row("c7: seal torn")
		}
	}
	switch {
	case b.truncate && b.raised && r.Cut != nil:
		x.row("c3: flag, tail there")
	case b.truncate && b.raised:
		x.row("c4: flag, tail cut")
	case b.truncate:
		x.row("%s: truncate without its flag, tail %s", map[string]string{"there": "c2", "cut": "c5"}[tail], tail)
	case r.Cut != nil && b.kept[r.Cut.Kept]:
		x.row("c1: copy there, tail there, no flag")
	}
	if r.Rewritten > 0 {
		x.row("c7: unproven frames written again")
	}
}

func readFile(fs vfs.FS, name string) ([]byte, bool) {
	f, err := fs.Open(name, vfs.ReadOnly)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, false
	}
	b := make([]byte, st.Size)
	if _, err := f.ReadAt(b, 0); err != nil && err != io.EOF {
		return nil, false
	}
	return b, true
}

// listing shows a disk.
func listing(img *vfs.Image) string {
	var b strings.Builder
	fs := img.Mem(false)
	for _, dir := range []string{".", "log", "log/error"} {
		entries, err := fs.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			data, _ := readFile(fs, strings.TrimPrefix(dir+"/"+e.Name, "./"))
			fmt.Fprintf(&b, "  %s/%s %d\n", dir, e.Name, len(data))
		}
	}
	return b.String()
}
