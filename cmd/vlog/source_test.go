package main

import (
	"errors"
	"testing"
	"time"

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
	fromTime(t, db, put, compact)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// fromTime begins at a time beside compactions: where that is still kept all from there
// is shown, and where it has gone meanwhile that is told.
func fromTime(t *testing.T, db *engine.DB, put, compact func()) {
	t.Helper()
	put()
	put()
	at := moment{kind: byTime, time: time.Now()}
	put()
	kept, gone := &source{db: db, last: -1, from: &at}, &source{db: db, last: -1, from: &at}
	for _, s := range []*source{kept, gone} {
		if err := s.begin(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	info, err := db.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	compact() // keeps what is behind the checkpoint before
	shown := 0
	for events, err := range kept.there(t.Context()) {
		if shown += len(events); err != nil {
			t.Errorf("from a time: %v", err)
		}
	}
	now, err := db.Info(t.Context())
	if err != nil || now.First == info.First || shown != 1 {
		t.Errorf("the log began at #%d and begins at #%d, %d events, %v", info.First, now.First, shown, err)
	}
	put()
	compact()
	compact()
	for _, err = range gone.there(t.Context()) {
	}
	if !errors.Is(err, engine.ErrCompacted) {
		t.Errorf("from a time that has gone: %v", err)
	}
}
