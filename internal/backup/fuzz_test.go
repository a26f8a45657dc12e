package backup_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/fuzz/cost"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/recovery"
)

// FuzzPlace puts any bytes in the place of one file of a backup place: restoring gives the
// store as it was behind some batch, or an error that such bytes may cause; and
// the next backup refuses the place, or all that the source holds is in it afterwards.
func FuzzPlace(f *testing.F) { fuzzPlace(f, engine.Binary) }

// FuzzPlaceLines does the same with a store of lines.
func FuzzPlaceLines(f *testing.F) { fuzzPlace(f, engine.NDJSON) }

func fuzzPlace(f *testing.F, codec engine.Codec) {
	a := newAuthor(f, engine.Options{Codec: codec})
	a.put(4)
	a.checkpoint()
	a.put(5)
	good := place()
	a.backup(good, engine.BackupOptions{})
	paths := slices.Sorted(maps.Keys(files(f, good)))
	paths = append(slices.DeleteFunc(paths, func(p string) bool { return strings.HasSuffix(p, "/") }), "log/copy.tmp")
	for i, path := range paths[:len(paths)-1] {
		whole := slurp(f, good, path)
		f.Add(uint8(i), []byte(whole))
		f.Add(uint8(i), []byte(whole[:len(whole)/2]))
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		p := good.Crash(vfs.Kept, 1)
		path := paths[int(which)%len(paths)]
		replace(t, p, path, b)
		restored := vfs.NewMem(vfs.MemOptions{})
		var err error
		cost.Within(t, 64*len(b)+32<<20, func() {
			_, err = engine.RestoreFS(t.Context(), p.Reopen(), restored.Reopen(), engine.RestoreOptions{Clock: clock()})
		})
		if err == nil {
			seq, c, err := look(t, restored)
			if err != nil || seq > a.last() || !maps.Equal(c, a.hist[seq]) {
				t.Fatalf("%s: restored to #%d with %d keys, %v", path, seq, len(c), err)
			}
		} else if !fromDisk(err) {
			t.Fatalf("%s: %v", path, err)
		}
		_, err = a.db.BackupFS(t.Context(), p.Reopen(), engine.BackupOptions{Clock: clock(), Verify: true})
		if err == nil {
			whole(t, p, a)
		} else if !fromDisk(err) {
			t.Fatalf("%s: %v", path, err)
		}
	})
}

// whole fails unless a place is the store as it is now. Bytes behind the end of a
// file are told and affect nothing.
func whole(t *testing.T, p vfs.FS, a *author) {
	seq, c, err := look(t, p)
	if err != nil || seq != a.last() || !maps.Equal(c, a.hist[seq]) {
		t.Fatalf("backed up, the place leads to #%d with %d keys, %v", seq, len(c), err)
	}
	_, err = engine.CheckFS(t.Context(), p, engine.CheckOptions{}, func(f engine.Finding) {
		if f.Severity == recovery.SeverityError {
			t.Errorf("check: %+v", f)
		}
	})
	check(t, err)
}

// fromDisk says whether an error is one that bytes in a place may cause.
func fromDisk(err error) bool {
	e, ok := errors.AsType[*engine.Error](err)
	return ok && slices.Contains([]*engine.Kind{engine.ErrCorrupt, engine.ErrForeign, engine.ErrIncompatible, engine.ErrExists, engine.ErrConflict, engine.ErrNotStore, engine.ErrNotFound, engine.ErrCompacted}, e.Err)
}

// replace makes a file be exactly b.
func replace(t *testing.T, fsys vfs.FS, name string, b []byte) {
	f, err := fsys.Open(name, vfs.Create)
	check(t, err)
	_, err = f.WriteAt(b, 0)
	check(t, errors.Join(err, f.Truncate(int64(len(b))), f.Close()))
}
