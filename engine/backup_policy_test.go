package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// TestBackupSyncs: what was answered before a backup of an open DB is in it, also where
// a SyncPolicy had not brought it to the disk yet.
func TestBackupSyncs(t *testing.T) {
	for _, policy := range []engine.SyncPolicy{engine.SyncNever, engine.SyncEvery(time.Hour)} {
		db := open(t, vfs.NewMem(vfs.MemOptions{}), engine.Options{Sync: policy})
		for i := range 5 {
			put(t, db, fmt.Sprint(i), "v")
		}
		if db.Durable() == 5 {
			t.Fatal("it was synced without being asked")
		}
		place := vfs.NewMem(vfs.MemOptions{})
		res, err := db.BackupFS(t.Context(), place.Reopen(), engine.BackupOptions{})
		if check(t, err); res.Seq != 5 || db.Durable() != 5 {
			t.Errorf("%v: backed up #%d, durable is #%d", policy, res.Seq, db.Durable())
		}
	}
}
