package real

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/vlogdb/vlog/engine"
)

// withDescriptors calls fn with no more than n descriptors free.
func withDescriptors(t *testing.T, n int, fn func() error) (err error) {
	t.Helper()
	var was syscall.Rlimit
	check(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was))
	check(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: limitFor(t, n), Max: was.Max}))
	defer func() { err = errors.Join(err, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was)) }()
	return fn()
}

// limitFor returns the limit under which n more descriptors can be had: it counts
// numbers, and new ones fill the gaps.
func limitFor(t *testing.T, n int) uint64 {
	used := map[int]bool{}
	for _, fd := range descriptors(t) {
		used[fd] = true
	}
	limit := 0
	for free := 0; free < n || used[limit]; limit++ {
		if !used[limit] {
			free++
		}
	}
	return uint64(limit)
}

// descriptors lists those that this process has open.
func descriptors(t *testing.T) (all []int) {
	t.Helper()
	d, err := os.Open("/proc/self/fd")
	check(t, err)
	names, err := d.Readdirnames(-1)
	check(t, err)
	for _, name := range names {
		fd, err := strconv.Atoi(name)
		check(t, err)
		if fd != int(d.Fd()) {
			all = append(all, fd)
		}
	}
	check(t, d.Close())
	return all
}

// TestDescriptors lets descriptors run out at each that an operation asks for: it has
// none, then one, then two, until it passes. Each time the error says so and what was
// acknowledged stays; nothing is left open; and with descriptors it goes on.
func TestDescriptors(t *testing.T) {
	if alone(t) {
		both(t, testDescriptors)
	}
}

func testDescriptors(t *testing.T, codec engine.Codec) {
	for _, c := range []struct {
		what string
		do   func(x *scarce) error
	}{
		{"open", (*scarce).reopen},
		{"create", (*scarce).create},
		{"open read-only", (*scarce).look},
		{"put", (*scarce).put},
		{"rotate", (*scarce).rotate},
		{"checkpoint", (*scarce).checkpoint},
		{"backup", (*scarce).backup},
		{"look back", (*scarce).past},
		{"check", (*scarce).check},
	} {
		t.Run(c.what, func(t *testing.T) { sweepDescriptors(t, codec, c.do) })
	}
}

// scarce is a store in a process that has few descriptors.
type scarce struct {
	*testing.T
	dir   string
	codec engine.Codec
	db    *engine.DB
	acked written
	n     int
}

func sweepDescriptors(t *testing.T, codec engine.Codec, do func(*scarce) error) {
	x := &scarce{T: t, dir: filepath.Join(t.TempDir(), "store"), codec: codec, acked: written{}}
	before := len(descriptors(t))
	x.db = open(t, x.dir, plain(codec))
	x.acked.some(t, x.db, 100)
	_, err := x.db.Checkpoint(t.Context())
	check(t, err)
	failed := 0
	for x.n = 0; ; x.n++ {
		x.acked.some(t, x.db, 3)
		check(t, errors.Join(os.RemoveAll(x.dir+"-copy"), os.CopyFS(x.dir+"-copy", os.DirFS(x.dir))))
		err := withDescriptors(t, x.n, func() error { return do(x) })
		if err != nil {
			failed++
			if x.n > 40 || !errors.Is(err, syscall.EMFILE) {
				t.Fatalf("with %d descriptors: %v", x.n, err)
			}
			want(t, fmt.Sprint(x.n, " descriptors"), err, engine.ErrIO)
		}
		check(t, x.db.Err())
		check(t, do(x))
		x.acked.same(t, x.db)
		if err == nil {
			break
		}
	}
	x.acked.again(t, x.db, x.dir)
	if after := len(descriptors(t)); after != before {
		t.Errorf("%d descriptors were open before, %d after", before, after)
	}
	t.Logf("failed with 0 to %d descriptors", x.n-1)
}

// reopen opens a copy, which looks as if its writer had been killed.
func (x *scarce) reopen() error {
	db, err := engine.Open(x.Context(), x.dir+"-copy", plain(x.codec))
	if err != nil {
		return err
	}
	x.acked.same(x.T, db)
	return db.Close()
}

func (x *scarce) create() error {
	dir := filepath.Join(filepath.Dir(x.dir), strings.Repeat("n", x.n+1))
	db, err := engine.Open(x.Context(), dir, plain(x.codec))
	if err != nil {
		return err
	}
	return db.Close()
}

func (x *scarce) look() error {
	db, err := engine.Open(x.Context(), x.dir, engine.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	_, err = db.Get(x.Context(), []byte("key000000"))
	return errors.Join(err, db.Close())
}

func (x *scarce) put() error {
	return x.acked.put(x.Context(), x.db, fmt.Sprintf("key%06d", len(x.acked)), "few")
}

// rotate puts until the log goes on in another file.
func (x *scarce) rotate() error {
	for range 20 {
		if err := x.acked.put(x.Context(), x.db, fmt.Sprintf("key%06d", len(x.acked)), strings.Repeat("r", 1000)); err != nil {
			return err
		}
	}
	return nil
}

func (x *scarce) checkpoint() error {
	if err := x.put(); err != nil {
		return err
	}
	_, err := x.db.Checkpoint(x.Context())
	return err
}

func (x *scarce) backup() error {
	_, err := x.db.Backup(x.Context(), x.dir+"-place", engine.BackupOptions{})
	return err
}

func (x *scarce) past() error {
	past, err := x.db.At(x.Context(), 50)
	if err != nil {
		return err
	}
	_, err = past.Get(x.Context(), []byte("key000000"))
	return err
}

func (x *scarce) check() error {
	_, err := engine.Check(x.Context(), x.dir+"-copy", engine.CheckOptions{}, func(f engine.Finding) {
		if f.Kind != "torn" { // nobody has closed the copy
			x.Errorf("%+v", f)
		}
	})
	return err
}
