package backup_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// TestUnderLoad: eight writers at work, checkpoints all the while, backups beside: each
// is exactly what the batches up to the seq that it names make, none missing, none more.
func TestUnderLoad(t *testing.T) { under(t, testUnderLoad) }

func testUnderLoad(t *testing.T, opts engine.Options) {
	const writers, each = 8, 150
	ctx := t.Context()
	mem := vfs.NewMem(vfs.MemOptions{})
	// A thousand batches: a file is rotated every few, and used again after each checkpoint.
	db, err := engine.OpenFS(ctx, mem.Reopen(), engine.Options{Codec: opts.Codec, SegmentSize: 8 << 10, CheckpointAfter: 1 << 40})
	check(t, err)
	defer db.Close()
	var mu sync.Mutex // guards wrote
	wrote := map[uint64][2]string{}
	var wg, rest sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				key, value := fmt.Sprint("writer", w, " ", i%10), fmt.Sprint(i, strings.Repeat("x", 200))
				tx, err := db.Begin(ctx, engine.Deferred)
				if err == nil {
					err = tx.Put([]byte(key), []byte(value))
				}
				if err == nil {
					err = tx.Commit()
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				wrote[tx.Seq()] = [2]string{key, value}
				mu.Unlock()
			}
		})
	}
	over, stop := context.WithCancel(ctx)
	rest.Go(func() {
		for over.Err() == nil {
			if _, err := db.Checkpoint(ctx); err != nil {
				t.Error(err)
				return
			}
		}
	})
	p := place()
	var results []engine.BackupResult
	taken := map[uint64]*vfs.Mem{}
	rest.Go(func() {
		for over.Err() == nil || len(results) < 3 {
			least := db.Durable()
			res, err := db.BackupFS(ctx, p, engine.BackupOptions{})
			if err != nil {
				t.Error(err)
				return
			}
			if res.Seq < least {
				t.Errorf("#%d was acknowledged before the backup to #%d began", least, res.Seq)
			}
			results = append(results, res)
			taken[res.Seq] = p.Crash(vfs.Lost, 1)
		}
	})
	wg.Wait()
	stop()
	rest.Wait()
	if len(wrote) != writers*each {
		t.Fatalf("%d batches", len(wrote))
	}
	for _, seq := range sample(slices.Sorted(maps.Keys(taken)), 12) {
		at, c, err := look(t, taken[seq])
		check(t, err)
		want := fold(wrote, seq)
		if at != seq || !maps.Equal(c, want) {
			t.Errorf("the backup of #%d leads to #%d with %d keys, not %d", seq, at, len(c), len(want))
		}
		spotless(t, taken[seq])
		m := vfs.NewMem(vfs.MemOptions{})
		_, err = engine.RestoreFS(ctx, taken[seq], m, engine.RestoreOptions{})
		check(t, err)
		opensClean(t, m, want, seq)
	}
	copied, there := 0, 0
	for _, res := range results {
		copied, there = copied+res.Segments, there+res.There
	}
	t.Logf("%d backups, %d segments copied, %d files there already", len(results), copied, there)
}

// fold is what the batches up to a seq make.
func fold(wrote map[uint64][2]string, upto uint64) content {
	c := content{}
	for seq := uint64(1); seq <= upto; seq++ {
		c[wrote[seq][0]] = wrote[seq][1]
	}
	return c
}

// sample returns at most n of several, the first and the last among them.
func sample(all []uint64, n int) (some []uint64) {
	if len(all) <= n {
		return all
	}
	for i := range n {
		some = append(some, all[i*(len(all)-1)/(n-1)])
	}
	return some
}

// TestCompactedUnderneath: at each read of the source, one after the other, the store
// writes, compacts and forgets files: the backup goes on with what is there then.
func TestCompactedUnderneath(t *testing.T) { under(t, testCompactedUnderneath) }

func testCompactedUnderneath(t *testing.T, opts engine.Options) {
	again := 0
	for n := 1; ; n++ {
		a := newAuthor(t, opts)
		a.put(3)
		a.checkpoint()
		a.put(3)
		check(t, a.db.Close())
		reads, at := 0, 0
		fsys := vfs.NewLog(a.mem.Reopen(), func(op vfs.Op, _ error) {
			if at == 0 || op.Kind != vfs.OpOpen && op.Kind != vfs.OpRead {
				return
			}
			if reads++; reads == at {
				a.put(4)
				a.checkpoint()
				a.put(4)
				a.checkpoint()
				a.put(1)
			}
		})
		db, err := engine.OpenFS(t.Context(), fsys, a.opts)
		check(t, err)
		a.db = db
		at = n
		p := place()
		res, err := a.db.BackupFS(t.Context(), p, engine.BackupOptions{})
		check(t, err)
		if at = 0; reads < n {
			check(t, db.Close())
			break
		}
		if res.Seq == a.last() {
			again++
		} else if res.Seq != 6 {
			t.Fatalf("read %d: backed up to #%d", n, res.Seq)
		}
		a.leads(p, res.Seq)
		a.backup(p, engine.BackupOptions{})
		a.leads(p, a.last())
		check(t, db.Close())
	}
	if again < 5 {
		t.Errorf("it had to begin anew %d times", again)
	}
}

// TestRecycledUnderneath: at each read of the source a segment that is no longer kept
// gets another name and other bytes, as files do that are used again. They never get
// into the place.
func TestRecycledUnderneath(t *testing.T) {
	a := newAuthor(t, engine.Options{})
	a.put(3)
	a.checkpoint()
	a.put(3)
	a.checkpoint()
	a.put(3)
	check(t, a.db.Close())
	whole := files(t, a.mem)
	names := slices.Sorted(slices.Values(segments(t, a.mem)))
	victim, other := names[1], names[len(names)-1]
	if whole[victim] == "" || len(names) < 4 {
		t.Fatal(names)
	}
	for n := 1; ; n++ {
		m := vfs.NewMem(vfs.MemOptions{})
		for _, name := range slices.Sorted(maps.Keys(whole)) {
			put(t, m, name, whole[name])
		}
		reads := 0
		fsys := vfs.NewLog(m.Reopen(), func(op vfs.Op, _ error) {
			if op.Kind != vfs.OpOpen && op.Kind != vfs.OpRead {
				return
			}
			if reads++; reads == n {
				put(t, m, "log/recover", "{}\n") // a promotion drops
				check(t, m.Remove(names[0]))
				recycle(t, m, victim, whole[other])
			}
		})
		p := place()
		res, err := engine.BackupFS(t.Context(), fsys, p, engine.BackupOptions{})
		check(t, err)
		if reads < n {
			break
		}
		seq, c, err := look(t, p)
		check(t, err)
		if seq != res.Seq || !maps.Equal(c, a.hist[seq]) {
			t.Fatalf("read %d: leads to #%d", n, seq)
		}
		for name, data := range files(t, p) {
			if strings.HasSuffix(name, ".vlog") && data != whole[name] {
				t.Fatalf("read %d: %s is not what it was", n, name)
			}
		}
	}
}

// recycle gives a file the name of a spare and writes another segment into it.
func recycle(t testing.TB, m *vfs.Mem, name, data string) {
	t.Helper()
	f, err := m.Open(name, vfs.ReadWrite)
	check(t, err)
	check(t, m.Rename(name, "log/spare-1"))
	b := []byte(data)
	binary.LittleEndian.PutUint64(b[32:], 42) // another epoch, so the header does not check out either
	_, err = f.WriteAt(b, 0)
	check(t, err)
	check(t, f.Close())
}

// TestCanceled: a context that ends stops a backup and a restore, whenever, and both
// can be run again.
func TestCanceled(t *testing.T) {
	a := newAuthor(t, engine.Options{})
	p := place()
	a.put(5)
	a.backup(p, engine.BackupOptions{})
	a.put(15)
	a.checkpoint()
	for stopAt := range 3 {
		ctx, cancel := context.WithCancelCause(t.Context())
		n, last := 0, int64(0)
		opts := engine.BackupOptions{Progress: func(done, total int64) {
			if done <= last || done > total {
				t.Errorf("progress %d of %d behind %d", done, total, last)
			}
			if last = done; n == stopAt {
				cancel(errEnough)
			}
			n++
		}}
		_, err := a.db.BackupFS(ctx, p, opts)
		if !errors.Is(err, errEnough) {
			t.Fatalf("after step %d: %v", stopAt, err)
		}
		if seq, c, err := look(t, p); err != nil || seq < 5 || !maps.Equal(c, a.hist[seq]) {
			t.Fatalf("after step %d: #%d, %v", stopAt, seq, err)
		}
	}
	a.backup(p, engine.BackupOptions{})
	m := place()
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err := engine.RestoreFS(ctx, p, m, engine.RestoreOptions{Progress: func(int64, int64) { cancel(errEnough) }})
	if !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
	_, _, err = look(t, m)
	wantKind(t, "a store that is not finished", err, engine.ErrIncompatible)
	_, err = engine.RestoreFS(t.Context(), p, m, engine.RestoreOptions{})
	check(t, err)
	opensClean(t, m, a.hist[20], 20)
}

// TestCanceledUnderneath: where the context ends as files of the source go, it is the
// context that ended the backup, not a file that is not there.
func TestCanceledUnderneath(t *testing.T) {
	stopped := 0
	for n := 1; ; n++ {
		a := newAuthor(t, engine.Options{})
		a.put(3)
		a.checkpoint()
		a.put(3)
		check(t, a.db.Close())
		ctx, cancel := context.WithCancelCause(t.Context())
		reads, at := 0, 0
		fsys := vfs.NewLog(a.mem.Reopen(), func(op vfs.Op, _ error) {
			if at == 0 || op.Kind != vfs.OpOpen && op.Kind != vfs.OpRead {
				return
			}
			if reads++; reads == at {
				a.put(4)
				a.checkpoint()
				a.put(4)
				a.checkpoint()
				cancel(errEnough)
			}
		})
		db, err := engine.OpenFS(t.Context(), fsys, a.opts)
		check(t, err)
		a.db, at = db, n
		_, err = db.BackupFS(ctx, place(), engine.BackupOptions{})
		at = 0
		check(t, db.Close())
		if reads < n {
			break
		}
		if err != nil && !errors.Is(err, errEnough) {
			t.Fatalf("canceled at read %d: %v", n, err)
		}
		if err != nil {
			stopped++
		}
	}
	if stopped < 5 {
		t.Errorf("it was stopped %d times", stopped)
	}
}

var errEnough = errors.New("enough")
