package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// told is what became of a key as its writer was told.
type told struct {
	puts bool // else it deletes
	err  error
}

// quitters write, each key once, with contexts that end at any moment.
type quitters struct {
	db *engine.DB

	mu   sync.Mutex // guards told
	told map[string]told
}

// once puts a key that is not there, or deletes one that is.
func (q *quitters) once(key string, rng *rand.Rand) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), time.Duration(rng.IntN(6000))*time.Microsecond, errors.New("enough"))
	defer cancel()
	puts := rng.IntN(2) == 0
	err := q.write(ctx, rng.IntN(5), func(_ context.Context, tx *engine.Tx) error {
		if puts {
			return tx.Put([]byte("put/"+key), nil)
		}
		return tx.Delete([]byte("del/" + key))
	})
	q.mu.Lock()
	defer q.mu.Unlock()
	q.told[key] = told{puts, err}
}

func (q *quitters) write(ctx context.Context, way int, fn func(context.Context, *engine.Tx) error) error {
	switch way {
	case 0, 1:
		return q.db.Update(ctx, fn)
	case 2:
		p, err := q.db.Submit(ctx, fn)
		if err == nil {
			_, err = p.Wait(ctx)
		}
		return err
	}
	tx, err := q.db.Begin(ctx, engine.Mode(way-3))
	if err != nil {
		return err
	}
	if err := fn(ctx, tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// holds compares what is there with what was told, and counts how it went.
func (q *quitters) holds(t *testing.T, db *engine.DB, outcomes map[string]int) {
	for key, told := range q.told {
		name := "del/" + key
		if told.puts {
			name = "put/" + key
		}
		has, err := db.Has(t.Context(), []byte(name))
		check(t, err)
		written := has == told.puts
		switch {
		case told.err == nil && !written:
			t.Errorf("%s was written, it was told, and is not", name)
		case told.err != nil && !errors.Is(told.err, engine.ErrAmbiguous) && written:
			t.Errorf("%s was not written, it was told, and is: %v", name, told.err)
		}
		outcomes[fmt.Sprint(told.err == nil, errors.Is(told.err, engine.ErrAmbiguous))]++
	}
}

// TestGiveUpAnywhere: whoever gives up, at whatever moment, is told the truth or that
// it is not known, also where the disk is full now and then, and where the power
// goes at the end.
func TestGiveUpAnywhere(t *testing.T) { both(t, testGiveUpAnywhere) }

func testGiveUpAnywhere(t *testing.T) {
	outcomes := map[string]int{}
	for seed := range uint64(16) {
		synctest.Test(t, func(t *testing.T) {
			mem, n := tracked(), atomic.Int64{}
			disk := vfs.NewFail(vfs.NewSlow(mem.Reopen(), vfs.SlowSyncs(time.Millisecond)), vfs.InjectorFunc(func(op vfs.Op) error {
				if op.Kind == vfs.OpWrite && seed%2 == 1 && n.Add(1)%4 == 0 {
					return engine.ErrNoSpace
				}
				return nil
			}))
			q := &quitters{db: open(t, disk, quiet), told: map[string]told{}}
			check(t, q.prepare(t))
			var wg sync.WaitGroup
			for w := range 10 {
				wg.Go(func() {
					rng := rand.New(rand.NewPCG(seed, uint64(w)))
					for n := range 40 {
						q.once(fmt.Sprint(w, "-", n), rng)
					}
				})
			}
			wg.Wait()
			err := q.db.Sync(t.Context())
			if errors.Is(err, engine.ErrNoSpace) { // of what was submitted, and nobody waited for
				err = q.db.Sync(t.Context())
			}
			check(t, err)
			q.holds(t, q.db, outcomes)
			q.holds(t, open(t, mem.Crash(vfs.Lost, seed), quiet), outcomes)
		})
	}
	if len(outcomes) != 3 {
		t.Errorf("only %v", outcomes)
	}
}

// prepare puts what is to be deleted, against a disk that is full now and then.
func (q *quitters) prepare(t *testing.T) (err error) {
	for range 3 {
		err = q.db.Update(t.Context(), func(_ context.Context, tx *engine.Tx) (err error) {
			for w := range 10 {
				for n := range 40 {
					err = errors.Join(err, tx.Put(fmt.Append(nil, "del/", w, "-", n), nil))
				}
			}
			return err
		})
		if err == nil {
			break
		}
	}
	return err
}
