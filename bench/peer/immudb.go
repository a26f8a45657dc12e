package peer

import (
	"context"
	"errors"

	"github.com/codenotary/immudb/embedded/logger"
	"github.com/codenotary/immudb/embedded/store"
)

var immuPeer = Peer{Name: "immudb", Kind: Map, Version: "1.9.5 (embedded store)", Setting: "Synced, SyncFrequency 0, MaxConcurrency 300; Put returns before it is indexed", Open: openImmu}

type immuStore struct {
	db  *store.ImmuStore
	ctx context.Context
}

func openImmu(dir string, _ Options) (Store, error) {
	opts := store.DefaultOptions().WithSynced(true).WithSyncFrequency(0).WithMaxConcurrency(300).WithMaxActiveTransactions(1000).
		WithLogger(logger.NewMemoryLogger())
	db, err := store.Open(dir, opts)
	return &immuStore{db, context.Background()}, err
}

func (s *immuStore) Put(key, value []byte) error { return s.PutAll([]Pair{{key, value}}) }

func (s *immuStore) PutAll(pairs []Pair) error {
	tx, err := s.db.NewWriteOnlyTx(s.ctx)
	if err != nil {
		return err
	}
	for _, p := range pairs {
		if err := tx.Set(p.Key, nil, p.Value); err != nil {
			return errors.Join(err, tx.Cancel())
		}
	}
	_, err = tx.AsyncCommit(s.ctx) // durable, not waiting for the index
	return err
}

func (s *immuStore) settle() error {
	return s.db.WaitForIndexingUpto(s.ctx, s.db.LastCommittedTxID())
}

func (s *immuStore) Get(key []byte) ([]byte, error) {
	ref, err := s.db.Get(s.ctx, key)
	if errors.Is(err, store.ErrKeyNotFound) {
		return nil, ErrNone
	}
	if err != nil {
		return nil, err
	}
	return ref.Resolve()
}

func (s *immuStore) Scan(fn func(key, value []byte) error) (err error) {
	tx, err := s.db.NewTx(s.ctx, store.DefaultTxOptions().WithMode(store.ReadOnlyTx))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tx.Cancel()) }()
	r, err := tx.NewKeyReader(store.KeyReaderSpec{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for {
		key, ref, err := r.Read(s.ctx)
		if errors.Is(err, store.ErrNoMoreEntries) {
			return nil
		}
		if err != nil {
			return err
		}
		v, err := ref.Resolve()
		if err == nil {
			err = fn(key, v)
		}
		if err != nil {
			return err
		}
	}
}

func (s *immuStore) Close() error { return s.db.Close() }
