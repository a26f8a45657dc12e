package real

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vlogdb/vlog/engine"
)

// TestOtherFileSystems lets a store live on file systems that are not like the others:
// one in memory, and one that lays a directory over another; there a store that comes
// from the lower one too, whose files are copied when they are first written, under the
// eyes of whoever has them open.
func TestOtherFileSystems(t *testing.T) {
	if !withMounts(t) {
		return
	}
	for kind, on := range map[string]func(*testing.T, string){"tmpfs": onTmpfs, "overlay": onOverlay, "overlay over a store": overStore} {
		t.Run(kind, func(t *testing.T) {
			both(t, func(t *testing.T, codec engine.Codec) {
				disk := filepath.Join(t.TempDir(), "disk")
				check(t, os.MkdirAll(disk+"-lower/store", 0o700))
				acked := written{}
				if kind == "overlay over a store" {
					db := open(t, filepath.Join(disk+"-lower", "store"), plain(codec))
					acked.some(t, db, 60)
					check(t, db.Close())
				}
				on(t, disk)
				livesOn(t, disk, codec, acked)
			})
		})
	}
}

func onTmpfs(t *testing.T, dir string) { mount(t, dir, disk{source: "tmpfs", kind: "tmpfs"}) }

// onOverlay lays an upper directory in memory over the lower one, which is removed first.
func onOverlay(t *testing.T, dir string) {
	check(t, os.RemoveAll(filepath.Join(dir+"-lower", "store")))
	overStore(t, dir)
}

func overStore(t *testing.T, dir string) {
	upper := dir + "-upper"
	mount(t, upper, disk{source: "tmpfs", kind: "tmpfs"})
	check(t, os.Mkdir(filepath.Join(upper, "upper"), 0o700))
	check(t, os.Mkdir(filepath.Join(upper, "work"), 0o700))
	mount(t, dir, disk{source: "overlay", kind: "overlay", options: "lowerdir=" + dir + "-lower,upperdir=" + upper + "/upper,workdir=" + upper + "/work"})
}

// livesOn opens, writes, compacts, follows, backs up, holds off a second opener and
// opens again.
func livesOn(t *testing.T, disk string, codec engine.Codec, acked written) {
	dir := filepath.Join(disk, "store")
	opts := plain(codec)
	opts.NoPrepare = false
	if len(acked) == 0 {
		check(t, opened(engine.Open(t.Context(), dir, opts)))
	}
	early := open(t, dir, engine.Options{ReadOnly: true})
	acked.same(t, early)
	db := open(t, dir, opts)
	acked.some(t, db, 3)
	check(t, db.Close())
	acked.same(t, early)
	check(t, early.Close())
	db = open(t, dir, opts)
	acked.same(t, db)
	locked(t, "held", dir)
	beside := open(t, dir, engine.Options{ReadOnly: true})
	for range 4 {
		acked.some(t, db, 60)
		acked.same(t, beside)
		_, err := db.Checkpoint(t.Context())
		check(t, err)
		acked.same(t, beside)
	}
	check(t, beside.Close())
	_, err := db.Backup(t.Context(), filepath.Join(disk, "place"), engine.BackupOptions{Verify: true})
	check(t, err)
	acked.again(t, db, dir)
	before := tree(t, dir)
	looks(t, dir, acked)
	unchanged(t, "looking", dir, before)
}

// TestNoSuchPlace asks for a store where none can be: ErrNotStore or ErrDenied or
// ErrReadOnly with the path, and nothing is made.
func TestNoSuchPlace(t *testing.T) {
	for _, dir := range []string{"/proc/store", "/sys/store", "/dev/null", "/dev/null/store"} {
		_, err := engine.Open(t.Context(), dir, engine.Options{})
		if codeOf(err) == "ok" || err.Error() == "" {
			t.Errorf("a store in %s", dir)
		}
		named(t, dir, err)
	}
	var st unix.Stat_t
	if err := unix.Stat("/dev/null", &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR {
		t.Fatalf("/dev/null is no device any more: %v", err)
	}
}
