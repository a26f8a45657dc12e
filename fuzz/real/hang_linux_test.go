package real

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vlogdb/vlog/engine"
)

// What stops a mounted file system from taking writes, which then wait, and lets them
// go on.
const (
	freeze = 0xC0045877 // FIFREEZE
	thaw   = 0xC0045878 // FITHAW
)

// TestFrozen freezes a real disk while some write: whoever gives up is told at once that
// the outcome is unknown, and reading goes on, here and beside. When the disk goes on
// who waited is answered, and what was given up is there too.
func TestFrozen(t *testing.T) {
	if withMounts(t) {
		both(t, testFrozen)
	}
}

func testFrozen(t *testing.T, codec engine.Codec) {
	tmp := t.TempDir()
	disk := filepath.Join(tmp, "disk")
	mountImage(t, ext4Image(t, filepath.Join(tmp, "image"), 8<<20), disk)
	dir := filepath.Join(disk, "store")
	acked := written{}
	db := open(t, dir, plain(codec))
	acked.some(t, db, 20)
	beside := open(t, dir, engine.Options{ReadOnly: true})

	goOn := freezeDisk(t, disk)
	waits := make(chan error, 1)
	go func() { waits <- db.Put(t.Context(), []byte("key000020"), []byte("v")) }()
	enough := errors.New("enough")
	promptly(t, "giving up", func() {
		p, err := db.Submit(t.Context(), func(_ context.Context, tx *engine.Tx) error { return tx.Put([]byte("given up"), []byte("v")) })
		check(t, err)
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(enough)
		_, err = p.Wait(ctx)
		if !errors.Is(err, engine.ErrAmbiguous) || !errors.Is(err, enough) {
			t.Errorf("gave up: %v", err)
		}
	})
	promptly(t, "reading", func() {
		acked.same(t, db)
		acked.same(t, beside)
		looks := open(t, dir, engine.Options{ReadOnly: true})
		acked.same(t, looks)
		check(t, looks.Close())
	})
	select {
	case err := <-waits:
		t.Errorf("answered by a disk that is frozen: %v", err)
	default:
	}
	goOn()
	check(t, <-waits)
	check(t, db.Sync(t.Context()))
	acked["key000020"], acked["given up"] = "v", "v" // it was in order, and the disk did not fail
	acked.same(t, beside)
	check(t, beside.Close())
	acked.again(t, db, dir)
}

// freezeDisk stops a disk, and returns what lets it go on; that happens in any case.
func freezeDisk(t *testing.T, disk string) (goOn func()) {
	t.Helper()
	d, err := os.Open(disk)
	check(t, err)
	if err := unix.IoctlSetInt(int(d.Fd()), freeze, 0); err != nil {
		t.Skipf("this disk cannot be frozen: %v", err)
	}
	goOn = sync.OnceFunc(func() {
		check(t, unix.IoctlSetInt(int(d.Fd()), thaw, 0))
		check(t, d.Close())
	})
	t.Cleanup(goOn)
	return goOn
}
