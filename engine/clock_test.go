package engine_test

import (
	"testing"
	"time"

	"github.com/vlogdb/vlog/engine"
)

// TestClockBeyond: a clock that stands where nanoseconds do not reach counts as the
// first or last moment that they do, and nothing fails for it.
func TestClockBeyond(t *testing.T) { both(t, testClockBeyond) }

func testClockBeyond(t *testing.T) {
	mem := tracked()
	opts := quiet
	opts.Keep = &engine.Keep{For: time.Hour}
	for _, at := range []time.Time{{}, time.Unix(1<<40, 0), time.Unix(-1<<40, 0), {}} {
		opts.Clock = func() time.Time { return at }
		db := open(t, mem.Reopen(), opts)
		put(t, db, "a", at.String())
		put(t, db, "b", at.String())
		for b, err := range db.Batches(t.Context(), db.Durable()) {
			if check(t, err); at.Before(b.Time) != (at.Year() < 1678) || b.Time.Year() < 1677 || b.Time.Year() > 2262 {
				t.Errorf("a batch of %v at %v", b.Time, at)
			}
		}
		check(t, db.Close())
	}
}
