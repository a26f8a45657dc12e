package recovery

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

func salvaged(t testing.TB, m *vfs.Mem, how SalvageOptions) (Salvaged, error) {
	t.Helper()
	return Salvage(t.Context(), m.Reopen(), small(7), how)
}

// damaged are stores that opening or checking complains of, and up to where what is
// left of them is good.
func damagedStores(t testing.TB, n, other *novel) map[string]struct {
	f    files
	last int
} {
	codec := n.codec
	five, seven, nine, eleven := codec.SegmentName(5), codec.SegmentName(7), codec.SegmentName(9), codec.SegmentName(11)
	c4, c8 := checkpoint.Name(4), checkpoint.Name(8)
	closed := n.closed
	spoilt := closed.with(c8, "junk")
	at7, at9, at11 := n.frames(t, closed, seven), n.frames(t, closed, nine), n.frames(t, closed, eleven)
	return map[string]struct {
		f    files
		last int
	}{
		"last segment missing":                       {closed.with(eleven, gone), 10},
		"first segment above the checkpoint missing": {closed.with(nine, gone), 8},
		"all segments missing":                       {closed.with(five, gone).with(seven, gone).with(nine, gone).with(eleven, gone), 8},
		"middle missing, older checkpoint":           {spoilt.with(seven, gone), 6},
		"first missing, older checkpoint":            {spoilt.with(five, gone), 4},
		"damage below the base":                      {closed.flip(seven, at7[0]+188), 11},
		"header below the base":                      {closed.flip(five, 20), 11},
		"older checkpoint damaged":                   {closed.flip(c4, 700), 11},
		"newest checkpoint damaged":                  {spoilt, 11},
		"checkpoint of another store":                {closed.with(c8, other.closed[c8]), 11},
		"renamed":                                    {closed.with(eleven, gone).with(codec.SegmentName(12), closed[eleven]), 10},
		"two swapped":                                {closed.with(nine, closed[eleven]).with(eleven, closed[nine]), 8},
		"last segment of another store":              {closed.with(eleven, other.closed[eleven]), 10},
		"last segment empty":                         {closed.with(eleven, ""), 10},
		"last segment of zeros":                      {closed.with(eleven, strings.Repeat("\x00", 1536)), 10},
		"last segment without its frames":            {closed.with(eleven, closed[eleven][:at11[0]]), 10},
		"middle segment cut":                         {closed.with(nine, closed[nine][:at9[0]+388]), 8},
		"seal of a middle segment lost":              {closed.with(nine, closed[nine][:at9[2]]), 11},
		"payload flipped":                            {closed.flip(nine, at9[0]+188), 8},
		"second payload of a segment flipped":        {closed.flip(nine, at9[1]+126), 9},
		"seal of a middle segment flipped":           {closed.flip(nine, at9[2]+64), 11},
		"first payload of the last segment flipped":  {closed.flip(eleven, at11[0]+188), 10},
		"bytes lost within a segment":                {closed.with(nine, closed[nine][:at9[0]+188]+closed[nine][at9[0]+195:]), 8},
		"bytes lost between two batches":             {closed.with(nine, closed[nine][:at9[1]]+closed[nine][at9[1]+3:]), 9},
		"bytes lost before the seal":                 {closed.with(nine, closed[nine][:at9[2]]+closed[nine][at9[2]+3:]), 11},
		"payload flipped after a crash":              {n.crashed.flip(nine, at9[0]+188), 8},
		"chain value of a segment":                   {n.rechained(t, eleven), 10},
		"chain value behind the checkpoint":          {n.rechained(t, nine), 8},
		"segment of the other codec":                 {closed.with(otherThan(n.codec).SegmentName(12), "{}\n"), 11},
		"last segment gone after a crash":            {n.crashed.with(eleven, gone), 10},
	}
}

// TestSalvage: what is left of a damaged store opens, checking finds nothing more to
// complain of, and every byte that was there before is still there somewhere.
func TestSalvage(t *testing.T) { both(t, testSalvage) }

func testSalvage(t *testing.T, codec wal.Codec) {
	n, other := novelIn(t, codec, 1), novelIn(t, codec, 2)
	for name, c := range damagedStores(t, n, other) {
		m := c.f.disk(t)
		plan, err := salvaged(t, m, SalvageOptions{DryRun: true})
		check(t, err)
		same(t, name+": rehearsed", dump(t, m), c.f)
		sum, err := salvaged(t, m, SalvageOptions{})
		check(t, err)
		if sum.Whole || int(sum.Last) != c.last || sum.Known < sum.Last || len(plan.Aside) != len(sum.Aside) || plan.Last != sum.Last {
			t.Errorf("%s: %+v, planned %+v", name, sum, plan)
		}
		after := dump(t, m)
		for _, a := range sum.Aside {
			if after[a.To] == "" && c.f[a.File][a.Offset:] != "" || after[a.To] != c.f[a.File][a.Offset:] {
				t.Errorf("%s: %+v is not what stood there", name, a)
			}
			if Classify(a.To, false) != ClassAside {
				t.Errorf("%s: %s is not known", name, a.To)
			}
		}
		again, err := salvaged(t, m, SalvageOptions{})
		check(t, err)
		opened := after.disk(t)
		s, err := Open(t.Context(), opened.Reopen(), small(9)) // ends the work, and deletes nothing either
		check(t, err)
		check(t, s.Writer.Close())
		dump(t, opened).haveAll(t, name, c.f)
		if !again.Whole || again.Last != sum.Last || again.First != sum.First {
			t.Errorf("%s: again: %+v, was %+v", name, again, sum)
		}
		n.opens(t, name, dump(t, m), c.last)
	}
}

// TestSalvageRefuses: nothing to stand on, nothing touched.
func TestSalvageRefuses(t *testing.T) { both(t, testSalvageRefuses) }

func testSalvageRefuses(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	c4, c8 := checkpoint.Name(4), checkpoint.Name(8)
	future := []byte(n.closed[c8])
	future[8] = 1
	for name, c := range map[string]struct {
		f    files
		kind *fault.Kind
	}{
		"no checkpoint":       {n.closed.with(c4, gone).with(c8, gone), fault.ErrCorrupt},
		"damaged checkpoints": {n.closed.with(c4, "junk").with(c8, "junk"), fault.ErrCorrupt},
		"no FORMAT":           {n.closed.with(FormatName, gone), fault.ErrNotStore},
		"FORMAT damaged":      {n.closed.flip(FormatName, 50), fault.ErrCorrupt},
		"a directory":         {n.closed.with(codec.SegmentName(13)+"/", ""), fault.ErrNotRegular},
	} {
		m := c.f.disk(t)
		_, err := salvaged(t, m, SalvageOptions{})
		wantKind(t, err, c.kind)
		same(t, name, dump(t, m).with(LockName, c.f[LockName]), c.f)
	}
	m := n.closed.disk(t)
	s, err := Open(t.Context(), m.Reopen(), small(3))
	check(t, err)
	for _, dry := range []bool{false, true} {
		_, err = salvaged(t, m, SalvageOptions{DryRun: dry})
		wantKind(t, err, fault.ErrLocked)
	}
	check(t, s.Lock.Close())
}

// TestSalvageWhole: a store that opens is left as it is.
func TestSalvageWhole(t *testing.T) { both(t, testSalvageWhole) }

func testSalvageWhole(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	for name, f := range map[string]files{"closed": n.closed, "crashed": n.crashed, "torn": tornTail(t, n.id, n.crashed.with(wal.DurableName, gone), codec.SegmentName(11))} {
		m := f.disk(t)
		sum, err := salvaged(t, m, SalvageOptions{})
		check(t, err)
		if !sum.Whole || sum.Last != 11 || sum.First != 5 || sum.Checkpoint != 8 || len(sum.Aside) != 0 {
			t.Errorf("%s: %+v", name, sum)
		}
		same(t, name, dump(t, m), f)
	}
}

// TestRescue: what checks out behind the damage is handed out, and counted.
func TestRescue(t *testing.T) { both(t, testRescue) }

func testRescue(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	nine := codec.SegmentName(9)
	var got []batch.Seq
	sum, err := salvaged(t, n.closed.flip(nine, n.frames(t, n.closed, nine)[0]+188).disk(t), SalvageOptions{DryRun: true, Rescued: func(e wal.Entry) error {
		got = append(got, e.Seq)
		if !strings.Contains(string(e.Payload), value(int(e.Seq))) {
			t.Errorf("%v is %q", e.Seq, e.Payload)
		}
		return nil
	}})
	check(t, err)
	if len(got) != 2 || got[0] != 10 || got[1] != 11 || sum.Aside[0].Batches != 1 || sum.Aside[1].Batches != 1 || sum.Known != 11 {
		t.Errorf("%v: %+v", got, sum)
	}
	stop := errors.New("stop")
	_, err = salvaged(t, n.closed.flip(nine, n.frames(t, n.closed, nine)[0]+188).disk(t), SalvageOptions{Rescued: func(wal.Entry) error { return stop }})
	if !errors.Is(err, stop) {
		t.Error(err)
	}
}

// TestRescueReady: what was rescued can be made durable before anything is changed, for
// nobody reads again what was set aside; where it cannot, nothing is.
func TestRescueReady(t *testing.T) { both(t, testRescueReady) }

func testRescueReady(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	nine := codec.SegmentName(9)
	f := n.closed.flip(nine, n.frames(t, n.closed, nine)[0]+188)
	m, got, stop := f.disk(t), 0, errors.New("no room for it")
	how := SalvageOptions{Rescued: func(wal.Entry) error { got++; return nil }, Ready: func() error {
		same(t, "ready", dump(t, m).with(LockName, f[LockName]), f)
		if got != 2 {
			t.Errorf("ready after %d", got)
		}
		return stop
	}}
	_, err := salvaged(t, m, how)
	if !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
	same(t, "not ready", dump(t, m), f)
}

// TestSalvageCrash crashes at every step of a salvage: another one goes on, or the
// store opens with what was to be kept. Nothing is ever lost.
func TestSalvageCrash(t *testing.T) { both(t, testSalvageCrash) }

func testSalvageCrash(t *testing.T, codec wal.Codec) {
	n, other := novelIn(t, codec, 1), novelIn(t, codec, 2)
	seen, images := map[[32]byte]bool{}, 0
	for name, c := range damagedStores(t, n, other) {
		m := c.f.tracked(t)
		m.OnOp(func(op vfs.Op) {
			for _, model := range vfs.Models() {
				m.Snapshot().Images(model, 8, func(img *vfs.Image) bool {
					if h := img.Hash(); !seen[h] {
						seen[h] = true
						images++
						n.goesOn(t, name+" / "+op.String()+" "+model.String(), img.Mem(false), c.f, c.last)
					}
					return !t.Failed()
				})
			}
		})
		_, err := salvaged(t, m, SalvageOptions{})
		check(t, err)
		m.OnOp(nil)
	}
	if images < 500 {
		t.Errorf("only %d images", images)
	}
}

// goesOn opens what a crash of a salvage left, with another salvage where it refuses.
func (n *novel) goesOn(t testing.TB, what string, m *vfs.Mem, was files, last int) {
	t.Helper()
	if s, err := Open(t.Context(), m.Reopen(), readOnly()); err != nil {
		if _, err := salvaged(t, m, SalvageOptions{}); err != nil {
			t.Errorf("%s: %v", what, err)
			return
		}
	} else if int(s.Picture.Seq()) != last || !maps.Equal(contentOf(s.Picture), n.hist[last]) {
		t.Errorf("%s: opens at %v, want #%d", what, s.Picture.Seq(), last)
		return
	}
	if _, err := salvaged(t, m, SalvageOptions{}); err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	dump(t, m).haveAll(t, what, was)
	n.opens(t, what, dump(t, m), last)
}

// haveAll fails where something of the segments that were there is nowhere any more.
func (f files) haveAll(t testing.TB, what string, was files) {
	t.Helper()
	for path, data := range was {
		if strings.HasPrefix(path, "log/0") && !f.have(data) {
			t.Errorf("%s: what was in %s has gone", what, path)
		}
	}
}

// have says whether data is still there: as a file or the beginning of one, or its
// end as a file and what was before that as the beginning of another.
func (f files) have(data string) bool {
	for _, end := range f {
		if strings.HasPrefix(end, data) {
			return true
		}
		front, ok := strings.CutSuffix(data, end)
		if !ok || end == "" {
			continue
		}
		for _, file := range f {
			if strings.HasPrefix(file, front) {
				return true
			}
		}
	}
	return false
}

// TestSalvageEnds: the context ends a salvage before anything was changed.
func TestSalvageEnds(t *testing.T) { both(t, testSalvageEnds) }

func testSalvageEnds(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	f := n.closed.flip(codec.SegmentName(9), n.frames(t, n.closed, codec.SegmentName(9))[0]+188)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m := f.disk(t)
	_, err := Salvage(ctx, m.Reopen(), small(1), SalvageOptions{})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	same(t, "ended", dump(t, m), f)
}
