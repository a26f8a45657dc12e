package peer

import (
	"errors"

	"github.com/dgraph-io/badger/v4"
)

var badgerPeer = Peer{Name: "badger", Kind: Map, Version: "4.9.6", Setting: "SyncWrites", Open: openBadger}

type badgerStore struct{ db *badger.DB }

func openBadger(dir string, _ Options) (Store, error) {
	db, err := badger.Open(badger.DefaultOptions(dir).WithSyncWrites(true).WithLogger(nil))
	return &badgerStore{db}, err
}

func (s *badgerStore) Put(key, value []byte) error {
	return s.db.Update(func(tx *badger.Txn) error { return tx.Set(key, value) })
}

func (s *badgerStore) PutAll(pairs []Pair) error {
	return s.db.Update(func(tx *badger.Txn) error {
		for _, p := range pairs {
			if err := tx.Set(p.Key, p.Value); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *badgerStore) Get(key []byte) (v []byte, err error) {
	err = s.db.View(func(tx *badger.Txn) error {
		item, err := tx.Get(key)
		if err != nil {
			return err
		}
		v, err = item.ValueCopy(nil)
		return err
	})
	if errors.Is(err, badger.ErrKeyNotFound) {
		err = ErrNone
	}
	return v, err
}

func (s *badgerStore) Scan(fn func(key, value []byte) error) error {
	return s.db.View(func(tx *badger.Txn) error {
		it := tx.NewIterator(badger.DefaultIteratorOptions)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			item := it.Item()
			if err := item.Value(func(v []byte) error { return fn(item.Key(), v) }); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *badgerStore) Close() error { return s.db.Close() }
