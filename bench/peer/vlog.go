package peer

import (
	"context"
	"errors"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

var vlogBinary = Peer{Name: "vlog", Kind: Map, Version: "this tree", Setting: "defaults", Delays: true,
	Open: func(dir string, o Options) (Store, error) { return openVlog(dir, o, engine.Options{}) }}

var vlogLines = Peer{Name: "vlog-ndjson", Kind: Map, Version: "this tree", Setting: "Codec: NDJSON", Delays: true,
	Open: func(dir string, o Options) (Store, error) {
		return openVlog(dir, o, engine.Options{Codec: engine.NDJSON})
	}}

// vlogStore is an open vlog store.
type vlogStore struct {
	db  *engine.DB
	ctx context.Context
}

func openVlog(dir string, o Options, opts engine.Options) (Store, error) {
	ctx := context.Background()
	if o.Least {
		opts.Keep = &engine.Keep{Checkpoints: 1}
	}
	if o.Delay == 0 {
		db, err := engine.Open(ctx, dir, opts)
		return &vlogStore{db, ctx}, err
	}
	fsys, err := vfs.CreateOS(dir)
	if err != nil {
		return nil, err
	}
	db, err := engine.OpenFS(ctx, vfs.NewSlow(fsys, vfs.SlowSyncs(o.Delay)), opts)
	return &vlogStore{db, ctx}, err
}

// DB returns the store's DB, for what only vlog is asked.
func (s *vlogStore) DB() *engine.DB { return s.db }

// Put implements Store.
func (s *vlogStore) Put(key, value []byte) error { return s.db.Put(s.ctx, key, value) }

// PutAll implements Store.
func (s *vlogStore) PutAll(pairs []Pair) error {
	return s.db.Update(s.ctx, func(_ context.Context, tx *engine.Tx) error {
		for _, p := range pairs {
			if err := tx.Put(p.Key, p.Value); err != nil {
				return err
			}
		}
		return nil
	})
}

// Get implements Store.
func (s *vlogStore) Get(key []byte) ([]byte, error) {
	v, err := s.db.Get(s.ctx, key)
	if errors.Is(err, engine.ErrNotFound) {
		err = ErrNone
	}
	return v, err
}

// Scan implements Store.
func (s *vlogStore) Scan(fn func(key, value []byte) error) error {
	for e, err := range s.db.Scan(s.ctx, engine.Range{}) {
		if err != nil {
			return err
		}
		if err := fn(e.Key, e.Value); err != nil {
			return err
		}
	}
	return nil
}

// Compact implements Compacter.
func (s *vlogStore) Compact() error {
	_, err := s.db.Checkpoint(s.ctx)
	return err
}

// Close implements Store.
func (s *vlogStore) Close() error { return s.db.Close() }
