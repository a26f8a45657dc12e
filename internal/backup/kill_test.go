package backup_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vlogdb/vlog/engine"
)

// TestKilled kills a process that backs up, at random moments, again and again while
// the store grows: the place is usable each time, the next backup ends it, and what is
// restored of it is what was written.
func TestKilled(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	src, dest := filepath.Join(dir, "store"), filepath.Join(dir, "place")
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	wrote, killed := 0, 0
	for round := range rounds {
		db, err := engine.Open(ctx, src, engine.Options{SegmentSize: 64 << 10, CheckpointAfter: -1})
		check(t, err)
		for range 40 {
			wrote++
			check(t, db.Put(ctx, []byte(fmt.Sprint("key", wrote)), []byte(strings.Repeat("v", 4<<10))))
		}
		if round%3 == 2 {
			_, err := db.Checkpoint(ctx)
			check(t, err)
		}
		check(t, db.Close())
		for range 4 {
			if kill(t, src, dest, time.Duration(rand.IntN(60000))*time.Microsecond) {
				killed++
			}
			usableOnDisk(t, dest, round > 0)
		}
		res, err := engine.Backup(ctx, src, dest, engine.BackupOptions{Verify: true})
		check(t, err)
		back := filepath.Join(dir, fmt.Sprint("back", round))
		_, err = engine.Restore(ctx, dest, back, engine.RestoreOptions{})
		check(t, err)
		db, err = engine.Open(ctx, back, engine.Options{MustExist: true, CheckpointAfter: -1})
		check(t, err)
		if n, err := db.Count(ctx, engine.Range{}); err != nil || n != wrote || res.Seq != uint64(wrote) || !db.Report().Clean {
			t.Fatalf("round %d: %d keys of %d at #%d, %v", round, n, wrote, res.Seq, err)
		}
		check(t, db.Close())
		check(t, os.RemoveAll(back))
	}
	t.Logf("%d of %d processes were killed at work", killed, 4*rounds)
}

// kill starts a backup in a process of its own and kills it after a while; false where
// it had ended by itself.
func kill(t *testing.T, src, dest string, after time.Duration) bool {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), backerEnv+"="+src+"\n"+dest)
	child.Stderr = os.Stderr
	check(t, child.Start())
	stop := time.AfterFunc(after, func() { _ = child.Process.Kill() })
	err := child.Wait()
	stop.Stop()
	if child.ProcessState.Exited() && err != nil {
		t.Fatalf("the backup failed: %v", err)
	}
	return err != nil
}

// usableOnDisk fails unless a place opens for reading, or was never finished.
func usableOnDisk(t *testing.T, dest string, finished bool) {
	t.Helper()
	db, err := engine.Open(t.Context(), dest, engine.Options{ReadOnly: true})
	if err != nil {
		if finished || !strings.Contains(err.Error(), "was cut off") && !strings.Contains(err.Error(), "not a vlog store") {
			t.Fatal(err)
		}
		return
	}
	check(t, db.Close())
}
