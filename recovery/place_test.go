package recovery

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

// TestPlaceFormats: a backup place is read and never written; what is not finished is
// not even read, and says what to do; and what else a store has stays.
func TestPlaceFormats(t *testing.T) {
	n := write(t, 1)
	m := n.closed.disk(t)
	f, err := ReadFormat(m)
	check(t, err)
	f.Features.Compatible = []string{"more"}
	for _, c := range []struct {
		what         string
		f            Format
		read, write  *fault.Kind
		hint         string
		backup, part bool
	}{
		{"place", f.AsBackup(true), nil, fault.ErrIncompatible, "restore it", true, false},
		{"place in the making", f.AsBackup(false), fault.ErrIncompatible, fault.ErrIncompatible, "run the backup again", true, true},
		{"restore in the making", f.AsBackup(true).AsStore(false), fault.ErrIncompatible, fault.ErrIncompatible, "the same one again", false, true},
		{"restored", f.AsBackup(false).AsStore(true), nil, nil, "", false, false},
	} {
		check(t, WriteFormat(m, c.f))
		got, err := ReadPlace(m)
		check(t, err)
		if got.IsBackup() != c.backup || got.Unfinished() != c.part || !slices.Equal(got.Features.Compatible, []string{"more"}) || got.UUID != f.UUID {
			t.Errorf("%s: %+v", c.what, got)
		}
		for opts, kind := range map[*Options]*fault.Kind{ref(readOnly()): c.read, ref(small(7)): c.write} {
			s, err := Open(t.Context(), m.Reopen(), *opts)
			if kind == nil {
				check(t, err)
				if !opts.ReadOnly {
					check(t, errors.Join(s.Writer.Close(), s.Lock.Close()))
				}
				continue
			}
			wantKind(t, err, kind)
			if e, ok := errors.AsType[*fault.Error](err); !ok || !strings.Contains(e.Advice(), c.hint) {
				t.Errorf("%s: %v: %s", c.what, err, e.Advice())
			}
		}
	}
	future := f.AsBackup(false)
	future.Features.Incompatible = append(future.Features.Incompatible, "tomorrow")
	check(t, WriteFormat(m, future))
	_, err = ReadPlace(m)
	wantKind(t, err, fault.ErrIncompatible)
	_, err = ReadPlace(files{"FORMAT": "{}"}.disk(t))
	wantKind(t, err, fault.ErrCorrupt)
}

func ref[T any](v T) *T { return &v }

// TestHold: a hold that is let go before its end leaves LOCK as it was; one that ends
// makes it say how far the log reaches, whatever a power cut takes.
func TestHold(t *testing.T) {
	n := write(t, 1)
	m := n.closed.tracked(t)
	h, err := TakeLock(m, n.id, now)
	check(t, err)
	_, err = TakeLock(m.Reopen(), n.id, now)
	wantKind(t, err, fault.ErrLocked)
	if _, ok := errors.AsType[*Holder](err); !ok {
		t.Errorf("nobody is named: %v", err)
	}
	if c, ok, err := LastClosed(m, n.id); err != nil || !ok || c.Seq != 11 {
		t.Errorf("while it is held: %+v, %v, %v", c, ok, err)
	}
	check(t, h.Close())
	if got := slurp(t, m, LockName); got != n.closed[LockName] {
		t.Errorf("LOCK says %q", got)
	}
	h, err = TakeLock(m, n.id, now)
	check(t, err)
	chain := n.pic8.Chain()
	check(t, h.End(Closed{Seq: 8, Chain: chain[:], Time: now()}))
	check(t, h.Close())
	cut := m.Crash(vfs.Lost, 1)
	if c, ok, err := LastClosed(cut, n.id); err != nil || !ok || c.Seq != 8 || string(c.Chain) != string(chain[:]) {
		t.Errorf("%+v, %v, %v", c, ok, err)
	}
	if _, ok, err := LastClosed(m, [16]byte{1}); ok || err != nil {
		t.Errorf("of another store: %v, %v", ok, err)
	}
}

// TestVacant: what a creation that was cut off leaves is nothing; anything else has a name.
func TestVacant(t *testing.T) {
	for _, c := range []struct {
		f     files
		other string
	}{
		{files{}, ""},
		{files{"LOCK": "", "log/": "", ".FORMAT.tmp": "x", "log/copy.tmp": "x"}, ""},
		{files{"FORMAT": "x"}, "FORMAT"},
		{files{"log/": "", "log/00000000000000000001.vlog": ""}, "log/00000000000000000001.vlog"},
		{files{"letters.txt": ""}, "letters.txt"},
		{files{"LOCK/": ""}, "LOCK"},
	} {
		if other, err := Vacant(c.f.disk(t)); err != nil || other != c.other {
			t.Errorf("%v: %q, %v", c.f, other, err)
		}
	}
}
