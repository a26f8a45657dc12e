package engine_test

import (
	"testing"
	"time"

	"github.com/vlogdb/vlog/engine"
)

// TestRestoreToTwoMoments: it is one moment that is restored, and nobody guesses which.
func TestRestoreToTwoMoments(t *testing.T) {
	fsys := tracked()
	mustClose(t, open(t, fsys, quiet))
	into := tracked()
	_, err := engine.RestoreFS(t.Context(), fsys.Reopen(), into, engine.RestoreOptions{Seq: 1, Time: time.Unix(1, 0)})
	want(t, "two moments", err, engine.ErrBadName)
	_, err = engine.Restore(t.Context(), "nowhere", t.TempDir(), engine.RestoreOptions{Seq: 1, Time: time.Unix(1, 0)})
	want(t, "two moments", err, engine.ErrBadName)
	if names, err := into.ReadDir("."); err != nil || len(names) > 0 {
		t.Errorf("%v, %v", names, err)
	}
}
