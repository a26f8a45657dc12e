package peer

import (
	"errors"

	"github.com/nutsdb/nutsdb"
)

var nutsPeer = Peer{Name: "nutsdb", Kind: Map, Version: "1.0.4", Setting: "defaults (SyncEnable)", Open: openNuts}

type nutsStore struct{ db *nutsdb.DB }

func openNuts(dir string, _ Options) (Store, error) {
	db, err := nutsdb.Open(nutsdb.DefaultOptions, nutsdb.WithDir(dir))
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *nutsdb.Tx) error {
		if tx.ExistBucket(nutsdb.DataStructureBTree, "b") {
			return nil
		}
		return tx.NewBucket(nutsdb.DataStructureBTree, "b")
	})
	return &nutsStore{db}, err
}

func (s *nutsStore) Put(key, value []byte) error {
	return s.db.Update(func(tx *nutsdb.Tx) error { return tx.Put("b", key, value, 0) })
}

func (s *nutsStore) PutAll(pairs []Pair) error {
	return s.db.Update(func(tx *nutsdb.Tx) error {
		for _, p := range pairs {
			if err := tx.Put("b", p.Key, p.Value, 0); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *nutsStore) Get(key []byte) (v []byte, err error) {
	err = s.db.View(func(tx *nutsdb.Tx) error {
		v, err = tx.Get("b", key)
		return err
	})
	if errors.Is(err, nutsdb.ErrKeyNotFound) {
		err = ErrNone
	}
	return v, err
}

func (s *nutsStore) Scan(fn func(key, value []byte) error) error {
	return s.db.View(func(tx *nutsdb.Tx) error {
		keys, values, err := tx.GetAll("b")
		if err != nil {
			return err
		}
		for i := range keys {
			if err := fn(keys[i], values[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *nutsStore) Close() error { return s.db.Close() }
