package fuzz

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// TestFailEverywhere makes the 1st, 2nd, 3rd … changing operation of the workload
// fail once, in several ways, and lets the workload go on as far as it can: each
// failure is told by a name, what was answered with anything but ErrAmbiguous
// was not written, and the store opens afterwards with all that was acknowledged.
func TestFailEverywhere(t *testing.T) { both(t, failEverywhere) }

func failEverywhere(t *testing.T, codec engine.Codec) {
	ctx := t.Context()
	for name, cause := range map[string]error{
		"no space":       engine.ErrNoSpace,
		"no space, half": vfs.Short(engine.ErrNoSpace),
		"i/o":            engine.ErrIO,
		"i/o, half":      vfs.Short(engine.ErrIO),
	} {
		t.Run(name, func(t *testing.T) {
			n := 1
			for ; failOnce(ctx, t, failing{codec, cause}, n); n++ {
			}
			t.Logf("%d operations failed in turn", n-1)
			if n < 150 {
				t.Errorf("the workload has only %d operations", n-1)
			}
		})
	}
}

// named are the errors that a failed operation may be told by.
var named = []error{engine.ErrNoSpace, engine.ErrIO, engine.ErrAmbiguous, engine.ErrPoisoned, engine.ErrClosed, engine.ErrLocked}

// failing is a store some operation of which fails.
type failing struct {
	codec engine.Codec
	cause error
}

func failOnce(ctx context.Context, t *testing.T, how failing, n int) bool {
	mem := vfs.NewMem(vfs.MemOptions{})
	inj := vfs.When(vfs.OnChange(), vfs.Nth(n, how.cause))
	injected := 0
	var last *vfs.Fail
	w := newWorld(how.codec)
	w.goOn = func(err error) bool {
		if !isNamed(err) {
			t.Errorf("operation %d: %v", n, err)
		}
		return true
	}
	w.reopen = true
	err := workload(ctx, w, func() vfs.FS {
		if last != nil {
			injected += last.Injected()
		}
		last = vfs.NewFail(mem.Reopen(), inj)
		return last
	})
	if injected+last.Injected() == 0 {
		return false
	}
	if err != nil && !isNamed(err) {
		t.Errorf("operation %d: %v", n, err)
	}
	if w.db != nil {
		if err := w.db.Close(); err != nil && !isNamed(err) {
			t.Errorf("operation %d: close: %v", n, err)
		}
	}
	if err := afterFailure(ctx, w, mem); err != nil {
		t.Errorf("operation %d: %v", n, err)
	}
	return true
}

func isNamed(err error) bool {
	for _, want := range named {
		if errors.Is(err, want) {
			return true
		}
	}
	return false
}

// afterFailure opens the store once nothing fails any more.
func afterFailure(ctx context.Context, w *world, mem *vfs.Mem) error {
	db, err := engine.OpenFS(ctx, mem.Reopen(), small(w.codec, 7))
	if err != nil {
		return fmt.Errorf("opening afterwards: %w", err)
	}
	if _, err := w.promise().kept(ctx, db); err != nil {
		return errors.Join(err, db.Close())
	}
	if err := db.Put(ctx, []byte("later"), []byte("1")); err != nil {
		return errors.Join(err, db.Close())
	}
	if err := db.Close(); err != nil {
		return err
	}
	return cleanStore(ctx, mem)
}

// TestReadFailsEverywhere makes the 1st, 2nd, 3rd … read of an opening fail: it is
// never taken for the end of the log; the store is untouched.
func TestReadFailsEverywhere(t *testing.T) { both(t, readFailsEverywhere) }

func readFailsEverywhere(t *testing.T, codec engine.Codec) {
	ctx := t.Context()
	base := vfs.NewMem(vfs.MemOptions{Track: true})
	w := newWorld(codec)
	if err := workload(ctx, w, func() vfs.FS { return base.Reopen() }); err != nil {
		t.Fatal(err)
	}
	reads := vfs.OnKind(vfs.OpRead, vfs.OpOpen, vfs.OpStat, vfs.OpReadDir)
	n := 1
	for ; ; n++ {
		mem := base.Crash(vfs.Kept, 1)
		fs := vfs.NewFail(mem.Reopen(), vfs.When(reads, vfs.Nth(n, engine.ErrIO)))
		db, err := engine.OpenFS(ctx, fs, small(w.codec, 7))
		if fs.Injected() == 0 {
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
			break
		}
		if err == nil {
			t.Errorf("read %d failed and opening did not", n)
			err = db.Close()
		}
		if !errors.Is(err, engine.ErrIO) {
			t.Errorf("read %d: %v", n, err)
		}
		if err := afterFailure(ctx, w, mem); err != nil {
			t.Errorf("read %d: %v", n, err)
		}
	}
	t.Logf("%d reads failed in turn", n-1)
	if n < 20 {
		t.Errorf("opening reads only %d times", n-1)
	}
}
