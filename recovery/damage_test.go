package recovery

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// TestDamage: what was acknowledged and is not there, or not as it was written, is
// an error that names it, and changes nothing.
func TestDamage(t *testing.T) { both(t, testDamage) }

func testDamage(t *testing.T, codec wal.Codec) {
	n, other := novelIn(t, codec, 1), novelIn(t, codec, 2)
	if n.id == other.id {
		t.Fatal("two stores have one id")
	}
	five, seven, nine, eleven := codec.SegmentName(5), codec.SegmentName(7), codec.SegmentName(9), codec.SegmentName(11)
	c4, c8 := checkpoint.Name(4), checkpoint.Name(8)
	closed := n.closed
	none := closed.with(c8, gone).with(c4, gone)
	spoilt := closed.with(c8, "junk")
	at9, at11 := n.frames(t, closed, nine)[0], n.frames(t, closed, eleven)[0]
	for name, c := range map[string]struct {
		f    files
		kind *fault.Kind
		path string
		seq  uint64
	}{
		"first segment above the checkpoint missing": {closed.with(nine, gone), fault.ErrCorrupt, nine, 9},
		"last segment missing":                       {closed.with(eleven, gone), fault.ErrCorrupt, "log", 11},
		"all segments missing":                       {closed.with(nine, gone).with(eleven, gone), fault.ErrCorrupt, "log", 9},
		"middle missing, older checkpoint":           {spoilt.with(seven, gone), fault.ErrCorrupt, seven, 7},
		"first missing, older checkpoint":            {spoilt.with(five, gone), fault.ErrCorrupt, five, 5},
		"no checkpoint":                              {none, fault.ErrCorrupt, codec.SegmentName(1), 1},
		"both checkpoints damaged":                   {spoilt.with(c4, "junk"), fault.ErrCorrupt, codec.SegmentName(1), 1},
		"nothing but damaged checkpoints":            {spoilt.with(c4, "junk").with(five, gone).with(seven, gone).with(nine, gone).with(eleven, gone), fault.ErrCorrupt, "log", 1},
		"checkpoint of another store":                {closed.with(c8, other.closed[c8]), fault.ErrForeign, c8, 0},
		"renamed":                                    {closed.with(eleven, gone).with(codec.SegmentName(12), closed[eleven]), fault.ErrCorrupt, eleven, 11},
		"under the name of another":                  {closed.with(eleven, closed[nine]), fault.ErrCorrupt, eleven, 0},
		"twice":                                      {closed.with(codec.SegmentName(12), closed[eleven]), fault.ErrCorrupt, codec.SegmentName(12), 0},
		"two swapped":                                {closed.with(nine, closed[eleven]).with(eleven, closed[nine]), fault.ErrCorrupt, nine, 0},
		"last segment of another store":              {closed.with(eleven, other.closed[eleven]), fault.ErrForeign, eleven, 0},
		"FORMAT of another store":                    {closed.with(FormatName, other.closed[FormatName]), fault.ErrForeign, c8, 0},
		"last segment empty":                         {closed.with(eleven, ""), fault.ErrCorrupt, eleven, 0},
		"last segment of zeros":                      {closed.with(eleven, strings.Repeat("\x00", 1536)), fault.ErrCorrupt, eleven, 0},
		"last segment without its frames":            {closed.with(eleven, closed[eleven][:at11]), fault.ErrCorrupt, eleven, 11},
		"last segment of zeros behind its header":    {closed.with(eleven, closed[eleven][:at11]+strings.Repeat("\x00", 1024)), fault.ErrCorrupt, eleven, 11},
		"middle segment cut":                         {closed.with(nine, closed[nine][:at9+388]), fault.ErrCorrupt, nine, 9},
		"payload flipped":                            {closed.flip(nine, at9+188), fault.ErrCorrupt, nine, 9},
		"header flipped":                             {closed.flip(nine, at9+8), fault.ErrCorrupt, nine, 9},
		"chain value of a segment":                   {n.rechained(t, eleven), fault.ErrCorrupt, eleven, 11},
		"chain value behind the checkpoint":          {n.rechained(t, nine), fault.ErrCorrupt, nine, 9},
		"checkpoint of another history":              {n.before.with(c8, forged(t, n)), fault.ErrCorrupt, seven, 8},
		"log/ missing":                               {files{FormatName: closed[FormatName], LockName: ""}, fault.ErrCorrupt, "log", 0},
	} {
		for _, opts := range []Options{small(5), readOnly()} {
			e := refuses(t, name, c.f, c.kind, opts)
			if e.At.Path != c.path || e.At.Seq != c.seq {
				t.Errorf("%s: %v, want it at %s #%d", name, e, c.path, c.seq)
			}
		}
	}
}

// rechained is a store one of whose segments was written by somebody who had other
// batches before it: a segment of an older copy, perhaps.
func (n *novel) rechained(t testing.TB, name string) files {
	t.Helper()
	m := n.closed.disk(t)
	h, err := wal.ReadHeader(m, name, n.id)
	check(t, err)
	var recs []batch.Record
	first, after := h.First, h.First
	_, err = wal.Scan(t.Context(), wal.Place{FS: m, Name: name, Store: n.id}, func(e wal.Entry, _ int64) error {
		r := batch.NewRecord([]byte(string(e.Payload)))
		r.Time = e.Time
		recs = append(recs, r)
		after = e.Seq
		return nil
	})
	check(t, err)
	d := files{"log/": ""}.disk(t)
	l, err := wal.Resume(d, wal.Options{Store: n.id, Codec: n.codec, SegmentSize: 1 << 20, Rand: counting(50), Now: func() int64 { return 1 }}, wal.Start{Last: first - 1, Chain: batch.Chain{66}})
	check(t, err)
	_, err = l.Append(t.Context(), first-1, recs)
	check(t, err)
	check(t, l.Close())
	if after != first+batch.Seq(len(recs))-1 {
		t.Fatal("not the same batches")
	}
	return n.closed.with(name, slurp(t, d, name))
}

// forged is a checkpoint of #8 that was taken of other batches than the log's.
func forged(t testing.TB, n *novel) string {
	t.Helper()
	e := state.NewEdit(state.Empty())
	e.Apply(&batch.Batch{Ops: []batch.Op{putOp("key", "other")}}, state.Position{Seq: 8, Chain: batch.Chain{66}})
	file, _ := n.backup(t, n.id, e.Picture())
	return file
}

// TestOlderCheckpoint: where the newest checkpoint does not verify, opening goes
// back to the one before and says so.
func TestOlderCheckpoint(t *testing.T) { both(t, testOlderCheckpoint) }

func testOlderCheckpoint(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	c8 := checkpoint.Name(8)
	good := n.closed[c8]
	for name, c := range map[string]struct {
		data string
		kind *fault.Kind
	}{
		"flipped":        {n.closed.flip(c8, 600)[c8], fault.ErrCorrupt},
		"torn":           {good[:len(good)-3], fault.ErrCorrupt},
		"empty":          {"", fault.ErrCorrupt},
		"the older one":  {n.closed[checkpoint.Name(4)], fault.ErrCorrupt},
		"bytes behind":   {good + "x", fault.ErrCorrupt},
		"not one at all": {"junk", fault.ErrCorrupt},
	} {
		for where, f := range map[string]files{"closed": n.closed, "crashed": n.crashed} {
			r := n.opens(t, name+" "+where, f.with(c8, c.data), 11)
			if len(r.Skipped) != 1 || r.Skipped[0].Seq != 8 || fault.KindOf(r.Skipped[0].Cause) != c.kind || r.Checkpoint != 4 || r.Replayed != 7 || r.Clean {
				t.Errorf("%s %s: %+v", name, where, r)
			}
		}
	}
	if r := n.opens(t, "missing", n.closed.with(c8, gone), 11); r.Checkpoint != 4 || len(r.Skipped) != 0 {
		t.Errorf("%+v", r)
	}
	if r := n.opens(t, "the older one damaged", n.closed.with(checkpoint.Name(4), "junk"), 11); r.Checkpoint != 8 || len(r.Skipped) != 0 {
		t.Errorf("%+v", r)
	}
}

// TestDamagedCheckpointProves: the name of a checkpoint says that its batches were
// acknowledged. Where it is damaged and the log does not have them, that is an
// error, though nothing else remembers: not an emptier store.
func TestDamagedCheckpointProves(t *testing.T) { both(t, testDamagedCheckpointProves) }

func testDamagedCheckpointProves(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	f := files{FormatName: n.closed[FormatName], "log/": ""}
	c8 := checkpoint.Name(8)
	for name, g := range map[string]files{
		"alone":                  f.with(c8, n.closed[c8][:600]),
		"above an older one":     f.with(c8, "junk").with(checkpoint.Name(4), n.closed[checkpoint.Name(4)]),
		"with some of the log":   f.with(c8, "junk").with(checkpoint.Name(4), n.closed[checkpoint.Name(4)]).with(codec.SegmentName(5), n.closed[codec.SegmentName(5)]),
		"with an unsealed log":   f.with(c8, "junk").with(checkpoint.Name(4), n.closed[checkpoint.Name(4)]).with(codec.SegmentName(5), n.closed[codec.SegmentName(5)][:n.frames(t, n.closed, codec.SegmentName(5))[1]]),
		"newer than all the log": n.closed.with(checkpoint.Name(12), "junk"),
	} {
		refuses(t, name, g.with(LockName, ""), fault.ErrCorrupt, small(5))
		refuses(t, name, g.with(LockName, ""), fault.ErrCorrupt, readOnly())
	}
}

// TestLOCKProves: the line that a clean close leaves says how far the log reached.
// The same disk without it is a store that ends earlier.
func TestLOCKProves(t *testing.T) { both(t, testLOCKProves) }

func testLOCKProves(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	eleven := codec.SegmentName(11)
	short := n.closed.with(eleven, gone)
	e := refuses(t, "LOCK", short, fault.ErrCorrupt, small(5))
	if !strings.Contains(e.Error(), LockName) || !strings.Contains(e.Error(), "#11") {
		t.Error(e)
	}
	n.opens(t, "no line in LOCK", short.with(LockName, ""), 10)
	n.opens(t, "a damaged line", short.flip(LockName, 20), 10)
	other := short.with(LockName, novelIn(t, codec, 2).closed[LockName])
	n.opens(t, "LOCK of another store", other, 10)
	refuses(t, "LOCK, read only", short, fault.ErrCorrupt, readOnly())
	s, err := Open(t.Context(), other.disk(t), readOnly()) // which leaves LOCK as it stands
	if check(t, err); s.Picture.Seq() != 10 {
		t.Errorf("LOCK of another store, read only: opens at %v", s.Picture.Seq())
	}
	crashed := n.crashed.with(eleven, gone)
	e = refuses(t, "log/durable", crashed, fault.ErrCorrupt, small(5))
	if !strings.Contains(e.Error(), wal.DurableName) {
		t.Error(e)
	}
	n.opens(t, "no log/durable", crashed.with(wal.DurableName, gone), 10)
}

// TestBelowTheCheckpoint: segments that only history needs are not read by opening;
// a reader of history is told, and so is whoever checks.
func TestBelowTheCheckpoint(t *testing.T) { both(t, testBelowTheCheckpoint) }

func testBelowTheCheckpoint(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	five, seven := codec.SegmentName(5), codec.SegmentName(7)
	for name, f := range map[string]files{"one missing": n.closed.with(seven, gone), "one damaged": n.closed.flip(seven, n.frames(t, n.closed, seven)[0]+188)} {
		m := f.disk(t)
		s, err := Open(t.Context(), m, small(5))
		check(t, err)
		var seqs []batch.Seq
		for e, e2 := range s.Log.Read(t.Context(), 5) {
			if err = e2; err == nil {
				seqs = append(seqs, e.Seq)
			}
		}
		if wantKind(t, err, fault.ErrCorrupt); fmt.Sprint(seqs) != "[#5 #6]" {
			t.Errorf("%s: read %v", name, seqs)
		}
		found := findings(t, f)
		if len(found) != 1 || found[0].File != seven || found[0].Severity != SeverityError || found[0].Seq != 7 || found[0].Affects != "batches #7 to #8" && found[0].Affects != "batch #7" {
			t.Errorf("%s: %+v", name, found)
		}
	}
	if found := findings(t, n.closed.with(five, gone)); len(found) != 1 || found[0].Kind != "missing" || found[0].File != five {
		t.Errorf("%+v", found)
	}
}

func findings(t testing.TB, f files) (all []Finding) {
	t.Helper()
	sum, err := Check(t.Context(), f.disk(t), CheckOptions{Now: now}, func(f Finding) { all = append(all, f) })
	check(t, err)
	errors := 0
	for _, f := range all {
		if f.Severity == SeverityError {
			errors++
		}
		if f.File == "" || f.Kind == "" || f.Detail == "" || f.Affects == "" {
			t.Errorf("says too little: %+v", f)
		}
	}
	if sum.Errors != errors || sum.Warnings != len(all)-errors {
		t.Errorf("%+v for %d findings", sum, len(all))
	}
	return all
}

// TestBatchThatIsNone: a frame that checks out and holds no batch names its file.
func TestBatchThatIsNone(t *testing.T) { both(t, testBatchThatIsNone) }

func testBatchThatIsNone(t *testing.T, codec wal.Codec) {
	for name, c := range map[string]struct {
		rec  batch.Record
		kind *fault.Kind
	}{
		"junk":                       {batch.NewRecord([]byte("junk")), fault.ErrCorrupt},
		"an encoding of the future":  {batch.NewRecord([]byte("\x02" + strings.Repeat("\x00", 30))), fault.ErrIncompatible},
		"a reference to another one": {batch.Record{Payload: batch.AppendRef(nil, batch.Ref{Length: 9}), Sum: batch.Sum(batch.AppendRef(nil, batch.Ref{Length: 9})), Flags: batch.FlagRef}, fault.ErrIncompatible},
	} {
		m := files{}.disk(t)
		a := begin(t, m, making(codec, 1))
		a.put("a", "b")
		_, err := a.s.Writer.Append(t.Context(), 1, []batch.Record{c.rec})
		check(t, err)
		check(t, a.s.Writer.Sync(t.Context()))
		e := refuses(t, name, dump(t, m), c.kind, small(2))
		if e.At.Path != codec.SegmentName(1) || e.At.Offset == 0 || e.At.Seq != 2 {
			t.Errorf("%s: %v", name, e)
		}
	}
}

// TestUnsealedInTheMiddle: a segment that lost its seal is no torn tail where a newer
// one stands behind it, nor where it ends below the checkpoint, whatever LOCK says.
func TestUnsealedInTheMiddle(t *testing.T) { both(t, testUnsealedInTheMiddle) }

func testUnsealedInTheMiddle(t *testing.T, codec wal.Codec) {
	n := novelIn(t, codec, 1)
	nobody := n.closed.with(LockName, "")
	seven, nine, eleven := codec.SegmentName(7), codec.SegmentName(9), codec.SegmentName(11)
	noSeal := func(name string) string {
		offs := n.frames(t, n.closed, name)
		return n.closed[name][:offs[len(offs)-1]] + strings.Repeat("\x00", vfs.SectorSize)
	}
	e := refuses(t, "a newer segment", nobody.with(nine, noSeal(nine)), fault.ErrCorrupt, small(5))
	if e.At.Path != nine || !strings.Contains(e.Error(), "newer segment") {
		t.Error(e)
	}
	e = refuses(t, "a checkpoint", nobody.with(nine, gone).with(eleven, gone).with(seven, n.closed[seven][:n.frames(t, n.closed, seven)[0]+88]), fault.ErrCorrupt, small(5))
	if e.At.Path != seven || e.At.Seq != 7 {
		t.Error(e)
	}
}
