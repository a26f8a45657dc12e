package recovery

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// TestCrashInGroups appends groups of several batches, some shorter and some far longer
// than a sector, one behind another before a sync or each synced; a write fails in the
// middle and is taken back. After each operation of that, and of every second opening
// of what it left, the disk crashes in every way: a prefix of what was appended is
// there, and all that was synced.
func TestCrashInGroups(t *testing.T) { both(t, testCrashInGroups) }

func testCrashInGroups(t *testing.T, codec wal.Codec) {
	g := &groups{T: t, seen: map[[32]byte]bool{}}
	m := vfs.NewMem(vfs.MemOptions{Track: true})
	short := false
	opts := making(codec, 1)
	opts.SegmentSize = 6 << 10
	s, err := Open(t.Context(), vfs.NewFail(m.Reopen(), vfs.When(func(op vfs.Op) bool { return short && op.Kind == vfs.OpWrite }, vfs.Always(vfs.Short(fault.ErrNoSpace)))), opts)
	check(t, err)
	g.author = &author{t: t, fs: m, s: s, edit: state.NewEdit(s.Picture), keep: content{}}
	g.hist = []content{{}}
	m.OnOp(func(op vfs.Op) { g.crash(m, op.String()) })
	for round, sizes := range [][]int{{1, 2, 3}, {700}, {1, 900, 1}, {300, 300, 300, 300}, {0}, {2000, 1}, {5, 5}} {
		if round == 3 { // half of a group reaches the file and is taken back
			short = true
			g.refused([]int{200, 400, 600})
			short = false
		}
		g.add(sizes)
		if round%3 != 1 {
			check(t, g.author.s.Writer.Sync(t.Context()))
			g.synced = g.author.last
		}
	}
	g.author.close()
	m.OnOp(nil)
	if t.Logf("%d images opened", len(g.seen)); len(g.seen) < 600 {
		t.Errorf("only %d images", len(g.seen))
	}
}

// groups is a log under test, with what it holds after each batch.
type groups struct {
	*testing.T
	author *author
	hist   []content
	synced batch.Seq
	asked  batch.Seq
	seen   map[[32]byte]bool
}

// records makes a group of batches of one put each.
func (g *groups) records(sizes []int) (recs []batch.Record, after []content) {
	now := g.hist[len(g.hist)-1]
	for i, n := range sizes {
		key, value := fmt.Sprint("key", (int(g.author.last)+i)%5), fmt.Sprint(g.author.last, i, strings.Repeat("v", n))
		recs = append(recs, record(g, &batch.Batch{Counter: uint64(g.author.last) + 1 + uint64(i), Ops: []batch.Op{putOp(key, value)}}))
		now = maps.Clone(now)
		now[key] = value
		after = append(after, now)
	}
	return recs, after
}

func (g *groups) add(sizes []int) {
	recs, after := g.records(sizes)
	g.hist, g.asked = append(g.hist, after...), g.author.last+batch.Seq(len(recs))
	last, err := g.author.s.Writer.Append(g.Context(), g.author.last, recs)
	check(g, err)
	for i, r := range recs {
		pos := g.author.edit.Picture().Position()
		var b batch.Batch
		check(g, batch.Decode(&b, r.Payload))
		g.author.edit.Apply(&b, state.Position{Seq: g.author.last + 1 + batch.Seq(i), Time: r.Time, Chain: pos.Chain.Next(r.Hash)})
	}
	g.author.last = last
}

// refused appends a group that finds no space: some of it may be there only while it
// is taken back.
func (g *groups) refused(sizes []int) {
	recs, after := g.records(sizes)
	was := g.hist
	g.hist, g.asked = append(g.hist[:len(g.hist):len(g.hist)], after...), g.author.last+batch.Seq(len(recs))
	_, err := g.author.s.Writer.Append(g.Context(), g.author.last, recs)
	wantKind(g, err, fault.ErrNoSpace)
	g.hist, g.asked = was, g.author.last
}

// crash opens each disk that a crash may leave now, and some of them crash again.
func (g *groups) crash(m *vfs.Mem, what string) {
	for _, model := range vfs.Models() {
		m.Snapshot().Images(model, 40, func(img *vfs.Image) bool {
			if h := img.Hash(); !g.seen[h] {
				g.seen[h] = true
				g.open(img, what+", "+model.String(), len(g.seen)%20 == 0)
			}
			return !g.Failed()
		})
	}
}

// open opens a disk, and where it is to be done again crashes that too.
func (g *groups) open(img *vfs.Image, what string, again bool) {
	m := img.Mem(again)
	last := g.holds(m, what, g.synced)
	if !again {
		return
	}
	g.reopen(img.Mem(true), what, last)
	failed := img.Mem(true) // a sync had failed, too
	for _, f := range dump(g, failed).segments() {
		check(g, failed.DropDirty(f))
	}
	g.reopen(failed, what+", pages marked clean", last)
}

// reopen crashes while a disk is opened, and behind that: what was shown stays,
// whatever the power cut takes.
func (g *groups) reopen(second *vfs.Mem, what string, last batch.Seq) {
	second.OnOp(func(op vfs.Op) {
		for _, model := range vfs.Models() {
			second.Snapshot().Images(model, 3, func(img *vfs.Image) bool {
				g.holds(img.Mem(false), fmt.Sprint(what, ", then ", op, ", ", model), g.synced)
				return !g.Failed()
			})
		}
	})
	s, err := Open(g.Context(), second, small(8))
	check(g, err)
	second.OnOp(nil)
	for _, model := range vfs.Models() {
		second.Snapshot().Images(model, 20, func(img *vfs.Image) bool {
			if got := g.holds(img.Mem(false), fmt.Sprint(what, ", opened, ", model), s.Picture.Seq()); got != last {
				g.Errorf("%s: #%d was shown, then #%d", what, last, got)
			}
			return !g.Failed()
		})
	}
}

// holds opens a disk: it ends between what was synced and what was appended, with
// exactly that; checking finds nothing behind it.
func (g *groups) holds(m *vfs.Mem, what string, least batch.Seq) batch.Seq {
	s, err := Open(g.Context(), m.Reopen(), small(9))
	if err != nil {
		g.Fatalf("%s: %v", what, err)
	}
	last := s.Picture.Seq()
	if last < least || last > g.asked || !maps.Equal(contentOf(s.Picture), g.hist[last]) {
		g.Fatalf("%s: opens at %v with %d keys; synced %v, asked %v", what, last, len(contentOf(s.Picture)), least, g.asked)
	}
	p := s.Picture.Chain()
	check(g, errors.Join(s.Writer.Close(), Release(s.Lock, s.ID, Closed{Seq: last, Chain: p[:], Time: now()})))
	clean(g, what, m)
	return last
}
