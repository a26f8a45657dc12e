package peer

import (
	"errors"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/filter"
	"github.com/syndtr/goleveldb/leveldb/opt"
)

var leveldbPeer = Peer{Name: "goleveldb", Kind: Map, Version: "1.0.0", Setting: "Sync, WriteBuffer 64 MiB, cache 256 MiB, bloom filter", Open: openLevel}

type levelStore struct{ db *leveldb.DB }

var levelSync = &opt.WriteOptions{Sync: true}

func openLevel(dir string, _ Options) (Store, error) {
	db, err := leveldb.OpenFile(dir, &opt.Options{WriteBuffer: 64 << 20, BlockCacheCapacity: 256 << 20, Filter: filter.NewBloomFilter(10)})
	return &levelStore{db}, err
}

func (s *levelStore) Put(key, value []byte) error { return s.db.Put(key, value, levelSync) }

func (s *levelStore) PutAll(pairs []Pair) error {
	var b leveldb.Batch
	for _, p := range pairs {
		b.Put(p.Key, p.Value)
	}
	return s.db.Write(&b, levelSync)
}

func (s *levelStore) Get(key []byte) ([]byte, error) {
	v, err := s.db.Get(key, nil)
	if errors.Is(err, leveldb.ErrNotFound) {
		err = ErrNone
	}
	return v, err
}

func (s *levelStore) Scan(fn func(key, value []byte) error) error {
	it := s.db.NewIterator(nil, nil)
	defer it.Release()
	for it.Next() {
		if err := fn(it.Key(), it.Value()); err != nil {
			return err
		}
	}
	return it.Error()
}

func (s *levelStore) Close() error { return s.db.Close() }
