package backup_test

import (
	"context"
	"errors"
	"maps"
	"testing"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// meddled does something at one opening of a file.
type meddled struct {
	vfs.FS
	left   *int
	meddle func()
}

// Open opens the file, perhaps after something else.
func (m meddled) Open(name string, mode vfs.Mode) (vfs.File, error) {
	if *m.left--; *m.left == 0 {
		m.meddle()
	}
	return m.FS.Open(name, mode)
}

// TestReadBesideBackup: a whole backup comes and goes while a place is restored from, or
// checked. It is ErrLocked, or went well; a place that is sound is never called damaged.
func TestReadBesideBackup(t *testing.T) { under(t, testReadBesideBackup) }

func testReadBesideBackup(t *testing.T, opts engine.Options) {
	restored, locked := besideBackup(t, opts, func(t *testing.T, a *author, p vfs.FS) error {
		m := vfs.NewMem(vfs.MemOptions{})
		res, err := engine.RestoreFS(t.Context(), p, m, engine.RestoreOptions{})
		if err == nil {
			opensClean(t, m, a.hist[res.Seq], res.Seq)
		}
		return err
	})
	checked, refused := besideBackup(t, opts, func(t *testing.T, _ *author, p vfs.FS) error {
		_, err := engine.CheckFS(context.Background(), p, engine.CheckOptions{}, func(f engine.Finding) {
			if f.Severity == "error" {
				t.Errorf("check: %+v", f)
			}
		})
		return err
	})
	if restored == 0 || locked == 0 || checked == 0 || refused == 0 {
		t.Errorf("%d restored, %d locked; %d checked, %d locked", restored, locked, checked, refused)
	}
}

// besideBackup reads a place, and lets a backup run at the first opening of a file, then
// at the second, until there are no more. It counts how often reading went well, and
// how often it was ErrLocked.
func besideBackup(t *testing.T, opts engine.Options, read func(*testing.T, *author, vfs.FS) error) (well, locked int) {
	for n := 1; ; n++ {
		a := newAuthor(t, opts)
		p := place()
		a.put(6)
		a.checkpoint()
		a.put(5)
		a.backup(p, engine.BackupOptions{})
		a.put(3)
		a.checkpoint()
		a.put(6)
		a.checkpoint()
		a.put(2)
		ran := false
		left := n
		err := read(t, a, meddled{p, &left, func() {
			ran = true
			a.backup(p, engine.BackupOptions{Prune: true})
		}})
		switch {
		case err == nil:
			well++
		case errors.Is(err, engine.ErrLocked):
			locked++
		default:
			t.Errorf("opening %d: %v", n, err)
		}
		seq, c, err := look(t, p)
		if check(t, err); !maps.Equal(c, a.hist[seq]) {
			t.Fatalf("the place leads to %d keys at #%d", len(c), seq)
		}
		if !ran {
			return well, locked
		}
	}
}

// stepped does something whenever a name has changed.
type stepped struct {
	vfs.FS
	step func()
}

// Rename renames the file, then does it.
func (s stepped) Rename(from, to string) error {
	err := s.FS.Rename(from, to)
	s.step()
	return err
}

// Remove removes the file, then does it.
func (s stepped) Remove(name string) error {
	err := s.FS.Remove(name)
	s.step()
	return err
}

// TestOpenBesideBackup: a place that somebody has open for reading shows, at each step of a
// backup into it, a moment no older than before, also where that goes over a gap.
func TestOpenBesideBackup(t *testing.T) {
	for _, s := range stages(t) {
		if s.first {
			continue
		}
		t.Run(s.name+" "+s.a.opts.Codec.String(), func(t *testing.T) {
			db, err := engine.OpenFS(t.Context(), kept{s.place}, engine.Options{ReadOnly: true})
			check(t, err)
			defer db.Close()
			last, steps := s.old, 0
			_, err = s.a.db.BackupFS(t.Context(), stepped{s.place, func() {
				steps++
				check(t, db.Refresh(t.Context()))
				seq := db.Stats().Seq
				if c := contentOf(t, db); seq < last || !maps.Equal(c, s.a.hist[seq]) {
					t.Fatalf("step %d: #%d behind #%d, with %d keys", steps, seq, last, len(c))
				}
				last = seq
			}}, s.opts)
			check(t, err)
			if last != s.a.last() || steps < 3 {
				t.Errorf("#%d in the end, %d steps", last, steps)
			}
		})
	}
}
