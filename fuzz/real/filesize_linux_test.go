package real

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/vlogdb/vlog/engine"
)

// withFileSize calls fn while no file may grow beyond n bytes: a write across that is
// cut short, the next one is EFBIG, and the process is sent SIGXFSZ.
func withFileSize(t *testing.T, n uint64, fn func()) {
	t.Helper()
	var was syscall.Rlimit
	check(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was))
	check(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: n, Max: was.Max}))
	defer func() { check(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was)) }()
	fn()
}

// TestFileSize bounds how long a file may be, at every place where a segment, its
// header, a checkpoint or a backup may come across that: ErrNoSpace, nothing lost,
// reading goes on, deleting goes on where the log has room kept for it, and without the
// limit everything does.
func TestFileSize(t *testing.T) {
	if alone(t) {
		both(t, testFileSize)
	}
}

func testFileSize(t *testing.T, codec engine.Codec) {
	step := uint64(3067)
	if *long {
		step = 61
	}
	refused := 0
	for limit := uint64(200); limit < 40<<10; limit += step {
		for _, bare := range []bool{true, false} {
			opts := plain(codec)
			opts.NoPrepare = bare
			refused += fillFile(t, fmt.Sprint("limit ", limit, ", prepared ", !bare), opts, limit)
		}
	}
	t.Logf("%d operations refused", refused)
}

// fillFile works under a limit until it was refused some times, and then without.
func fillFile(t *testing.T, what string, opts engine.Options, limit uint64) (refused int) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "store")
	acked := written{}
	db := open(t, dir, opts)
	acked.some(t, db, 3)
	no := func(op string, err error) {
		t.Helper()
		if err == nil {
			return
		}
		refused++
		want(t, what+": "+op, err, engine.ErrNoSpace)
		if !errors.Is(err, syscall.EFBIG) || errors.Is(err, engine.ErrAmbiguous) || db.Err() != nil {
			t.Fatalf("%s: %s: %v, then %v", what, op, err, db.Err())
		}
	}
	withFileSize(t, limit, func() {
		for n := range 60 {
			no("put", acked.put(t.Context(), db, fmt.Sprintf("key%06d", n), strings.Repeat("w", 700)))
		}
		_, err := db.Checkpoint(t.Context())
		no("checkpoint", err)
		_, err = db.Backup(t.Context(), dir+"-place", engine.BackupOptions{})
		no("backup", err)
		acked.same(t, db)
	})
	check(t, acked.put(t.Context(), db, "after", "the limit"))
	_, err := db.Backup(t.Context(), dir+"-place", engine.BackupOptions{Verify: true})
	check(t, err)
	acked.again(t, db, dir)
	return refused
}

// TestFileSizeAtOpening meets the limit in recovery, and in closing.
func TestFileSizeAtOpening(t *testing.T) {
	if alone(t) {
		both(t, testFileSizeAtOpening)
	}
}

func testFileSizeAtOpening(t *testing.T, codec engine.Codec) {
	refused := map[string]int{}
	for limit := uint64(0); limit < 12<<10; limit += 509 {
		dir := filepath.Join(t.TempDir(), "store")
		acked := written{}
		db := open(t, dir, plain(codec))
		acked.some(t, db, 10)
		withFileSize(t, limit, func() {
			if err := db.Close(); err != nil {
				want(t, "close", err, engine.ErrNoSpace)
				refused["close"]++
			}
			db, err := engine.Open(t.Context(), dir, plain(codec))
			if err != nil {
				want(t, "open", err, engine.ErrNoSpace)
				refused["open"]++
				return
			}
			acked.same(t, db)
			if err := db.Close(); err != nil {
				want(t, "close again", err, engine.ErrNoSpace)
			}
		})
		acked.opens(t, dir)
	}
	if len(refused) != 2 {
		t.Errorf("refused only %v", refused)
	}
}
