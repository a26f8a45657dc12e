package peer

import (
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
)

var bboltPeer = Peer{Name: "bbolt", Kind: Map, Version: "1.5.0", Setting: "Update, map freelist", Open: openBolt(false)}

var bboltBatch = Peer{Name: "bbolt-batch", Kind: Map, Version: "1.5.0", Setting: "Batch, MaxBatchSize = writers, MaxBatchDelay 1 ms", Open: openBolt(true)}

var bucket = []byte("b")

type boltStore struct {
	db    *bbolt.DB
	batch bool
}

func openBolt(batch bool) func(string, Options) (Store, error) {
	return func(dir string, o Options) (Store, error) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		db, err := bbolt.Open(filepath.Join(dir, "db"), 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType, Timeout: time.Second})
		if err != nil {
			return nil, err
		}
		db.MaxBatchSize, db.MaxBatchDelay = max(o.Writers, 1), time.Millisecond
		return &boltStore{db, batch}, db.Update(func(tx *bbolt.Tx) error {
			_, err := tx.CreateBucketIfNotExists(bucket)
			return err
		})
	}
}

func (s *boltStore) Put(key, value []byte) error {
	put := func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put(key, value) }
	if s.batch {
		return s.db.Batch(put)
	}
	return s.db.Update(put)
}

func (s *boltStore) PutAll(pairs []Pair) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucket)
		for _, p := range pairs {
			if err := b.Put(p.Key, p.Value); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *boltStore) Get(key []byte) (v []byte, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		got := tx.Bucket(bucket).Get(key)
		if got == nil {
			return ErrNone
		}
		v = append([]byte(nil), got...)
		return nil
	})
	return v, err
}

func (s *boltStore) Scan(fn func(key, value []byte) error) error {
	return s.db.View(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).ForEach(fn) })
}

func (s *boltStore) Close() error { return s.db.Close() }
