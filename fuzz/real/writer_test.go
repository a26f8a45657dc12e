package real

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/vlogdb/vlog/engine"
)

// writers is how many goroutines of a child write.
const writers = 6

// The keys of writer w: each of its transactions sets both to the same count and puts
// an item, so that half a transaction shows.
func leftKey(w int) []byte        { return fmt.Appendf(nil, "left/%d", w) }
func rightKey(w int) []byte       { return fmt.Appendf(nil, "right/%d", w) }
func itemKey(w int, n int) []byte { return fmt.Appendf(nil, "item/%d/%08d", w, n%50) }
func itemValue(w int, n int) []byte {
	return fmt.Appendf(nil, "%d %d %s", w, n, strings.Repeat("i", n*37%700))
}

// busy are options under which a store rotates, prepares files, uses them again and
// writes checkpoints all the time.
func busy() engine.Options {
	return engine.Options{SegmentSize: 32 << 10, CheckpointAfter: 48 << 10, CheckpointRate: -1, MustExist: true}
}

// beWriter is the child that writes until it is killed: it prints writer, count and
// number of the batch once each is answered, and backs up beside.
func beWriter(ctx context.Context, dir, place string) error {
	db, err := engine.Open(ctx, dir, busy())
	if err != nil {
		return err
	}
	failed := make(chan error, writers+1)
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() { failed <- countUp(ctx, db, w) })
	}
	all.Go(func() { failed <- backUp(ctx, db, place) })
	err = <-failed // none of them ends otherwise
	return fmt.Errorf("a writer: %w", err)
}

// countUp counts up from what the store holds, a transaction for each step.
func countUp(ctx context.Context, db *engine.DB, w int) error {
	for {
		var n int
		var tx *engine.Tx
		if err := db.Update(ctx, func(_ context.Context, t *engine.Tx) (err error) {
			tx = t
			if n, err = countOf(t.Get(leftKey(w))); err != nil {
				return err
			}
			n++
			count := strconv.AppendInt(nil, int64(n), 10)
			return errors.Join(t.Put(leftKey(w), count), t.Put(itemKey(w, n), itemValue(w, n)), t.Put(rightKey(w), count))
		}); err != nil {
			return err
		}
		if _, err := fmt.Println(w, n, tx.Seq()); err != nil { // one write: lines do not mix
			return err
		}
	}
}

// countOf reads a count; none is 0.
func countOf(value []byte, err error) (int, error) {
	if errors.Is(err, engine.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(value))
}

// backUp backs up without end. Where files go faster than they are copied that is no
// failure, the next one begins with what is there then.
func backUp(ctx context.Context, db *engine.DB, place string) error {
	for n := 0; ; n++ {
		_, err := db.Backup(ctx, place, engine.BackupOptions{Prune: n%2 == 1})
		if err != nil && !errors.Is(err, engine.ErrCompacted) {
			return err
		}
	}
}

// beBacker is the child that backs up what another process writes, until it is killed.
func beBacker(ctx context.Context, dir, place string) error {
	for n := 0; ; n++ {
		_, err := engine.Backup(ctx, dir, place, engine.BackupOptions{Prune: n%2 == 1})
		if err != nil && !errors.Is(err, engine.ErrCompacted) {
			return err
		}
		fmt.Println("backed up")
	}
}
