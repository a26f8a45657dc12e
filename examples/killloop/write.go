package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"

	"github.com/vlogdb/vlog/engine"
)

// The keys of writer w: each of its transactions sets both to the same counter, so
// that half a transaction shows.
func leftKey(w int) []byte  { return fmt.Appendf(nil, "left/%04d", w) }
func rightKey(w int) []byte { return fmt.Appendf(nil, "right/%04d", w) }

// itemKey is where writer w keeps what it wrote at counter n.
func itemKey(w int, n uint64) []byte { return fmt.Appendf(nil, "item/%04d/%012d", w, n) }

// write lets every writer count up from what the store holds, one transaction a
// step, and prints "writer counter" once each is acknowledged. It never ends.
func write(ctx context.Context, s setting, out io.Writer) error {
	db, err := engine.Open(ctx, s.dir, engine.Options{Codec: s.codec, SegmentSize: 256 << 10, CheckpointAfter: 512 << 10})
	if err != nil {
		return err
	}
	acks := &acks{out: bufio.NewWriter(out)}
	var wg sync.WaitGroup
	var mu sync.Mutex
	for w := range s.writers {
		wg.Go(func() {
			e := count(ctx, db, w, acks)
			mu.Lock()
			err = errors.Join(err, e)
			mu.Unlock()
		})
	}
	wg.Wait()
	return errors.Join(err, db.Close())
}

// writeAndExit is all that the killed process does. It comes to its end only where
// something went wrong.
func writeAndExit(ctx context.Context, s setting) {
	fmt.Fprintln(os.Stderr, "writer:", write(ctx, s, os.Stdout))
	os.Exit(writerFailed)
}

// acks prints acknowledgements, each flushed before the next write of its writer.
type acks struct {
	mu  sync.Mutex // guards out
	out *bufio.Writer
}

func (a *acks) tell(w int, n uint64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, err := fmt.Fprintf(a.out, "%d %d\n", w, n); err != nil {
		return err
	}
	return a.out.Flush()
}

func count(ctx context.Context, db *engine.DB, w int, a *acks) error {
	for {
		var n uint64
		err := db.Update(ctx, func(_ context.Context, tx *engine.Tx) (err error) {
			if n, err = counter(tx.Get(leftKey(w))); err != nil {
				return err
			}
			n++
			value := []byte(strconv.FormatUint(n, 10))
			return errors.Join(tx.Put(leftKey(w), value), tx.Put(rightKey(w), value), tx.Put(itemKey(w, n), value), drop(tx, w, n))
		})
		if err != nil {
			return err
		}
		if err := a.tell(w, n); err != nil {
			return err
		}
	}
}

// keepItems is how many items of a writer stay.
const keepItems = 20

func drop(tx *engine.Tx, w int, n uint64) error {
	if n <= keepItems {
		return nil
	}
	return tx.Delete(itemKey(w, n-keepItems))
}

// counter reads a counter; none is 0.
func counter(value []byte, err error) (uint64, error) {
	if errors.Is(err, engine.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(string(value), 10, 64)
}
