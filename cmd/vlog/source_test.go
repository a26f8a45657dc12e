package main

import (
	"testing"

	"github.com/vlogdb/vlog/engine"
)

// TestSourceBesideCompaction: who asked for what is kept gets what is kept when it is
// read, and what came meanwhile when it goes on.
func TestSourceBesideCompaction(t *testing.T) {
	db, err := engine.OpenMemory(t.Context(), engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	put := func() {
		t.Helper()
		if err := db.Put(t.Context(), []byte("k"), []byte("v")); err != nil {
			t.Fatal(err)
		}
	}
	compact := func() {
		t.Helper()
		if _, err := db.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	put()
	compact()
	put()
	s := &source{db: db, last: -1}
	if err := s.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	compact()
	put()
	compact()
	for _, err := range s.there(t.Context()) {
		if err != nil {
			t.Errorf("%v", err)
		}
	}
	if s.behind() != 3 {
		t.Errorf("goes on with #%d", s.behind())
	}
	for range 4 {
		put()
	}
	n := &source{db: db, last: 4}
	if err := n.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 { // what it wants to begin with goes
		compact()
		put()
	}
	compact()
	for _, err := range n.there(t.Context()) {
		if err != nil {
			t.Errorf("the last four: %v", err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
