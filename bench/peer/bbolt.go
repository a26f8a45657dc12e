package peer

import (
	"errors"
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

// Compact implements Compacter: into another file, which takes the place of the first. Nobody may
// use the store meanwhile, as nobody may where the program does it.
func (s *boltStore) Compact() error {
	path := s.db.Path()
	dst, err := bbolt.Open(path+".new", 0o600, nil)
	if err != nil {
		return err
	}
	if err := bbolt.Compact(dst, s.db, 1<<20); err != nil {
		return errors.Join(err, dst.Close())
	}
	if err := errors.Join(dst.Close(), s.db.Close(), os.Rename(path+".new", path)); err != nil {
		return err
	}
	s.db, err = bbolt.Open(path, 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType})
	return err
}

// CompactsAlone says that nobody may be beside it.
func (s *boltStore) CompactsAlone() {}

func (s *boltStore) Close() error { return s.db.Close() }
