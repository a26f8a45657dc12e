package recovery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// changing is a store that changes before some operation of a reader.
type changing struct {
	t    *testing.T
	m    *vfs.Mem
	opts Options
	a    *author // nil while nobody writes
	hist map[batch.Seq]content
	n    int
}

func newChanging(t *testing.T, codec wal.Codec) *changing {
	opts := small(1)
	opts.SegmentSize, opts.Grow, opts.Spares, opts.Codec = 4<<10, 2<<10, 4, codec
	c := &changing{t: t, m: vfs.NewMem(vfs.MemOptions{}), opts: opts, hist: map[batch.Seq]content{}}
	c.come()
	c.a.keepCheckpoints(1)
	c.puts(8)
	c.a.checkpoint()
	c.puts(6)
	return c
}

func (c *changing) come() { c.a = begin(c.t, c.m, c.opts) }

func (c *changing) puts(n int) {
	for range n {
		c.n++
		c.a.put(fmt.Sprint("key", c.n%5), fmt.Sprint(c.n)+strings.Repeat("v", 500))
		c.hist[c.a.last] = maps.Clone(c.a.keep)
	}
}

func (c *changing) compact() {
	c.puts(6)
	c.a.checkpoint()
	c.puts(7)
	c.a.checkpoint()
	c.puts(3)
}

func (c *changing) close() {
	c.a.close()
	c.a = nil
}

func (c *changing) kill() {
	check(c.t, c.a.s.Lock.Close())
	c.a = nil
}

// slow returns a door to the disk where fn is called before the nth operation.
func (c *changing) slow(n int, fn func()) (fsys vfs.FS, ops *int) {
	ops = new(int)
	return vfs.NewSlow(c.m.Reopen(), func(vfs.Op) time.Duration {
		if *ops++; *ops == n {
			fn()
		}
		return 0
	}), ops
}

// change is what happens to a store before a reader looks, and while it does.
type change struct{ before, meanwhile func(c *changing) }

// TestReadWhileChanging lets writers come, go, die, compact and write over what was
// kept before each single operation of a reader, which opens or looks again: it always
// succeeds, with what was acknowledged when it began or more.
func TestReadWhileChanging(t *testing.T) {
	for name, tc := range map[string]change{
		"compacted":           {func(*changing) {}, (*changing).compact},
		"closed":              {func(*changing) {}, (*changing).close},
		"killed":              {func(*changing) {}, (*changing).kill},
		"compacted, closed":   {func(*changing) {}, func(c *changing) { c.compact(); c.close() }},
		"opened":              {(*changing).close, func(c *changing) { c.come(); c.a.append("x", "unsynced") }},
		"opened, written":     {(*changing).close, func(c *changing) { c.come(); c.puts(5) }},
		"opened, compacted":   {(*changing).close, func(c *changing) { c.come(); c.compact(); c.close() }},
		"came back":           {(*changing).kill, func(c *changing) { c.come(); c.puts(2) }},
		"came back, killed":   {(*changing).kill, func(c *changing) { c.come(); c.puts(9); c.kill() }},
		"killed, came back":   {func(*changing) {}, func(c *changing) { c.kill(); c.come(); c.compact() }},
		"opened, died":        {(*changing).close, func(c *changing) { c.come(); c.a.append("x", "unsynced"); c.kill() }},
		"without a mark":      {withoutMark, func(c *changing) { c.come(); c.puts(2) }},
		"sealed at last":      {func(c *changing) { c.puts(2); withoutMark(c) }, (*changing).come},
		"nothing":             {func(*changing) {}, func(*changing) {}},
		"nothing, closed":     {(*changing).close, func(*changing) {}},
		"nothing, killed":     {(*changing).kill, func(*changing) {}},
		"nothing, no mark":    {withoutMark, func(*changing) {}},
		"closed, then opened": {func(*changing) {}, func(c *changing) { c.close(); c.come(); c.compact() }},
	} {
		t.Run(name, func(t *testing.T) {
			for _, codec := range []wal.Codec{wal.Binary, wal.NDJSON} {
				first := opensWhile(t, codec, tc)
				again := refreshesWhile(t, codec, tc)
				if first < 15 || again < 2 {
					t.Errorf("%d operations to open, %d to look again", first, again)
				}
			}
		})
	}
}

// withoutMark leaves a killed writer's store in which log/durable is missing.
func withoutMark(c *changing) {
	c.kill()
	check(c.t, c.m.Remove(wal.DurableName))
}

// opensWhile opens the store with a change before each operation.
func opensWhile(t *testing.T, codec wal.Codec, ch change) (n int) {
	for n = 1; ; n++ {
		c := newChanging(t, codec)
		ch.before(c)
		fsys, ops := c.slow(n, func() { ch.meanwhile(c) })
		s, err := Open(t.Context(), fsys, readOnly())
		if err != nil {
			t.Fatalf("before operation %d of opening: %v", n, err)
		}
		c.shows(s, 15, fmt.Sprint("opening, operation ", n))
		check(t, s.Reader.Close())
		if *ops < n {
			return n
		}
	}
}

// refreshesWhile looks again with a change before each operation, behind changes.
func refreshesWhile(t *testing.T, codec wal.Codec, ch change) (n int) {
	for n = 1; ; n++ {
		c := newChanging(t, codec)
		armed := 0
		var fn func()
		fsys := vfs.NewSlow(c.m.Reopen(), func(vfs.Op) time.Duration {
			if armed--; armed == 0 {
				fn()
			}
			return 0
		})
		s, err := Open(t.Context(), fsys, readOnly())
		check(t, err)
		c.compact()
		acked := c.a.last
		ch.before(c)
		fn, armed = func() { ch.meanwhile(c) }, n
		p, err := s.Reader.Now(t.Context())
		if err != nil {
			t.Fatalf("before operation %d of looking again: %v", n, err)
		}
		s.Picture = p
		c.shows(s, acked, fmt.Sprint("looking again, operation ", n))
		over := armed > 0
		armed = 0
		check(t, s.Reader.Close())
		if over {
			return n
		}
	}
}

// shows checks what a reader shows.
func (c *changing) shows(s *Store, least batch.Seq, what string) {
	c.t.Helper()
	seq := s.Picture.Seq()
	for _, skipped := range s.Report.Skipped {
		if errors.Is(skipped.Cause, fault.ErrNotFound) {
			c.t.Fatalf("%s: a checkpoint that went counts as damaged: %v", what, skipped.Cause)
		}
	}
	if want, ok := c.hist[seq]; seq < least || !ok || !maps.Equal(contentOf(s.Picture), want) {
		c.t.Fatalf("%s: shows %v, acknowledged was %v", what, seq, least)
	}
}

// TestCheckpointsKeepGoing: whichever checkpoint a reader is about to open has just
// been replaced, several times; it is not taken for damage.
func TestCheckpointsKeepGoing(t *testing.T) {
	c := newChanging(t, wal.Binary)
	went := 0
	s, err := Open(t.Context(), vfs.NewSlow(c.m.Reopen(), func(op vfs.Op) time.Duration {
		if strings.HasPrefix(op.Name, wal.Dir+"/checkpoint-") && op.Kind == vfs.OpOpen && went < 5 {
			went++
			c.compact()
		}
		return 0
	}), readOnly())
	if check(t, err); went != 5 {
		t.Errorf("%d went", went)
	}
	c.shows(s, c.a.last, "at last")
	check(t, s.Reader.Close())
}

// TestReaderDamage: what is damaged below the limit is told, with its place, at each
// look, and what came before is shown; mended it goes on.
func TestReaderDamage(t *testing.T) {
	c := newChanging(t, wal.Binary)
	s, err := Open(t.Context(), c.m.Reopen(), readOnly())
	check(t, err)
	c.puts(9)
	name := wal.Binary.SegmentName(c.a.last)
	for wal.Binary.SegmentName(0) != name { // the newest segment
		if _, err := wal.ReadHeader(c.m, name, s.ID); err == nil {
			break
		}
		first, _, _ := wal.ParseSegment(strings.TrimPrefix(name, wal.Dir+"/"))
		name = wal.Binary.SegmentName(first - 1)
	}
	first, _, _ := wal.ParseSegment(strings.TrimPrefix(name, wal.Dir+"/"))
	flip := func() {
		f, err := c.m.Open(name, vfs.ReadWrite)
		check(t, err)
		b := make([]byte, 1)
		_, err = f.ReadAt(b, 700)
		check(t, err)
		b[0] ^= 1
		_, err = f.WriteAt(b, 700)
		check(t, errors.Join(err, f.Close()))
	}
	flip()
	for range 3 {
		_, err = s.Reader.Now(t.Context())
		e, ok := errors.AsType[*fault.Error](err)
		if !ok || e.Err != fault.ErrCorrupt || e.At.Path != name || e.At.Seq != uint64(first) || s.Reader.Picture().Seq() != first-1 {
			t.Fatalf("%v; shown is %v", err, s.Reader.Picture().Seq())
		}
	}
	flip()
	p, err := s.Reader.Now(t.Context())
	if check(t, err); p.Seq() != c.a.last {
		t.Errorf("mended, it shows %v", p.Seq())
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	c.puts(1)
	if _, err := s.Reader.Now(cancelled); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	check(t, s.Reader.Close())
	wantKind(t, s.Reader.Close(), fault.ErrClosed)
}

// TestReaderOlderCopy: a store that is put back to an older copy under a reader.
func TestReaderOlderCopy(t *testing.T) {
	c := newChanging(t, wal.Binary)
	old := dump(t, c.m)
	s, err := Open(t.Context(), c.m.Reopen(), readOnly())
	check(t, err)
	c.puts(9)
	_, err = s.Reader.Now(t.Context())
	check(t, err)
	c.kill()
	for path := range dump(t, c.m) {
		if !strings.HasSuffix(path, "/") && path != LockName {
			check(t, c.m.Remove(path))
		}
	}
	delete(old, LockName)
	for path, content := range old {
		if !strings.HasSuffix(path, "/") {
			check(t, c.m.Replace(path, []byte(content)))
		}
	}
	_, err = s.Reader.Now(t.Context())
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || e.Err != fault.ErrForeign || e.Hint == "" {
		t.Errorf("%v", err)
	}
	check(t, s.Reader.Close())
}

// TestReaderSpoiltCheckpoint: beside a writer too a checkpoint that does not verify is
// passed over for an older one, and where no log leads on from that it is damage.
func TestReaderSpoiltCheckpoint(t *testing.T) {
	c := newChanging(t, wal.Binary)
	c.a.keepCheckpoints(2)
	c.hist[c.a.last] = maps.Clone(c.a.keep)
	c.compact()
	newest, err := checkpoint.List(c.m)
	check(t, err)
	check(t, c.m.Replace(checkpoint.Name(newest[0]), []byte("junk")))
	s, err := Open(t.Context(), c.m.Reopen(), readOnly())
	check(t, err)
	c.shows(s, c.a.last, "an older checkpoint")
	if r := s.Report; len(r.Skipped) != 1 || r.Skipped[0].Seq != newest[0] || r.Checkpoint != newest[1] || r.Clean || r.Segments == 0 || r.Replayed == 0 {
		t.Errorf("%+v", r)
	}
	check(t, s.Reader.Close())
	for _, seq := range newest[1:] {
		check(t, c.m.Remove(checkpoint.Name(seq)))
	}
	_, err = Open(t.Context(), c.m.Reopen(), readOnly())
	wantKind(t, err, fault.ErrCorrupt)
	if !strings.Contains(err.Error(), checkpoint.Name(newest[0])) {
		t.Errorf("%v", err)
	}
}
