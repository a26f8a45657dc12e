package peer

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestPeers: each peer does what the interface says, so that all are asked for the same
// work; what is there is found again after a reopening, but for the floors.
func TestPeers(t *testing.T) {
	names := map[string]bool{}
	for _, p := range All() {
		if names[p.Name] {
			t.Errorf("two peers are called %q", p.Name)
		}
		names[p.Name] = true
		t.Run(p.Name, func(t *testing.T) { testPeer(t, p) })
	}
}

func testPeer(t *testing.T, p Peer) {
	dir := filepath.Join(t.TempDir(), "store")
	s, err := p.Open(dir, Options{Writers: 1})
	check(t, err)
	check(t, s.Put([]byte("key-0002"), []byte("old")))
	check(t, s.Put([]byte("key-0002"), []byte("value 2")))
	var pairs []Pair
	for i := range 1000 {
		if i != 2 {
			pairs = append(pairs, Pair{fmt.Appendf(nil, "key-%04d", i), fmt.Appendf(nil, "value %d", i)})
		}
	}
	check(t, s.PutAll(pairs))
	look := func(s Store) {
		check(t, Settle(s))
		if p.Kind == Log || p.Name == "ref-log" {
			if _, err := s.Get([]byte("key-0002")); !errors.Is(err, ErrLogOnly) {
				t.Error(err)
			}
			return
		}
		for _, i := range []int{0, 2, 999} {
			v, err := s.Get(fmt.Appendf(nil, "key-%04d", i))
			if check(t, err); string(v) != fmt.Sprint("value ", i) {
				t.Errorf("key %d: %q", i, v)
			}
		}
		if _, err := s.Get([]byte("none")); !errors.Is(err, ErrNone) {
			t.Error(err)
		}
		n, last := 0, []byte(nil)
		check(t, s.Scan(func(k, v []byte) error {
			if bytes.Compare(k, last) <= 0 || string(v) != fmt.Sprint("value ", n) {
				t.Errorf("%q (%q) behind %q", k, v, last)
			}
			n, last = n+1, append(last[:0], k...)
			return nil
		}))
		if n != 1000 {
			t.Errorf("%d keys", n)
		}
	}
	look(s)
	check(t, s.Close())
	if p.Kind == Floor || p.Name == "raft-wal" { // which leaves its metadata open in the process, and would wait for itself
		return
	}
	s, err = p.Open(dir, Options{Writers: 1})
	check(t, err)
	look(s)
	check(t, s.Close())
}
