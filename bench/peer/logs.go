package peer

import (
	"errors"
	"os"
	"sync"

	"github.com/hashicorp/raft"
	raftwal "github.com/hashicorp/raft-wal"
	"github.com/tidwall/wal"
)

var raftPeer = Peer{Name: "raft-wal", Kind: Log, Version: "0.4.0", Setting: "StoreLogs under a mutex", Open: openRaft}

var tidwallPeer = Peer{Name: "tidwall-wal", Kind: Log, Version: "1.2.1", Setting: "NoSync false, under a mutex", Open: openTidwall}

// logOnly is the part of a Store that a log has no answer for.
type logOnly struct{}

func (logOnly) Get([]byte) ([]byte, error)               { return nil, ErrLogOnly }
func (logOnly) Scan(func(key, value []byte) error) error { return ErrLogOnly }

// raftStore is the log that hashicorp/raft writes.
type raftStore struct {
	logOnly
	mu   sync.Mutex
	w    *raftwal.WAL
	next uint64
}

func openRaft(dir string, _ Options) (Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	w, err := raftwal.Open(dir)
	if err != nil {
		return nil, err
	}
	last, err := w.LastIndex()
	return &raftStore{w: w, next: last + 1}, err
}

func (s *raftStore) Put(key, value []byte) error { return s.PutAll([]Pair{{key, value}}) }

func (s *raftStore) PutAll(pairs []Pair) error {
	logs := make([]*raft.Log, len(pairs))
	for i, p := range pairs {
		logs[i] = &raft.Log{Data: append(append([]byte(nil), p.Key...), p.Value...)}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range logs {
		logs[i].Index = s.next + uint64(i)
	}
	if err := s.w.StoreLogs(logs); err != nil {
		return err
	}
	s.next += uint64(len(logs))
	return nil
}

func (s *raftStore) Close() error { return s.w.Close() }

// tidwallStore is a log of numbered entries.
type tidwallStore struct {
	logOnly
	mu   sync.Mutex
	w    *wal.Log
	next uint64
}

func openTidwall(dir string, _ Options) (Store, error) {
	w, err := wal.Open(dir, nil)
	if err != nil {
		return nil, err
	}
	last, err := w.LastIndex()
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return &tidwallStore{w: w, next: last + 1}, nil
}

func (s *tidwallStore) Put(key, value []byte) error { return s.PutAll([]Pair{{key, value}}) }

func (s *tidwallStore) PutAll(pairs []Pair) error {
	entries := make([][]byte, len(pairs))
	for i, p := range pairs {
		entries[i] = append(append([]byte(nil), p.Key...), p.Value...)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var b wal.Batch
	for i, e := range entries {
		b.Write(s.next+uint64(i), e)
	}
	if err := s.w.WriteBatch(&b); err != nil {
		return err
	}
	s.next += uint64(len(entries))
	return nil
}

func (s *tidwallStore) Close() error { return s.w.Close() }
