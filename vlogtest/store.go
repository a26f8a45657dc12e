package vlogtest

import (
	"context"
	"errors"
	"testing"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// New returns a new, empty database in memory. It is closed when the test ends.
func New(t testing.TB) *engine.DB {
	t.Helper()
	db, err := engine.OpenMemory(context.Background(), engine.Options{})
	return opened(t, db, err)
}

// opened closes a database when the test ends, and fails the test where there is none.
func opened(t testing.TB, db *engine.DB, err error) *engine.DB {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil && !errors.Is(err, engine.ErrClosed) {
			t.Errorf("close: %v", err)
		}
	})
	return db
}

// Crash is a way for a program to end that did not close its database.
type Crash uint8

// The ways to crash. Kill is the zero value.
const (
	// Kill ends the program alone: the system still writes what it was given.
	Kill Crash = iota
	// PowerCut leaves of what was not synced whatever a disk may leave: all,
	// nothing, some of it, in any order, garbage. The seed decides.
	PowerCut
	// PowerCutLost leaves what was synced and nothing else.
	PowerCutLost
)

// models are what a PowerCut may be.
var models = [...]vfs.Model{vfs.Lost, vfs.Kept, vfs.Torn, vfs.Reordered, vfs.Zeroed, vfs.Garbage}

// Store is one store on a disk in memory that survives closing and crashing. It
// belongs to one goroutine, its databases do not. Make one with NewStore; the zero
// Store is not valid.
type Store struct {
	seed uint64
	disk *vfs.Mem
	opts engine.Options
	db   *engine.DB
}

// NewStore returns a place for a store. The same seed and the same use give the
// same crashes.
func NewStore(seed uint64) *Store {
	return &Store{seed: seed, disk: vfs.NewMem(vfs.MemOptions{Track: true})}
}

// Open opens the store, or makes it. It is closed when the test ends. Where the
// options do not say otherwise there are no checkpoints in the background and
// nothing is random, so that a test repeats itself.
func (s *Store) Open(t testing.TB, opts engine.Options) *engine.DB {
	t.Helper()
	db, err := s.open(context.Background(), opts)
	return opened(t, db, err)
}

func (s *Store) open(ctx context.Context, opts engine.Options) (*engine.DB, error) {
	if opts.CheckpointAfter == 0 {
		opts.CheckpointAfter = -1
	}
	if opts.Random == nil {
		opts.Random = s.next
	}
	db, err := engine.OpenFS(ctx, s.disk.Reopen(), opts)
	if err == nil {
		s.opts, s.db = opts, db
	}
	return db, err
}

// next is a source of numbers that the seed decides.
func (s *Store) next() uint64 {
	s.seed += 0x9e3779b97f4a7c15
	z := (s.seed ^ s.seed>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Crash ends whoever has the store open, as how says, and opens what is left, with
// the options of the last Open. The old database is closed: its transactions are
// over, and nothing that it still does reaches the disk. What it answers during the
// call counts as never answered.
func (s *Store) Crash(t testing.TB, how Crash) *engine.DB {
	t.Helper()
	s.crash(how)
	return s.Open(t, s.opts)
}

func (s *Store) crash(how Crash) {
	model := vfs.Kill
	switch how {
	case PowerCut:
		model = models[s.next()%uint64(len(models))]
	case PowerCutLost:
		model = vfs.Lost
	}
	s.disk = s.disk.Crash(model, s.next())
	if s.db != nil {
		_ = s.db.Close() // on a disk that is no more
	}
}
