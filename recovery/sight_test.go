//go:build linux || darwin

package recovery

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/internal/vfs"
)

// disk is a store in a real directory, which can be moved.
func disk(t *testing.T) (dir string, a *author) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "store")
	fsys, err := vfs.CreateOS(dir)
	check(t, err)
	s, err := Open(t.Context(), fsys, small(1))
	check(t, err)
	a = &author{t: t, s: s, edit: state.NewEdit(s.Picture), keep: content{}}
	t.Cleanup(func() { check(t, fsys.Close()) })
	return dir, a
}

// kill ends the author as a kill does: log/durable stays.
func (a *author) kill() { check(a.t, a.s.Lock.Close()) }

// TestSightOfMovedLog: log/durable is kept open; an older copy of log/ that takes the
// place of it is noticed, although nothing happens to the file that is open.
func TestSightOfMovedLog(t *testing.T) {
	dir, a := disk(t)
	a.put("a", "1")
	log, old, moved := filepath.Join(dir, "log"), filepath.Join(dir, "old"), filepath.Join(dir, "moved")
	check(t, os.CopyFS(old, os.DirFS(log)))
	a.put("b", "2")
	a.kill()
	s := newSight(a.s.home())
	for range 2 {
		limit, err := s.Limit(t.Context())
		if check(t, err); limit != 2 {
			t.Fatalf("shows %v", limit)
		}
	}
	check(t, os.Rename(log, moved))
	check(t, os.Rename(old, log))
	_, err := s.Limit(t.Context())
	wantKind(t, err, fault.ErrForeign)
	check(t, s.Close())
}

// TestSightOfMovedStore: a store that was moved away is not waited for, and one that was
// put in its place is not taken for it; where nobody writes each read asks.
func TestSightOfMovedStore(t *testing.T) {
	for name, end := range map[string]func(*author){"killed": (*author).kill, "closed": (*author).close} {
		t.Run(name, func(t *testing.T) {
			dir, a := disk(t)
			a.put("a", "1")
			end(a)
			fsys, err := vfs.OpenOS(dir)
			check(t, err)
			r, err := Open(t.Context(), fsys, readOnly())
			check(t, err)
			s := newSight(r.home())
			look := func() error {
				_, err := s.Limit(t.Context())
				if name == "closed" && err == nil {
					_, err = r.Reader.Now(t.Context())
				}
				return err
			}
			check(t, look())
			check(t, look())
			check(t, os.Rename(dir, dir+".moved"))
			wantKind(t, look(), fault.ErrNotFound)
			check(t, os.Mkdir(dir, 0o700))
			wantKind(t, look(), fault.ErrNotFound)
			if name == "closed" {
				_, err = r.Reader.Now(t.Context())
				wantKind(t, err, fault.ErrNotFound)
			}
			check(t, os.Remove(dir))
			check(t, os.Rename(dir+".moved", dir))
			check(t, look())
			check(t, s.Close())
			check(t, r.Reader.Close())
			check(t, fsys.Close())
		})
	}
}
