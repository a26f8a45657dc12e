package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/examples/cities"
)

// demoWriterName is the hidden verb by which the demonstration starts its writer.
const demoWriterName = "demo-writer"

func (a *app) demoWriterCommand() *cobra.Command {
	return &cobra.Command{Use: demoWriterName + " DIR", Hidden: true, RunE: func(cmd *cobra.Command, args []string) error {
		w, err := a.take(args, 0, 0)
		if err != nil {
			return err
		}
		groups, err := demoGroups()
		if err != nil {
			return err
		}
		return a.with(cmd.Context(), w.dir, engine.Options{MustExist: true}, func(db *engine.DB) error { return a.demoWriters(cmd.Context(), db, groups) })
	}}
}

// demoWriters writes the groups with several goroutines and prints the number of
// each once it is on disk.
func (a *app) demoWriters(ctx context.Context, db *engine.DB, groups [][]cities.City) error {
	var next atomic.Int64
	var mu sync.Mutex // guards a.out and failed
	var failed error
	var wg sync.WaitGroup
	for range demoWriters {
		wg.Go(func() {
			for n := int(next.Add(1)) - 1; n < len(groups); n = int(next.Add(1)) - 1 {
				err := demoWrite(ctx, db, groups[n], n)
				mu.Lock()
				if err == nil {
					err = a.print("%d", n)
				}
				failed = errors.Join(failed, err)
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return failed
}

func cityKey(c cities.City) []byte { return fmt.Appendf(nil, "city/%s/%d", c.Country, c.ID) }

func groupKey(n int) []byte { return fmt.Appendf(nil, "group/%04d", n) }

func countryKey(country string) []byte { return []byte("country/" + country) }

// demoWrite stores the cities of one group in one transaction, adds their people
// to the countries' sums, and notes the group; a group that is noted already
// changes nothing.
func demoWrite(ctx context.Context, db *engine.DB, group []cities.City, n int) error {
	return db.Update(ctx, func(_ context.Context, tx *engine.Tx) error {
		if has, err := tx.Has(groupKey(n)); err != nil || has {
			return err
		}
		for _, c := range group {
			value, err := json.Marshal(c)
			if err != nil {
				return err
			}
			if err := tx.Put(cityKey(c), value); err != nil {
				return err
			}
			if err := addPeople(tx, c); err != nil {
				return err
			}
		}
		return tx.Put(groupKey(n), []byte(strconv.Itoa(len(group))))
	})
}

func addPeople(tx *engine.Tx, c cities.City) error {
	sum := 0
	old, err := tx.Get(countryKey(c.Country))
	if err == nil {
		sum, err = strconv.Atoi(string(old))
	} else if errors.Is(err, engine.ErrNotFound) {
		err = nil
	}
	if err != nil {
		return err
	}
	return tx.Put(countryKey(c.Country), []byte(strconv.Itoa(sum+c.Population)))
}
