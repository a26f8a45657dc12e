package peer

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/tidwall/buntdb"
)

var buntPeer = Peer{Name: "buntdb", Kind: Map, Version: "1.3.0", Setting: "SyncPolicy Always", Open: openBunt}

type buntStore struct{ db *buntdb.DB }

func openBunt(dir string, _ Options) (Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	db, err := buntdb.Open(filepath.Join(dir, "db"))
	if err != nil {
		return nil, err
	}
	var c buntdb.Config
	if err := db.ReadConfig(&c); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	c.SyncPolicy = buntdb.Always
	return &buntStore{db}, db.SetConfig(c)
}

func (s *buntStore) Put(key, value []byte) error {
	return s.db.Update(func(tx *buntdb.Tx) error {
		_, _, err := tx.Set(string(key), string(value), nil)
		return err
	})
}

func (s *buntStore) PutAll(pairs []Pair) error {
	return s.db.Update(func(tx *buntdb.Tx) error {
		for _, p := range pairs {
			if _, _, err := tx.Set(string(p.Key), string(p.Value), nil); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *buntStore) Get(key []byte) (v []byte, err error) {
	err = s.db.View(func(tx *buntdb.Tx) error {
		text, err := tx.Get(string(key))
		v = []byte(text)
		return err
	})
	if errors.Is(err, buntdb.ErrNotFound) {
		err = ErrNone
	}
	return v, err
}

func (s *buntStore) Scan(fn func(key, value []byte) error) (failed error) {
	err := s.db.View(func(tx *buntdb.Tx) error {
		return tx.Ascend("", func(k, v string) bool {
			failed = fn([]byte(k), []byte(v))
			return failed == nil
		})
	})
	return errors.Join(failed, err)
}

// Compact implements Compacter.
func (s *buntStore) Compact() error { return s.db.Shrink() }

func (s *buntStore) Close() error { return s.db.Close() }
