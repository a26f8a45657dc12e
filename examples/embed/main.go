// Command embed is a whole program that embeds vlog: it counts how often it ran.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strconv"

	"github.com/vlogdb/vlog/engine"
)

func main() {
	if err := run(context.Background(), "mystore"); err != nil {
		log.Fatal(err)
	}
}

// run opens the store, adds one to a counter, and lists what is there.
func run(ctx context.Context, dir string) (err error) {
	db, err := engine.Open(ctx, dir, engine.Options{})
	if err != nil {
		return err // names the file, what is wrong with it, and what to do
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	// All of a transaction, or nothing. Where another writer was faster, Update runs
	// the function again; so it must leave no traces elsewhere.
	err = db.Update(ctx, func(_ context.Context, tx *engine.Tx) error {
		runs, err := tx.Get([]byte("runs"))
		if errors.Is(err, engine.ErrNotFound) {
			runs, err = []byte("0"), nil // the first run
		}
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(runs))
		if err != nil {
			return err
		}
		return tx.Put([]byte("runs"), []byte(strconv.Itoa(n+1)))
	})
	if err != nil {
		return err // nothing was written, unless it is engine.ErrAmbiguous
	}
	// From here on the counter is on disk, whatever happens to this process.
	for e, err := range db.Scan(ctx, engine.Range{}) {
		if err != nil {
			return err
		}
		fmt.Printf("%s = %s (batch #%d)\n", e.Key, e.Value, e.Seq)
	}
	return nil
}
