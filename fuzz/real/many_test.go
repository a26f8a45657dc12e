package real

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// many is how many names and tenants there are: a hundred thousand in a long run.
func many() int {
	if *long {
		return 100_000
	}
	return 10_000
}

// TestManyNames puts many files of others into a store's directory: opening asks the disk for no more than without them, and leaves them alone.
func TestManyNames(t *testing.T) {
	dir := filepath.Join(quickDir(t), "store")
	acked := written{}
	db := open(t, dir, engine.Options{NoPrepare: true})
	acked.some(t, db, 10)
	check(t, db.Close())
	without := opening(t, dir, acked)
	for n := range many() {
		f, err := os.OpenFile(filepath.Join(dir, "log", fmt.Sprintf("someone's %d", n)), os.O_CREATE|os.O_WRONLY, 0o600)
		check(t, err)
		check(t, f.Close())
	}
	with := opening(t, dir, acked)
	if with.ops > without.ops {
		t.Errorf("opening took %d operations, %d without", with.ops, without.ops)
	}
	if with.bytes > uint64(many())*3<<10+without.bytes { // for two openings, most of it garbage at once
		t.Errorf("opening took %d MB beside %d names, %d without", with.bytes>>20, many(), without.bytes>>20)
	}
	left, err := os.ReadDir(filepath.Join(dir, "log"))
	if check(t, err); len(left) < many() {
		t.Errorf("%d names are left", len(left))
	}
}

// quickDir is a directory in memory, where the system has such a place.
func quickDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "vlog")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { check(t, os.RemoveAll(dir)) })
	return dir
}

// cost is what an opening takes.
type cost struct {
	ops   int64 // on the disk
	bytes uint64
}

// opening opens a store, for writing and reading, and counts.
func opening(t *testing.T, dir string, acked written) (c cost) {
	t.Helper()
	var ops atomic.Int64
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, readOnly := range []bool{false, true} {
		fsys, err := vfs.OpenOS(dir)
		check(t, err)
		db, err := engine.OpenFS(t.Context(), vfs.NewLog(fsys, func(vfs.Op, error) { ops.Add(1) }), engine.Options{ReadOnly: readOnly, CheckpointAfter: -1, NoPrepare: true})
		check(t, err)
		if acked != nil {
			acked.same(t, db)
		}
		check(t, db.Close())
	}
	runtime.ReadMemStats(&after)
	return cost{ops.Load(), after.TotalAlloc - before.TotalAlloc}
}

// TestManyTenants gives many tenants a key each: opening takes memory and
// operations in proportion to them, from the log and from a checkpoint.
func TestManyTenants(t *testing.T) {
	both(t, func(t *testing.T, codec engine.Codec) {
		few := tenants(t, codec, many()/10)
		all := tenants(t, codec, many())
		for i, from := range []string{"the log", "a checkpoint"} {
			t.Logf("from %s: %d operations and %d MB for %d tenants, %d and %d MB for %d", from, few[i].ops, few[i].bytes>>20, many()/10, all[i].ops, all[i].bytes>>20, many())
			if all[i].ops > 15*few[i].ops || all[i].bytes > 15*few[i].bytes {
				t.Errorf("from %s it grows faster than the tenants", from)
			}
		}
	})
}

// tenants makes a store with so many tenants, and returns what opening it takes from
// the log and from a checkpoint.
func tenants(t *testing.T, codec engine.Codec, n int) (costs [2]cost) {
	dir := filepath.Join(t.TempDir(), "store")
	db := open(t, dir, engine.Options{Codec: codec, CheckpointAfter: -1, NoPrepare: true})
	const each = 1000
	for i := 0; i < n; i += each {
		check(t, db.Update(t.Context(), func(_ context.Context, tx *engine.Tx) (err error) {
			for k := i; k < i+each; k++ {
				tenant, e := tx.Tenant(tenantOf(k))
				err = errors.Join(err, e)
				if e == nil {
					err = errors.Join(err, tenant.Put([]byte("key"), fmt.Append(nil, k)))
				}
			}
			return err
		}))
	}
	check(t, db.Close())
	costs[0] = opening(t, dir, nil)
	db = open(t, dir, engine.Options{CheckpointAfter: -1, NoPrepare: true})
	_, err := db.Checkpoint(t.Context())
	check(t, err)
	info, err := db.Info(t.Context())
	if check(t, err); info.Tenants != n {
		t.Errorf("%d tenants, made were %d", info.Tenants, n)
	}
	for _, k := range []int{0, n / 2, n - 1} {
		s, err := db.Tenant(tenantOf(k))
		check(t, err)
		if v, err := s.Get(t.Context(), []byte("key")); err != nil || string(v) != fmt.Sprint(k) {
			t.Errorf("tenant %d has %q, %v", k, v, err)
		}
	}
	check(t, db.Close())
	costs[1] = opening(t, dir, nil)
	return costs
}

// tenantOf names a tenant; what they begin with is long, and the same.
func tenantOf(k int) string { return fmt.Sprintf("a-tenant-of-many-that-begin-alike-%08d", k) }
