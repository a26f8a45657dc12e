package real

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vlogdb/vlog/engine"
)

// TestFullFileSystem fills a small file system of each kind that can be mounted, with
// and without files made ahead, and then gives the space back: nothing acknowledged is
// lost, what is refused is ErrNoSpace, deleting goes on, a store can be closed and
// opened for reading, and with space everything goes on.
func TestFullFileSystem(t *testing.T) {
	if !withMounts(t) {
		return
	}
	for kind, make := range map[string]func(*testing.T, string){"tmpfs": smallTmpfs, "ext4": smallExt4} {
		t.Run(kind, func(t *testing.T) {
			both(t, func(t *testing.T, codec engine.Codec) {
				dir := filepath.Join(t.TempDir(), "disk")
				make(t, dir)
				fillDisk(t, dir, codec)
			})
		})
	}
}

func smallTmpfs(t *testing.T, dir string) {
	mount(t, dir, disk{source: "tmpfs", kind: "tmpfs", options: "size=1200k"})
}

func smallExt4(t *testing.T, dir string) { mountImage(t, ext4Image(t, dir+".ext4", 4<<20), dir) }

// crowd takes the space that a store does not have.
type crowd struct {
	t    *testing.T
	path string
}

// take fills the disk to the last byte but for some.
func (c crowd) take(but int64) {
	c.t.Helper()
	f, err := os.OpenFile(c.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	check(c.t, err)
	chunk := make([]byte, 4096)
	for len(chunk) > 0 {
		if _, err := f.Write(chunk); errors.Is(err, unix.ENOSPC) {
			chunk = chunk[:len(chunk)/2]
		} else {
			check(c.t, err)
		}
	}
	info, err := f.Stat()
	check(c.t, err)
	check(c.t, errors.Join(f.Truncate(max(info.Size()-but, 0)), f.Sync(), f.Close()))
}

func (c crowd) leave() { check(c.t, os.Remove(c.path)) }

func fillDisk(t *testing.T, disk string, codec engine.Codec) {
	dir := filepath.Join(disk, "store")
	acked := written{}
	others := crowd{t, filepath.Join(disk, "others")}
	opts := plain(codec)
	opts.SegmentSize, opts.NoPrepare = 128<<10, false
	for round, left := range []int64{0, 1 << 10, 5 << 10, 40 << 10, 200 << 10} {
		what := fmt.Sprintf("%d bytes left", left)
		db := open(t, dir, opts)
		acked.same(t, db)
		acked.some(t, db, 3)
		others.take(left)
		refused := 0
		for n := 0; refused < 3; n++ {
			err := acked.put(t.Context(), db, fmt.Sprintf("fill%d/%06d", round, n), strings.Repeat("f", 3000))
			if err != nil {
				refused++
				refusedFor(t, what, db, err)
			}
		}
		_, err := db.Checkpoint(t.Context())
		if err != nil {
			refusedFor(t, what+": checkpoint", db, err)
		}
		_, err = db.Backup(t.Context(), filepath.Join(disk, "place"), engine.BackupOptions{})
		if err != nil {
			refusedFor(t, what+": backup", db, err)
		}
		emptyFull(t, what, db, acked)
		acked.same(t, db)
		check(t, db.Close())
		looks(t, dir, acked)
		if db, err := engine.Open(t.Context(), dir, opts); err == nil {
			acked.same(t, db)
			check(t, db.Close())
		} else {
			want(t, what+": open", err, engine.ErrNoSpace)
		}
		others.leave()
		acked.opens(t, dir)
	}
	_, err := engine.Backup(t.Context(), dir, filepath.Join(disk, "place"), engine.BackupOptions{Verify: true})
	check(t, err)
}

func refusedFor(t *testing.T, what string, db *engine.DB, err error) {
	t.Helper()
	want(t, what, err, engine.ErrNoSpace)
	if !errors.Is(err, unix.ENOSPC) || errors.Is(err, engine.ErrAmbiguous) || db.Err() != nil {
		t.Fatalf("%s: %v, then %v", what, err, db.Err())
	}
}

// emptyFull deletes what filled the disk, on the full disk, in as many transactions as
// a segment of this size keeps room for.
func emptyFull(t *testing.T, what string, db *engine.DB, acked written) {
	t.Helper()
	var keys []string
	for key := range acked {
		if strings.HasPrefix(key, "fill") {
			keys = append(keys, key)
		}
	}
	for part := range slices.Chunk(keys, len(keys)/20+1) {
		if err := db.Update(t.Context(), func(_ context.Context, tx *engine.Tx) (err error) {
			for _, key := range part {
				err = errors.Join(err, tx.Delete([]byte(key)))
			}
			return err
		}); err != nil {
			t.Fatalf("%s: delete: %v", what, err)
		}
		for _, key := range part {
			delete(acked, key)
		}
	}
}

// looks opens a store read-only, which changes nothing and needs no space.
func looks(t *testing.T, dir string, acked written) {
	t.Helper()
	before := tree(t, dir)
	db := open(t, dir, engine.Options{ReadOnly: true})
	acked.same(t, db)
	check(t, db.Close())
	unchanged(t, "looking", dir, before)
}
