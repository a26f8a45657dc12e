package engine_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

func number(b []byte) uint64 {
	if len(b) != 8 {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

func bytesOf(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }

// TestNoLivelock: on a slow disk many writers increment one key and all finish,
// sharing syncs; meanwhile nobody reads what a power cut at that moment takes away.
func TestNoLivelock(t *testing.T) { both(t, testNoLivelock) }

func testNoLivelock(t *testing.T) {
	const writers, each, readers, delay = 64, 5, 4, 5 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		mem := tracked()
		db := open(t, vfs.NewSlow(mem.Reopen(), vfs.SlowSyncs(delay)), quiet)
		key := []byte("n")
		check(t, db.Put(t.Context(), key, bytesOf(0)))
		ctx, stop := context.WithCancel(t.Context())
		var looked atomic.Int64
		var wg, reading sync.WaitGroup
		for i := range readers {
			reading.Go(func() {
				for ctx.Err() == nil {
					n := readNumber(t, db, key, i%2 == 0)
					if left := afterPowerCut(t, mem, key); left < n {
						t.Errorf("read %d, and after a power cut it is %d", n, left)
					}
					looked.Add(1)
					time.Sleep(time.Duration(i+1) * 700 * time.Microsecond)
				}
			})
		}
		began := time.Now()
		for range writers {
			wg.Go(func() {
				for range each {
					if err := db.Update(t.Context(), increment(key)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		took := time.Since(began)
		stop()
		reading.Wait()
		if n := readNumber(t, db, key, true); n != writers*each {
			t.Errorf("%d increments made %d", writers*each, n)
		}
		// One at a time would take a sync each.
		if took > writers*each*delay || looked.Load() < 100 {
			t.Errorf("%d increments took %v, %+v, looked %d times", writers*each, took, db.Stats(), looked.Load())
		}
		t.Logf("%d increments in %v of a disk with syncs of %v: %+v, looked %d times", writers*each, took, delay, db.Stats(), looked.Load())
		check(t, db.Close())
	})
}

func increment(key []byte) func(context.Context, *engine.Tx) error {
	return func(_ context.Context, tx *engine.Tx) error {
		v, err := tx.Get(key)
		if err != nil {
			return err
		}
		return tx.Put(key, bytesOf(number(v)+1))
	}
}

func readNumber(t testing.TB, db *engine.DB, key []byte, view bool) (n uint64) {
	t.Helper()
	if view {
		check(t, db.View(context.Background(), func(_ context.Context, tx *engine.Tx) error {
			v, err := tx.Get(key)
			n = number(v)
			return err
		}))
		return n
	}
	v, err := db.Get(context.Background(), key)
	check(t, err)
	return number(v)
}

// afterPowerCut returns what a power cut now would leave of a number.
func afterPowerCut(t testing.TB, mem *vfs.Mem, key []byte) uint64 {
	t.Helper()
	opts := quiet
	opts.ReadOnly = true // changes nothing, so it shows no less than opening for writing does
	db, err := engine.OpenFS(context.Background(), mem.Crash(vfs.Lost, 1), opts)
	check(t, err)
	n := readNumber(t, db, key, false)
	check(t, db.Close())
	return n
}

// The bank of TestBank.
const (
	accounts  = 10
	workers   = 8
	transfers = 120 // of each worker
	inAll     = accounts * 100
)

func account(n int) []byte { return fmt.Appendf(nil, "account/%02d", n) }

// TestBank: transfers between accounts in every mode at once. The sum stays, for
// readers in between as well; nobody goes below zero. Once with goroutines as they
// come, once on a slow disk where transactions take long and so meet.
func TestBank(t *testing.T) { both(t, testBank) }

func testBank(t *testing.T) {
	db, err := engine.OpenMemory(t.Context(), engine.Options{})
	check(t, err)
	bank(t, db, func(*rand.Rand) { runtime.Gosched() })
	check(t, db.Close())
	synctest.Test(t, func(t *testing.T) {
		db := open(t, vfs.NewSlow(tracked(), vfs.SlowSyncs(time.Millisecond)), quiet)
		bank(t, db, func(rng *rand.Rand) { time.Sleep(time.Duration(rng.IntN(3000)) * time.Microsecond) })
		if s := db.Stats(); s.Conflicts < transfers {
			t.Errorf("they hardly meet: %+v", s)
		}
		check(t, db.Close())
	})
}

func bank(t *testing.T, db *engine.DB, pause func(rng *rand.Rand)) {
	check(t, db.Update(t.Context(), func(_ context.Context, tx *engine.Tx) (err error) {
		for n := range accounts {
			err = errors.Join(err, tx.Put(account(n), bytesOf(inAll/accounts)))
		}
		return err
	}))
	var wg sync.WaitGroup
	var moved atomic.Int64
	for w := range workers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(w)))
			for i := range transfers {
				mode := engine.Mode(rng.IntN(4))
				if i%10 > 0 && mode == engine.Exclusive {
					mode = engine.Deferred // the others should meet too
				}
				done, err := transfer(db, mode, rng, pause)
				if err != nil {
					t.Errorf("%v: %v", mode, err)
				}
				if done {
					moved.Add(1)
				}
				if total := viewSum(t, db); total != inAll {
					t.Errorf("a reader sees %d in all", total)
				}
			}
		})
	}
	wg.Wait()
	if total := viewSum(t, db); total != inAll || moved.Load() < transfers {
		t.Errorf("%d in all after %d transfers", total, moved.Load())
	}
	t.Logf("%d transfers, %+v", moved.Load(), db.Stats())
}

// sum adds up all accounts.
func sum(tx *engine.Tx) (total uint64, err error) {
	n := 0
	for e, err := range tx.Scan(engine.Range{Prefix: []byte("account/")}) {
		if err != nil {
			return 0, err
		}
		total += number(e.Value)
		n++
	}
	if n != accounts {
		err = fmt.Errorf("%d accounts", n)
	}
	return total, err
}

func viewSum(t testing.TB, db *engine.DB) (total uint64) {
	if err := db.View(context.Background(), func(_ context.Context, tx *engine.Tx) (err error) {
		total, err = sum(tx)
		return err
	}); err != nil {
		t.Error(err)
	}
	return total
}

var errPoor = errors.New("not enough")

// transfer moves an amount where there is enough; Reading stands for Update.
func transfer(db *engine.DB, mode engine.Mode, rng *rand.Rand, pause func(*rand.Rand)) (done bool, err error) {
	from, to, amount := account(rng.IntN(accounts)), account(rng.IntN(accounts)), uint64(1+rng.IntN(150))
	move := func(_ context.Context, tx *engine.Tx) error {
		a, err := tx.Get(from)
		if err != nil {
			return err
		}
		if number(a) < amount {
			return errPoor
		}
		if err := tx.Put(from, bytesOf(number(a)-amount)); err != nil {
			return err
		}
		pause(rng)
		b, err := tx.Get(to)
		if err != nil {
			return err
		}
		return tx.Put(to, bytesOf(number(b)+amount))
	}
	ctx := context.Background()
	if mode == engine.Reading {
		err = db.Update(ctx, move)
	} else {
		err = inMode(ctx, db, mode, move)
	}
	if err == errPoor {
		return false, nil
	}
	return err == nil, err
}

// inMode runs fn in a mode until it does not conflict.
func inMode(ctx context.Context, db *engine.DB, mode engine.Mode, fn func(context.Context, *engine.Tx) error) error {
	for {
		tx, err := db.Begin(ctx, mode)
		if err != nil {
			return err
		}
		if err := fn(ctx, tx); err != nil {
			if back := tx.Rollback(); back != nil {
				return back
			}
			return err
		}
		err = tx.Commit()
		if !errors.Is(err, engine.ErrConflict) {
			return err
		}
		if mode != engine.Deferred {
			return fmt.Errorf("a conflict in the writer's place: %w", err)
		}
	}
}

// TestCloseUnderLoad: everything at once, and Close in the middle. Each call goes
// well or is ErrClosed; what was answered is there afterwards, and nothing else.
func TestCloseUnderLoad(t *testing.T) { both(t, testCloseUnderLoad) }

func testCloseUnderLoad(t *testing.T) {
	for round := range 8 {
		mem := tracked()
		db := open(t, mem.Reopen(), engine.Options{CheckpointAfter: 1000, CheckpointRate: -1, SegmentSize: 2 << 10})
		var wg sync.WaitGroup
		var mu sync.Mutex
		told := map[string]bool{} // by key: answered with nil
		begun := make(chan struct{}, 1)
		for w := range 8 {
			wg.Go(func() {
				for n := 0; ; n++ {
					key := fmt.Sprintf("%d-%d", w, n)
					err := useOnce(db, (w+n)%8, key)
					if err != nil && !errors.Is(err, engine.ErrClosed) && !errors.Is(err, engine.ErrNotFound) {
						t.Errorf("%d: %v", (w+n)%8, err)
					}
					mu.Lock()
					told[key] = err == nil && (w+n)%8 < 5
					mu.Unlock()
					if errors.Is(err, engine.ErrClosed) {
						return
					}
					if n == 10+round {
						select {
						case begun <- struct{}{}:
						default:
						}
					}
				}
			})
		}
		<-begun
		check(t, db.Close())
		wg.Wait()
		db = open(t, mem.Reopen(), quiet)
		if r := db.Report(); !r.Clean {
			t.Errorf("reopened: %+v", r)
		}
		for key, want := range told {
			if has, err := db.Has(t.Context(), []byte(key)); err != nil || has != want {
				t.Errorf("%s: it is there: %v %v, it was told so: %v", key, has, err, want)
			}
		}
		check(t, db.Close())
	}
}

// TestBeginDuringClose: whatever begins while the database closes is over when it is
// closed, or did not begin.
func TestBeginDuringClose(t *testing.T) { both(t, testBeginDuringClose) }

func testBeginDuringClose(t *testing.T) {
	for range 60 {
		db, err := engine.OpenMemory(t.Context(), quiet)
		check(t, err)
		var txs [engine.Reading + 1][]*engine.Tx
		var wg sync.WaitGroup
		for mode := range engine.Mode(len(txs)) {
			wg.Go(func() {
				for err := error(nil); err == nil; {
					var tx *engine.Tx
					if tx, err = db.Begin(context.Background(), mode); err == nil {
						txs[mode] = append(txs[mode], tx)
					} else {
						want(t, mode.String(), err, engine.ErrClosed)
					}
					if n := len(txs[mode]); n > 1 && err == nil { // one is left open
						err = txs[mode][n-2].Rollback()
					}
				}
			})
		}
		for db.Stats().OpenTx == 0 {
			runtime.Gosched()
		}
		check(t, db.Close())
		wg.Wait()
		for mode, txs := range txs {
			for _, tx := range txs[max(0, len(txs)-2):] {
				if _, err := tx.Get(nil); !errors.Is(err, engine.ErrClosed) && !errors.Is(err, engine.ErrNotInTx) {
					t.Errorf("%v: get after close: %v", engine.Mode(mode), err)
				}
			}
		}
	}
}

// useOnce uses a database in one of eight ways; the first five put a key.
func useOnce(db *engine.DB, way int, key string) error {
	ctx := context.Background()
	switch way {
	case 0:
		return db.Put(ctx, []byte(key), nil)
	case 1, 2, 3:
		return inMode(ctx, db, engine.Mode(way-1), putIn(key, ""))
	case 4:
		p, err := db.Submit(ctx, putIn(key, ""))
		if err != nil {
			return err
		}
		_, err = p.Wait(ctx)
		return err
	case 5:
		_, err := db.Get(ctx, []byte(key))
		return err
	case 6:
		for _, err := range db.Scan(ctx, engine.Range{}) {
			if err != nil {
				return err
			}
		}
		_, err := db.Info(ctx)
		return err
	}
	_, err := db.Checkpoint(ctx)
	return errors.Join(err, db.Sync(ctx))
}
