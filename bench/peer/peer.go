// Package peer puts vlog beside what people would pick instead of it: one small interface,
// and for each engine the settings under which an answer means that the data is on disk.
package peer

import (
	"errors"
	"slices"
	"time"
)

// Pair is a key and its value.
type Pair struct{ Key, Value []byte }

// Store is an open engine. Put may be called from many goroutines at once, as may Get;
// what they return stays valid until the next call of the same goroutine.
type Store interface {
	// Put returns when the pair is on disk; Get finds it then, or behind Settle.
	Put(key, value []byte) error
	// PutAll puts all pairs in one transaction that is on disk when it returns.
	PutAll(pairs []Pair) error
	// Get returns the value of a key, ErrNone where there is none.
	Get(key []byte) ([]byte, error)
	// Scan calls fn for each pair in the order of keys.
	Scan(fn func(key, value []byte) error) error
	Close() error
}

// Settle waits until what was put can be read, where an engine builds its index behind
// the answer.
func Settle(s Store) error {
	if slow, ok := s.(interface{ settle() error }); ok {
		return slow.settle()
	}
	return nil
}

// ErrNone is a key that is not there.
var ErrNone = errors.New("no such key")

// ErrLogOnly is what a log that is no map answers when it is asked for keys.
var ErrLogOnly = errors.New("a log has no keys")

// Kind is what an engine is.
type Kind string

// The kinds. A Floor is no engine that anybody would use, but the plainest code that
// does the work at all.
const (
	Map   Kind = "map"
	Log   Kind = "log"
	Floor Kind = "floor"
)

// Options of one opening.
type Options struct {
	Writers int           // how many goroutines will put at once; for engines that want to know
	Delay   time.Duration // each sync takes so much longer; only where the peer Delays
	Least   bool          // keep as little of what was overwritten as can be set
}

// Compacter is an engine that can be told to give back what was overwritten.
type Compacter interface{ Compact() error }

// Peer is an engine under one setting.
type Peer struct {
	Name    string
	Kind    Kind
	Version string
	Setting string // what was set, in words
	Delays  bool   // Options.Delay is heeded
	Open    func(dir string, o Options) (Store, error)
}

// All returns every peer that this program was built with, vlog first.
func All() []Peer {
	all := []Peer{vlogBinary, vlogLines, pebblePeer, bboltPeer, bboltBatch, badgerPeer, sqliteModernc, buntPeer, nutsPeer, immuPeer, leveldbPeer, raftPeer, tidwallPeer, refLogPeer, refMapPeer}
	return append(all, withCgo()...)
}

// Find returns the peer of a name.
func Find(name string) (Peer, bool) {
	all := All()
	i := slices.IndexFunc(all, func(p Peer) bool { return p.Name == name })
	if i < 0 {
		return Peer{}, false
	}
	return all[i], true
}
