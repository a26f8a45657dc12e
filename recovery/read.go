package recovery

import (
	"context"
	"errors"
	"maps"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/wal"
)

// read opens the store for reading. Where nobody writes it says what opening for
// writing would do; a living writer repairs what there is to repair, so beside one
// there is nothing to say.
func (s *Store) read(ctx context.Context) error {
	sight := newSight(s.home())
	l, c, err := s.first(ctx, sight)
	if err != nil {
		return errors.Join(err, sight.Close())
	}
	s.done(l)
	s.Known = maps.Clone(l.known) // the reader goes on with its own
	s.Reader = newReader(l, sight, c)
	s.Log = wal.NewFollower(s.home(), func() wal.Sight { return newSight(s.home()) })
	return nil
}

// first takes the first look. One that finds nobody writing counts only if nobody came
// meanwhile.
func (s *Store) first(ctx context.Context, sight *sight) (*look, *wal.Cursor, error) {
	for range lookTries {
		before, err := sight.survey()
		if err != nil {
			return nil, nil, err
		}
		if before.held {
			break
		}
		l := s.newLook(ctx)
		err = l.rehearse()
		after, e := sight.survey()
		if e != nil {
			return nil, nil, errors.Join(err, e)
		}
		if *before != *after {
			continue
		}
		if err == nil {
			return l, wal.NewCursor(s.home(), l.edit.Picture().Seq()+1).Behind(l.edit.Picture().Chain()), nil
		}
		return s.bounded(ctx, sight, l, err)
	}
	l := s.newLook(ctx)
	c, err := l.beside(sight)
	if err == nil {
		l.report.Beyond = c.Beyond(ctx)
	}
	return l, c, err
}

func (s *Store) home() wal.Home {
	return wal.Home{FS: s.FS, Store: s.ID, Codec: s.Format.LogCodec()}
}

func (s *Store) newLook(ctx context.Context) *look {
	return &look{ctx: ctx, fs: s.FS, store: s.ID, codec: s.Format.LogCodec(), known: map[batch.Seq]checkpoint.Header{}}
}

// rehearse looks at a store that nobody writes to, as opening for writing would.
func (l *look) rehearse() error {
	if err := l.run(true); err != nil {
		return err
	}
	return l.measure()
}

// bounded looks again where log/durable of this boot says how far a reader may look:
// what is wrong behind that is the next writer's business.
func (s *Store) bounded(ctx context.Context, sight *sight, l *look, cause error) (*look, *wal.Cursor, error) {
	if !l.bound || !liesBehind(cause, l.limit) {
		return nil, nil, cause
	}
	again := s.newLook(ctx)
	c, err := again.beside(sight)
	if err != nil {
		return nil, nil, cause // what opening for writing would say
	}
	again.report.Beyond = c.Beyond(ctx)
	return again, c, nil
}

// liesBehind says whether an error is about what lies behind a batch.
func liesBehind(err error, last batch.Seq) bool {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return false
	}
	first, _, _ := wal.ParseSegment(File{Path: e.At.Path}.Base())
	return max(first, batch.Seq(e.At.Seq)) > last
}
