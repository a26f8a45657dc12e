package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// TestFullDisk fills a disk, whatever its size, until a put finds no space. Then
// reading goes on, everything can be deleted, checkpoints make room, puts go on, and
// closing and opening again leave nothing behind.
//
// A log of lines keeps the room for that in a file of its own.
func TestFullDisk(t *testing.T) { both(t, testFullDisk) }

func testFullDisk(t *testing.T) {
	for extra := int64(0); extra < 140; extra++ {
		full := &fullDisk{T: t, mem: tracked(), room: (40 + extra) * 4096, what: fmt.Sprintf("%d blocks", 40+extra)}
		full.mem.SetCapacity(full.room)
		full.db = open(t, full.mem.Reopen(), full.options())
		full.fill()
		full.empty()
		full.closeFull()
		full.goOn()
	}
}

// fullDisk is a store on a disk without space.
type fullDisk struct {
	*testing.T
	mem  *vfs.Mem
	db   *engine.DB
	room int64 // bytes of the disk
	keys int
	what string

	short int // checkpoints that found no space
}

func (f *fullDisk) options() engine.Options {
	opts := quiet
	opts.SegmentSize = 256 << 10
	return opts
}

// fill puts until there is no space, twice.
func (f *fullDisk) fill() {
	value := []byte(strings.Repeat("v", 3000))
	for failed := 0; failed < 2; {
		err := f.db.Put(f.Context(), fmt.Append(nil, "key", f.keys), value)
		if err == nil {
			f.keys++
			continue
		}
		if failed++; !errors.Is(err, engine.ErrNoSpace) || errors.Is(err, engine.ErrAmbiguous) {
			f.Fatalf("%s: put %d: %v", f.what, f.keys, err)
		}
	}
	if n, err := f.db.Count(f.Context(), engine.Range{}); n != f.keys || n < 10 || err != nil {
		f.Fatalf("%s: %d keys, put were %d: %v", f.what, n, f.keys, err)
	}
}

// empty deletes every key, in some transactions.
func (f *fullDisk) empty() {
	const most = 60 // a segment keeps room for 64
	each := f.keys/most + 1
	for i := 0; i < f.keys; i += each {
		if err := f.db.Update(f.Context(), func(_ context.Context, tx *engine.Tx) error { return f.deletes(tx, i, each) }); err != nil {
			f.Fatalf("%s: delete %d of %d: %v", f.what, i, f.keys, err)
		}
	}
	if err := f.db.Put(f.Context(), []byte("big"), make([]byte, 60<<10)); !errors.Is(err, engine.ErrNoSpace) {
		f.Fatalf("%s: a put still: %v", f.what, err)
	}
}

func (f *fullDisk) deletes(tx *engine.Tx, i, n int) (err error) {
	for k := i; k < i+n; k++ {
		err = errors.Join(err, tx.Delete(fmt.Append(nil, "key", k)))
	}
	return err
}

// closeFull closes and opens the store without a byte more on the disk.
func (f *fullDisk) closeFull() {
	check(f.T, f.db.Close())
	f.db = open(f.T, f.mem.Reopen(), f.options())
	if r := f.db.Report(); !r.Clean || int(r.Last) <= f.keys {
		f.Fatalf("%s: %+v", f.what, r)
	}
}

// goOn takes checkpoints, which drop the log, and puts again. A checkpoint needs
// some blocks before it gives many; where they are not there, somebody else has to
// let them go.
func (f *fullDisk) goOn() {
	for range 2 {
		_, err := f.db.Checkpoint(f.Context())
		if errors.Is(err, engine.ErrNoSpace) {
			f.short++
			f.mem.SetCapacity(f.room + 4*4096)
			_, err = f.db.Checkpoint(f.Context())
		}
		if err != nil {
			f.Fatalf("%s: checkpoint: %v", f.what, err)
		}
		check(f.T, f.db.Delete(f.Context(), []byte("none")))
	}
	for i := range f.keys / 2 {
		if err := f.db.Put(f.Context(), fmt.Append(nil, "key", i), make([]byte, 3000)); err != nil {
			f.Fatalf("%s: put %d again: %v", f.what, i, err)
		}
	}
	check(f.T, f.db.Close())
}

// TestDeleteAmongPuts: on a full disk an Update that only deletes goes through, though
// many put what it reads, in vain, by themselves and in the writer's place.
func TestDeleteAmongPuts(t *testing.T) { both(t, testDeleteAmongPuts) }

func testDeleteAmongPuts(t *testing.T) {
	const keys, most = 10, 8 // runs of one Update
	synctest.Test(t, func(t *testing.T) {
		mem := tracked()
		mem.SetCapacity(100 * 4096)
		opts := quiet
		opts.SegmentSize = 256 << 10
		db := open(t, vfs.NewSlow(mem.Reopen(), func(op vfs.Op) time.Duration {
			if op.Kind == vfs.OpSync || op.Kind == vfs.OpWrite {
				return time.Millisecond
			}
			return 0
		}), opts)
		big := strings.Repeat("x", 3000)
		for n := range keys {
			put(t, db, fmt.Sprint("key", n), "1")
		}
		for n, err := 0, error(nil); err == nil; n++ {
			err = db.Put(t.Context(), fmt.Append(nil, "more", n), []byte(big))
		}
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for w := range 12 {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(1, uint64(w)))
				for ctx.Err() == nil {
					time.Sleep(time.Duration(rng.IntN(1500)) * time.Microsecond)
					fn := putIn(fmt.Sprint("key", rng.IntN(keys)), big)
					if w%2 == 0 {
						want(t, "put", db.Update(context.Background(), fn), engine.ErrNoSpace)
					} else if inMode(context.Background(), db, engine.Immediate, fn) == nil {
						t.Error("there was space")
					}
				}
			})
		}
		for n := range keys {
			runs := 0
			if err := db.Update(t.Context(), func(_ context.Context, tx *engine.Tx) error {
				runs++
				_, err := tx.Count(engine.Range{Prefix: []byte("key")})
				time.Sleep(time.Millisecond)
				return errors.Join(err, tx.Delete(fmt.Append(nil, "key", n)))
			}); err != nil || runs > most {
				t.Errorf("delete %d, %d runs: %v", n, runs, err)
			}
		}
		stop()
		wg.Wait()
	})
}
