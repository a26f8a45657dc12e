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

	"github.com/anishathalye/porcupine"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// registers are the keys of the histories; a value of 0 is a key that is not there.
const registers = 4

// deed is one thing that a transaction did, with what it saw: a get, a put or delete
// (value 0), or a count of the keys.
type deed struct {
	what  byte // g, p, c
	key   int
	value uint64
}

func register(n int) []byte { return fmt.Append(nil, "r", n) }

// deeds is one transaction. Its changes count only where it was committed.
type deeds struct {
	list      []deed
	committed bool
	seq       uint64 // of its batch, where that is known
}

// serial says what may come of transactions one after the other.
var serial = porcupine.Model{
	Init: func() any { return [registers]uint64{} },
	Step: func(state, input, _ any) (bool, any) {
		before, d := state.([registers]uint64), input.(*deeds)
		after, ok := d.play(before)
		if !d.committed {
			after = before
		}
		return ok, after
	},
	DescribeOperation: func(input, _ any) string { return fmt.Sprintf("%+v", *input.(*deeds)) },
}

// play says whether the transaction can have seen what it saw where the store held
// s, and what that holds then.
func (d *deeds) play(s [registers]uint64) ([registers]uint64, bool) {
	for _, x := range d.list {
		switch x.what {
		case 'g':
			if s[x.key] != x.value {
				return s, false
			}
		case 'p':
			s[x.key] = x.value
		case 'c':
			n := uint64(0)
			for _, v := range s {
				n += min(v, 1)
			}
			if n != x.value {
				return s, false
			}
		}
	}
	return s, true
}

// witness writes down what transactions did and when.
type witness struct {
	db    *engine.DB
	clock atomic.Int64 // orders calls and returns
	value atomic.Uint64

	mu      sync.Mutex // guards history
	history []porcupine.Operation
}

// run runs one random transaction and notes it where it is known what came of it.
func (w *witness) run(client int, rng *rand.Rand) error {
	called, d := w.clock.Add(1), &deeds{}
	err := w.transaction(rng, d)
	d.committed = err == nil
	switch {
	case errors.Is(err, engine.ErrNoSpace), errors.Is(err, engine.ErrConflict):
		return nil // nothing was written, and what it saw may have been taken back
	case err != nil && !errors.Is(err, errPoor):
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.history = append(w.history, porcupine.Operation{ClientId: client, Input: d, Call: called, Return: w.clock.Add(1)})
	return nil
}

// transaction does random things in one of six ways; errPoor where it gave up itself.
func (w *witness) transaction(rng *rand.Rand, d *deeds) error {
	ctx := context.Background()
	switch way := rng.IntN(6); way {
	case 0:
		return w.db.View(ctx, func(_ context.Context, tx *engine.Tx) error { return w.look(tx, rng, d) })
	case 1, 2:
		var last *engine.Tx
		err := w.db.Update(ctx, func(_ context.Context, tx *engine.Tx) error { last = tx; return w.act(tx, rng, d) })
		d.seq = last.Seq()
		return err
	case 3:
		p, err := w.db.Submit(ctx, func(_ context.Context, tx *engine.Tx) error { return w.act(tx, rng, d) })
		if err != nil {
			return err
		}
		d.seq, err = p.Wait(ctx)
		return err
	default:
		tx, err := w.db.Begin(ctx, engine.Mode(way-4)) // Deferred or Immediate
		if err != nil {
			return err
		}
		if err := w.act(tx, rng, d); err != nil {
			return errors.Join(err, tx.Rollback())
		}
		err = tx.Commit()
		d.seq = tx.Seq()
		return err
	}
}

// act reads and writes, and gives up now and then.
func (w *witness) act(tx *engine.Tx, rng *rand.Rand, d *deeds) error {
	d.list = d.list[:0]
	if err := w.look(tx, rng, d); err != nil {
		return err
	}
	time.Sleep(time.Duration(rng.IntN(1500)) * time.Microsecond)
	for range rng.IntN(3) {
		key, value := rng.IntN(registers), w.value.Add(1)
		err := error(nil)
		if rng.IntN(3) == 0 {
			value, err = 0, tx.Delete(register(key))
		} else {
			err = tx.Put(register(key), bytesOf(value))
		}
		if err != nil {
			return err
		}
		d.list = append(d.list, deed{'p', key, value})
	}
	if rng.IntN(8) == 0 {
		return errPoor
	}
	return w.look(tx, rng, d)
}

// look reads one or two registers, or counts them.
func (w *witness) look(tx *engine.Tx, rng *rand.Rand, d *deeds) error {
	if rng.IntN(4) == 0 {
		n, err := tx.Count(engine.Range{Prefix: []byte("r")})
		d.list = append(d.list, deed{'c', 0, uint64(n)})
		return err
	}
	for range 1 + rng.IntN(2) {
		key := rng.IntN(registers)
		v, err := tx.Get(register(key))
		if err != nil && !errors.Is(err, engine.ErrNotFound) {
			return err
		}
		d.list = append(d.list, deed{'g', key, number(v)})
	}
	return nil
}

// TestHistory: whatever many do at once, in every mode, on a slow disk that is full
// now and then, is as if they had done it one after the other, each between its call
// and its return.
func TestHistory(t *testing.T) { both(t, testHistory) }

func testHistory(t *testing.T) {
	for seed := range uint64(12) {
		synctest.Test(t, func(t *testing.T) {
			var n atomic.Int64
			full := vfs.NewFail(vfs.NewSlow(tracked(), vfs.SlowSyncs(time.Millisecond)), vfs.InjectorFunc(func(op vfs.Op) error {
				if op.Kind == vfs.OpWrite && seed%2 == 1 && n.Add(1)%5 == 0 {
					return engine.ErrNoSpace
				}
				return nil
			}))
			w := &witness{db: open(t, full, quiet)}
			var wg sync.WaitGroup
			for client := range 6 {
				wg.Go(func() {
					rng := rand.New(rand.NewPCG(seed, uint64(client)))
					for range 40 {
						if err := w.run(client, rng); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			if s := w.db.Stats(); len(w.history) < 100 || s.Conflicts < 5 || s.Groups >= s.Commits {
				t.Errorf("they hardly meet: %d known, %+v", len(w.history), s)
			}
			if !porcupine.CheckOperations(serial, w.history) {
				t.Errorf("seed %d: no order explains %d transactions", seed, len(w.history))
			}
		})
	}
}
