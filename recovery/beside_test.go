package recovery

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// onlookers look at a disk after every operation of those who write to it.
type onlookers struct {
	t     *testing.T
	m     *vfs.Mem
	what  string
	hist  []content // by seq: what the store holds, or is about to
	acked batch.Seq

	reader *Store      // opened early, and never again
	at     batch.Seq   // that it showed
	eager  *onlooker   // a follower that looks each time
	lazy   *onlooker   // one that looks now and then, and is overtaken
	late   int         // how often that was
	shown  batch.Seq   // newest that anybody was shown in this boot
	ops    int         // seen so far
	after  []vfs.Model // crashes to try
}

// onlooker is a follower that is made to look by hand.
type onlooker struct {
	sight  *sight
	cursor *wal.Cursor
	next   batch.Seq
	chain  batch.Chain
}

func newOnlooker(home wal.Home, from batch.Seq) *onlooker {
	return &onlooker{sight: newSight(home), cursor: wal.NewCursor(home, from), next: from}
}

// look reads on; what it gets has no gap and nothing twice.
func (o *onlooker) look(t *testing.T, what string) (limit batch.Seq, err error) {
	t.Helper()
	limit, err = o.sight.Limit(t.Context())
	check(t, err)
	err = o.cursor.To(t.Context(), limit, func(e wal.Entry) error {
		if e.Seq != o.next || o.chain != (batch.Chain{}) && e.Chain != o.chain.Next(batch.Hash(e.Payload)) {
			t.Fatalf("%s: got %v, want %v, or the chain broke", what, e.Seq, o.next)
		}
		o.next, o.chain = e.Seq+1, e.Chain
		return nil
	})
	return limit, err
}

// right checks a picture that somebody was shown.
func (o *onlookers) right(who string, p *state.Picture, err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatalf("%s: %s: %v", o.what, who, err)
	}
	if p.Seq() < o.acked || int(p.Seq()) >= len(o.hist) || !maps.Equal(contentOf(p), o.hist[p.Seq()]) {
		o.t.Fatalf("%s: %s shows %v: acknowledged is %v, asked for %d", o.what, who, p.Seq(), o.acked, len(o.hist)-1)
	}
	o.shown = max(o.shown, p.Seq())
}

// look is called after every operation.
func (o *onlookers) look(op vfs.Op) {
	o.t.Helper()
	o.ops++
	o.what = fmt.Sprintf("operation %d, %v", o.ops, op)
	if o.reader == nil {
		s, err := Open(o.t.Context(), o.m.Reopen(), readOnly())
		if errors.Is(err, fault.ErrNotStore) && o.acked == 0 {
			return // not yet one
		}
		check(o.t, err)
		o.reader, o.eager, o.lazy = s, newOnlooker(s.home(), 1), newOnlooker(s.home(), 1)
	}
	p, err := o.reader.Reader.Now(o.t.Context())
	o.right("the reader", p, err)
	if p.Seq() < o.at {
		o.t.Fatalf("%s: went back from %v to %v", o.what, o.at, p.Seq())
	}
	o.at = p.Seq()
	s, err := Open(o.t.Context(), o.m.Reopen(), readOnly())
	check(o.t, err)
	o.right("a new reader", s.Picture, nil)
	if s.Picture.Seq() < o.at {
		o.t.Fatalf("%s: a new reader shows %v, an old one %v", o.what, s.Picture.Seq(), o.at)
	}
	check(o.t, s.Reader.Close())
	limit, err := o.eager.look(o.t, o.what)
	if check(o.t, err); o.eager.next != limit+1 || limit < o.acked {
		o.t.Fatalf("%s: followed up to %v of %v", o.what, o.eager.next-1, limit)
	}
	o.shown = max(o.shown, limit)
	o.lag()
	for _, model := range o.after {
		o.crash(model)
	}
}

// lag lets the lazy follower look now and then.
func (o *onlookers) lag() {
	if o.ops%37 != 0 {
		return
	}
	_, err := o.lazy.look(o.t, o.what)
	if err == nil {
		return
	}
	wantKind(o.t, err, fault.ErrCompacted)
	first, _, _, err := o.reader.Log.Bounds(o.t.Context())
	if check(o.t, err); first <= o.lazy.next {
		o.t.Fatalf("%s: %v is no longer kept, and the log begins at %v", o.what, o.lazy.next, first)
	}
	o.late++
	o.lazy = newOnlooker(o.reader.home(), first)
}

// crash opens what a crash at this moment leaves: all that was shown is there.
func (o *onlookers) crash(model vfs.Model) {
	o.m.Snapshot().Images(model, 3, func(img *vfs.Image) bool {
		m := img.Mem(false)
		r, err := Open(o.t.Context(), m.Reopen(), readOnly())
		if errors.Is(err, fault.ErrNotStore) && o.shown == 0 {
			return true // not yet one
		}
		if err != nil {
			o.t.Fatalf("%s, %v: read-only: %v", o.what, model, err)
		}
		check(o.t, r.Reader.Close())
		if _, last, chain, err := r.Log.Bounds(o.t.Context()); err != nil || last != r.Picture.Seq() || chain != r.Picture.Chain() {
			o.t.Fatalf("%s, %v: read-only shows %v, its log ends at %v %v", o.what, model, r.Picture.Seq(), last, err)
		}
		s, err := Open(o.t.Context(), m.Reopen(), small(9))
		if err != nil {
			o.t.Fatalf("%s, %v: %v", o.what, model, err)
		}
		last := s.Picture.Seq()
		if last < o.shown || last < r.Picture.Seq() || !maps.Equal(contentOf(s.Picture), o.hist[last]) {
			o.t.Fatalf("%s, %v: shown was %v, read-only shows %v, and opening finds %v", o.what, model, o.shown, r.Picture.Seq(), last)
		}
		if !maps.Equal(contentOf(r.Picture), o.hist[r.Picture.Seq()]) {
			o.t.Fatalf("%s, %v: read-only shows another %v", o.what, model, r.Picture.Seq())
		}
		return true
	})
}

// put writes a batch that the onlookers may see from its first operation on.
func (o *onlookers) put(a *author, key, value string) {
	next := maps.Clone(a.keep)
	next[key] = value
	o.hist = append(o.hist[:a.last+1], next)
	a.put(key, value)
	o.acked = a.last
}

// checkpoint writes one; with amid the log has gone on in a new segment by then, and
// goes on there.
func (o *onlookers) checkpoint(a *author, amid bool) {
	if amid {
		check(o.t, a.s.Writer.Rotate(o.t.Context()))
		o.put(a, "amid", fmt.Sprint(a.last))
		p := checkpoint.Promoter{FS: a.s.FS, Store: a.s.ID, Now: func() int64 { return now().UnixNano() }, Trim: a.s.Writer.Trim, Known: a.s.Known}
		_, err := p.Run(o.t.Context(), a.edit.Picture())
		check(o.t, err)
		o.put(a, "amid", fmt.Sprint(a.last))
		return
	}
	a.checkpoint()
}

// TestReadBesideEverywhere looks at a store after every single operation of its
// writers, who rotate, write checkpoints, recycle, are killed, cut a torn tail, close
// and come back: everything acknowledged is shown, nothing that a crash at that moment
// takes, nothing twice and nothing out of order.
func TestReadBesideEverywhere(t *testing.T) {
	readBesideEverywhere(t, wal.Binary, vfs.Kill, vfs.Lost, vfs.Kept, vfs.Torn, vfs.Reordered)
}

// TestReadBesideEverywhereLines is the same for a log of lines.
func TestReadBesideEverywhereLines(t *testing.T) {
	readBesideEverywhere(t, wal.NDJSON, vfs.Kill, vfs.Lost)
}

func readBesideEverywhere(t *testing.T, codec wal.Codec, after ...vfs.Model) {
	m := vfs.NewMem(vfs.MemOptions{Track: true})
	o := &onlookers{t: t, m: m, hist: []content{{}}, after: after}
	m.OnOp(o.look)
	opts := small(1)
	opts.Spares, opts.Codec = 4, codec
	n := 0
	for round := range 6 {
		a := begin(t, m, opts)
		o.acked = a.last
		if round == 0 {
			o.hist = append(o.hist, content{})
			a.keepCheckpoints(1)
			o.acked = a.last
		}
		for i := range 14 {
			n++
			o.put(a, fmt.Sprint("key", n%7), fmt.Sprint(n)+strings.Repeat("v", 300+n%4*100))
			if i%5 == 4 {
				o.checkpoint(a, i == 9)
			}
		}
		if round%2 == 0 {
			a.close()
			continue
		}
		next := maps.Clone(a.keep) // not synced, and then killed
		next["lost"] = fmt.Sprint(n)
		o.hist = append(o.hist[:a.last+1], next)
		a.append("lost", fmt.Sprint(n))
		check(t, a.s.Lock.Close())
		if round == 3 {
			tear(t, m)
		}
	}
	m.OnOp(nil)
	if o.late == 0 || o.ops < 500 {
		t.Errorf("%d operations; the lazy one was overtaken %d times", o.ops, o.late)
	}
	check(t, o.reader.Reader.Close())
	if _, err := o.reader.Reader.Now(t.Context()); !errors.Is(err, fault.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// tear spoils the last byte of the newest segment's last frame.
func tear(t *testing.T, m *vfs.Mem) {
	t.Helper()
	f := dump(t, m)
	names := f.names("log/0")
	name := names[len(names)-1]
	end := len(strings.TrimRight(f[name], "\x00"))
	file, err := m.Open(name, vfs.ReadWrite)
	check(t, err)
	_, err = file.WriteAt([]byte{f[name][end-1] ^ 1}, int64(end-1))
	check(t, err)
	check(t, file.Close())
}
