package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/engine"
)

// fold is what the changes of batches come to: tenant/key → value.
type fold map[string]string

func (f fold) apply(b engine.Batch) {
	for c := range b.Changes() {
		switch {
		case c.Space != "kv":
		case c.Op == "put":
			f[c.Tenant+"/"+string(c.Key)] = string(c.Value)
		case c.Op == "del":
			delete(f, c.Tenant+"/"+string(c.Key))
		default:
			maps.DeleteFunc(f, func(k, _ string) bool {
				return k >= c.Tenant+"/"+string(c.Key) && (len(c.End) == 0 || k < c.Tenant+"/"+string(c.End)) && k < c.Tenant+"0"
			})
		}
	}
}

// contentOf is what a store holds.
func contentOf(t testing.TB, db *engine.DB) fold {
	t.Helper()
	all := fold{}
	for tenant, err := range db.Tenants(t.Context()) {
		check(t, err)
		s, err := db.Tenant(tenant)
		check(t, err)
		for e, err := range s.Scan(t.Context(), engine.Range{}) {
			check(t, err)
			all[tenant+"/"+string(e.Key)] = string(e.Value)
		}
	}
	return all
}

// step makes a random change to a random tenant.
func step(t testing.TB, db *engine.DB, rnd *rand.Rand) {
	t.Helper()
	s, err := db.Tenant([]string{"main", "acme"}[rnd.IntN(2)])
	check(t, err)
	check(t, s.Update(t.Context(), func(_ context.Context, tx *engine.Tx) (err error) {
		for range 1 + rnd.IntN(4) {
			key := fmt.Append(nil, rnd.IntN(30))
			switch rnd.IntN(6) {
			case 0:
				err = errors.Join(err, tx.Delete(key))
			case 1:
				err = errors.Join(err, tx.DeleteRange(engine.Range{From: key, To: append(key, '~')}))
			case 2:
				err = errors.Join(err, tx.Put(key, fmt.Appendf(nil, `{"n":%d}`, rnd.IntN(99))))
			default:
				err = errors.Join(err, tx.Put(key, []byte{byte(rnd.IntN(256)), 0xff}))
			}
		}
		return err
	}))
}

// TestBatches: the batches of the log come to what the store holds, from every
// number on, for a writer and for a reader; and each is a line of JSON.
func TestBatches(t *testing.T) { both(t, testBatches) }

func testBatches(t *testing.T) {
	mem, opts := tracked(), quiet
	opts.SegmentSize, opts.Keep = 4<<10, &engine.Keep{All: true}
	rnd := rand.New(rand.NewPCG(1, 2))
	db := open(t, mem.Reopen(), opts)
	for i := range 60 {
		step(t, db, rnd)
		if i%20 == 7 {
			_, err := db.Checkpoint(t.Context())
			check(t, err)
		}
	}
	want, last := contentOf(t, db), db.Stats().Seq
	compare := func(who string, db *engine.DB) {
		t.Helper()
		got, next := fold{}, uint64(1)
		for b, err := range db.Batches(t.Context(), 0) {
			check(t, err)
			var line struct {
				Seq uint64
				Ops []map[string]any
			}
			if text := b.AppendJSON(nil); json.Unmarshal(text, &line) != nil || line.Seq != next || b.Seq != next || len(b.Chain) != 64 || b.Bytes == 0 || b.Time.IsZero() {
				t.Fatalf("%s: %s", who, text)
			}
			got.apply(b)
			next++
		}
		if next != last+1 || !maps.Equal(got, want) {
			t.Errorf("%s: %d batches of %d, %d keys of %d", who, next-1, last, len(got), len(want))
		}
		for from := range last + 2 {
			n := uint64(0)
			for _, err := range db.Batches(t.Context(), from) {
				check(t, err)
				n++
			}
			if n != last+1-max(from, 1) {
				t.Errorf("%s: %d from #%d on", who, n, from)
			}
		}
	}
	compare("writer", db)
	check(t, db.Close())
	for _, err := range db.Batches(t.Context(), 0) {
		want := engine.ErrClosed
		if !errors.Is(err, want) {
			t.Errorf("closed: %v", err)
		}
	}
	opts.ReadOnly, opts.Keep = true, nil
	compare("reader", open(t, mem.Reopen(), opts))
}

// TestBatchesCompacted: what is no longer kept is told, and 0 begins behind it. A loop
// may be broken off, and the log may be cut while it runs.
func TestBatchesCompacted(t *testing.T) { both(t, testBatchesCompacted) }

func testBatchesCompacted(t *testing.T) {
	opts := quiet
	opts.SegmentSize, opts.Keep = 4<<10, &engine.Keep{Checkpoints: 1}
	db := open(t, tracked(), opts)
	for i := range 9 {
		put(t, db, "k", fmt.Sprint(i))
	}
	n := 0
	for range db.Batches(t.Context(), 2) {
		break
	}
	for b, err := range db.Batches(t.Context(), 2) {
		if err != nil { // overtaken
			want(t, "while the log is cut", err, engine.ErrCompacted)
			break
		}
		if n++; n == 3 {
			_, err := db.Checkpoint(t.Context())
			check(t, err)
			put(t, db, "k", "later")
		}
		if b.Seq == 6 {
			break
		}
	}
	if n < 3 {
		t.Errorf("%d batches before the log was cut", n)
	}
	n = 0
	for _, err := range db.Batches(t.Context(), 5) {
		want(t, "from #5", err, engine.ErrCompacted)
		n += 100
	}
	for b, err := range db.Batches(t.Context(), 0) {
		check(t, err)
		if b.Seq != 11 { // Keep is a batch too
			t.Errorf("begins with #%d", b.Seq)
		}
		n += 1000
	}
	if n != 1100 {
		t.Errorf("gone through: %d", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range db.Batches(ctx, 0) {
		want(t, "cancelled", err, context.Canceled)
	}
}

// TestWriterIsNamed: a batch says which store on which machine wrote it, whenever
// that is opened, and no other store says the same.
func TestWriterIsNamed(t *testing.T) { both(t, testWriterIsNamed) }

func testWriterIsNamed(t *testing.T) {
	writers := map[string]bool{}
	for store := range 3 {
		mem := tracked()
		mine := map[string]bool{}
		for opening := range 2 {
			db := open(t, mem.Reopen(), quiet)
			put(t, db, "k", fmt.Sprint(store, opening))
			for b, err := range db.Batches(t.Context(), 0) {
				check(t, err)
				var line struct{ Writer string }
				check(t, json.Unmarshal(b.AppendJSON(nil), &line))
				mine[line.Writer], writers[line.Writer] = true, true
			}
			check(t, db.Close())
		}
		if len(mine) != 1 || mine[strings.Repeat("0", 32)] {
			t.Errorf("a store's writers: %v", mine)
		}
	}
	if len(writers) != 3 {
		t.Errorf("three stores: %v", writers)
	}
}
