package recovery

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// sight tells a reader how far the log of a store is known to be durable, whoever
// writes it: the wal.Sight of a directory. It takes no lock and changes nothing. It
// belongs to one goroutine, but for same, which any may call.
//
// A writer syncs, then says so in log/durable, then answers. So what that file says
// in this boot may be shown, whether the writer is alive or not, and it holds all that
// was answered. Where there is no such file, a seal and the name of a checkpoint, of a
// newer segment, or LOCK's line of a clean close prove what comes before them; and
// where nobody holds the lock, whatever opening would accept counts too.
type sight struct {
	wal.Home
	boot  [16]byte
	boots bool // the system names its boot
	mark  *wal.Mark
	lock  atomic.Pointer[lockFile] // LOCK; nil where it is not open
	last  batch.Seq                // the largest limit so far
	end   ending
	told  *glimpse // what last was made of
	seen  atomic.Pointer[glimpse]
}

type lockFile struct{ vfs.File }

// glimpse is what a limit was made of. While all of it stays, so does the limit.
type glimpse struct {
	mark   wal.Durable
	marked bool // there is a mark that verifies
	ours   bool // of this boot
	held   bool
	note   string // content of LOCK
}

// ending is the newest segment as it was when it was last scanned.
type ending struct {
	name   string
	size   int64
	last   batch.Seq // proven, or accepted
	sealed bool
}

func newSight(home wal.Home) *sight {
	boot := home.FS.Boot()
	return &sight{Home: home, boot: wal.BootID(boot), boots: boot != "", mark: wal.NewMark(home.FS, home.Store)}
}

// sightTries bounds how often a look is begun again because a writer came meanwhile.
const sightTries = 100

// Limit implements wal.Sight. It is ErrForeign where log/durable says less than was
// shown: another copy was put in the place of the store; ErrNotFound where the directory
// was moved, and nothing is new in it.
func (s *sight) Limit(ctx context.Context) (batch.Seq, error) {
	for range sightTries {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		g, err := s.glance()
		if err == nil && s.told != nil && *g == *s.told {
			g, err = s.byName()
		}
		if err != nil {
			return 0, err
		}
		if g.ours {
			return s.upTo(g)
		}
		limit, err := s.proven(ctx, g)
		now, e := s.glance()
		if e != nil {
			return 0, errors.Join(err, e)
		}
		// What opening would accept, or refuse, is what nobody was writing meanwhile.
		if !g.held && *now != *g {
			continue
		}
		if err != nil {
			return 0, err
		}
		s.last, s.told = max(s.last, limit), g
		return s.last, nil
	}
	return s.last, nil // openings follow each other without end; none of them takes anything back
}

// byName is glance where nothing seems to have changed: what is kept open may have been
// moved away since, alone or with the whole store.
func (s *sight) byName() (*glimpse, error) {
	if err := errors.Join(s.FS.Present(), s.Close()); err != nil {
		return nil, err
	}
	return s.glance()
}

// upTo takes what log/durable of this boot says.
func (s *sight) upTo(g *glimpse) (batch.Seq, error) {
	if g.mark.Seq < s.last {
		return 0, &fault.Error{Op: "read log", At: fault.Place{Path: wal.DurableName, Seq: uint64(g.mark.Seq)}, Err: fault.ErrForeign, Detail: fmt.Sprintf("it ends there, and %v was durable before", s.last),
			Hint: "another store, or an older copy, was put in the place of this one while it was read: open it again"}
	}
	s.last, s.told = g.mark.Seq, g
	return s.last, nil
}

// glance looks at the mark; where that is not of this boot, also at LOCK.
func (s *sight) glance() (*glimpse, error) {
	g := &glimpse{}
	var err error
	if g.mark, g.marked, err = s.mark.Read(); err != nil {
		return nil, err
	}
	if g.ours = g.marked && s.boots && g.mark.Boot == s.boot; g.ours {
		return g, nil
	}
	return g, s.whose(g)
}

// survey looks at mark and LOCK.
func (s *sight) survey() (*glimpse, error) {
	g, err := s.glance()
	if err == nil && g.ours {
		err = s.whose(g)
	}
	return g, err
}

// whose looks at LOCK: at its content first, since whoever takes the lock changes that
// before anything else.
func (s *sight) whose(g *glimpse) (err error) {
	if g.note, err = s.note(); err != nil {
		return err
	}
	g.held, err = s.FS.Held(LockName)
	return err
}

// settle says that everything up to the last limit is shown by now.
func (s *sight) settle() { s.seen.Store(s.told) }

// note returns the content of LOCK.
func (s *sight) note() (string, error) {
	f := s.lock.Load()
	if f == nil {
		opened, err := s.FS.Open(LockName, vfs.ReadOnly)
		if errors.Is(err, fault.ErrNotFound) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		f = &lockFile{opened}
		s.lock.Store(f)
	}
	b, err := readAll(f, maxLock)
	if errors.Is(err, fault.ErrCorrupt) {
		return "", nil // longer than any that says something
	}
	return string(b), err
}

// same reports whether nothing can have become durable since what was settled. It is
// cheap: at most two small reads, and where nobody writes a question for the directory.
func (s *sight) same() bool {
	g := s.seen.Load()
	if g == nil {
		return false
	}
	if g.marked {
		if d, ok := s.mark.Peek(); !ok || d != g.mark {
			return false
		}
		if g.ours {
			return true
		}
	} else if !s.mark.Absent() {
		return false
	}
	// Whoever begins to write says so in LOCK first.
	return !g.held && s.sameNote(g.note) && s.FS.Present() == nil
}

func (s *sight) sameNote(was string) bool {
	f := s.lock.Load()
	if f == nil {
		return false
	}
	b, err := readAll(f, maxLock)
	return err == nil && string(b) == was
}

// proven returns how far the log reaches where no mark of this boot tells.
func (s *sight) proven(ctx context.Context, g *glimpse) (limit batch.Seq, err error) {
	closed, newest := batch.Seq(0), batch.Seq(0)
	note, _ := decodeLock([]byte(g.note))
	if c := note.Closed; c != nil && string(note.Store) == string(s.Store[:]) {
		closed = c.Seq
	}
	limit = closed
	entries, err := s.FS.ReadDir(wal.Dir)
	for _, e := range entries {
		if seq, ok := checkpoint.ParseName(e.Name); ok {
			limit = max(limit, seq)
		}
		if first, codec, ok := wal.ParseSegment(e.Name); ok && codec == s.Codec {
			newest = max(newest, first)
		}
	}
	if err != nil || newest <= closed { // a segment ends with a clean close
		return limit, err
	}
	last, err := s.newest(ctx, newest, g.held)
	return max(limit, newest-1, last), err
}

// newest returns up to which batch the newest segment may be shown.
func (s *sight) newest(ctx context.Context, first batch.Seq, held bool) (batch.Seq, error) {
	name := s.Codec.SegmentName(first)
	size, err := sizeOf(s.FS, name)
	if err != nil {
		return 0, unlessGone(err)
	}
	if e := s.end; e.name == name && e.size == size && (e.sealed || !held) {
		return e.last, nil
	}
	seg, err := wal.Scan(ctx, wal.Place{FS: s.FS, Name: name, Store: s.Store}, nil)
	if err != nil && held && unlessUnusable(err) == nil {
		return 0, nil // it is being written, and nobody was told of it
	}
	if err != nil {
		return 0, unlessGone(err)
	}
	s.end = ending{name: name, size: size, last: seg.Synced, sealed: seg.Sealed}
	if seg.Sealed || !held {
		s.end.last = max(seg.Synced, seg.Last)
	}
	return s.end.last, nil
}

func unlessGone(err error) error {
	if errors.Is(err, fault.ErrNotFound) {
		return nil
	}
	return err
}

func sizeOf(fsys vfs.FS, name string) (int64, error) {
	f, err := fsys.Open(name, vfs.ReadOnly)
	if err != nil {
		return 0, err
	}
	st, err := f.Stat()
	return st.Size, errors.Join(err, f.Close())
}

// ChainOf implements wal.Sight.
func (s *sight) ChainOf(seq batch.Seq) (batch.Chain, bool, error) {
	sum, err := checkpoint.Peek(s.FS, checkpoint.Name(seq), s.Store)
	if err != nil {
		return batch.Chain{}, false, unlessUnusable(err)
	}
	return sum.At.Chain, sum.At.Seq == seq, nil
}

// Close implements wal.Sight.
func (s *sight) Close() error {
	err := s.mark.Close()
	if f := s.lock.Swap(nil); f != nil {
		err = errors.Join(err, f.Close())
	}
	return err
}
