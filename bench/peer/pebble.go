package peer

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

var pebblePeer = Peer{Name: "pebble", Kind: Map, Version: "2.1.7", Setting: "pebble.Sync, MemTableSize 64 MiB, cache 256 MiB", Delays: true, Open: openPebble}

type pebbleStore struct {
	db    *pebble.DB
	cache *pebble.Cache
}

func openPebble(dir string, o Options) (Store, error) {
	cache := pebble.NewCache(256 << 20)
	opts := &pebble.Options{MemTableSize: 64 << 20, Cache: cache, Logger: silent{}}
	if o.Delay > 0 {
		opts.FS = slowFS{vfs.Default, o.Delay}
	}
	db, err := pebble.Open(dir, opts)
	return &pebbleStore{db, cache}, err
}

func (s *pebbleStore) Put(key, value []byte) error { return s.db.Set(key, value, pebble.Sync) }

func (s *pebbleStore) PutAll(pairs []Pair) error {
	b := s.db.NewBatch()
	for _, p := range pairs {
		if err := b.Set(p.Key, p.Value, nil); err != nil {
			return errors.Join(err, b.Close())
		}
	}
	return errors.Join(b.Commit(pebble.Sync), b.Close())
}

func (s *pebbleStore) Get(key []byte) ([]byte, error) {
	v, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, ErrNone
	}
	if err != nil {
		return nil, err
	}
	return append([]byte(nil), v...), closer.Close()
}

func (s *pebbleStore) Scan(fn func(key, value []byte) error) error {
	it, err := s.db.NewIter(nil)
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err == nil {
			err = fn(it.Key(), v)
		}
		if err != nil {
			return errors.Join(err, it.Close())
		}
	}
	return it.Close()
}

// Compact implements Compacter.
func (s *pebbleStore) Compact() error {
	if err := s.db.Flush(); err != nil {
		return err
	}
	return s.db.Compact(context.Background(), nil, []byte{0xff, 0xff, 0xff, 0xff}, false)
}

func (s *pebbleStore) Close() error {
	defer s.cache.Unref()
	return s.db.Close()
}

// silent is a logger that says nothing.
type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(f string, args ...any) {
	panic(f)
}

// slowFS is a file system whose syncs take longer.
type slowFS struct {
	vfs.FS
	delay time.Duration
}

func (s slowFS) slow(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return f, err
	}
	return slowFile{f, s.delay}, nil
}

func (s slowFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return s.slow(s.FS.Create(name, c))
}

func (s slowFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return s.slow(s.FS.OpenReadWrite(name, c, opts...))
}

func (s slowFS) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return s.slow(s.FS.ReuseForWrite(from, to, c))
}

func (s slowFS) OpenDir(name string) (vfs.File, error) { return s.slow(s.FS.OpenDir(name)) }

func (s slowFS) Lock(name string) (io.Closer, error) { return s.FS.Lock(name) }

// slowFile waits in front of what makes data durable. SyncTo promises nothing and only
// begins to write, so it does not wait.
type slowFile struct {
	vfs.File
	delay time.Duration
}

func (f slowFile) Sync() error {
	time.Sleep(f.delay)
	return f.File.Sync()
}

func (f slowFile) SyncData() error {
	time.Sleep(f.delay)
	return f.File.SyncData()
}
