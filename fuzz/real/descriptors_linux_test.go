package real

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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
	for _, c := range []scarcity{
		{"open", 3, (*scarce).reopen},
		{"create", 3, (*scarce).create},
		{"open read-only", 3, (*scarce).look},
		{"put", 3, (*scarce).put},
		{"rotate", 3, (*scarce).rotate},
		{"checkpoint", 3, (*scarce).checkpoint},
		{"backup", 3, (*scarce).backup},
		{"look back", 3, (*scarce).past},
		{"check", 3, (*scarce).check},
		{"follow", 60, (*scarce).follow},
	} {
		t.Run(c.what, func(t *testing.T) {
			if failed := sweepDescriptors(t, codec, c); (failed == 0) != (c.what == "put") {
				t.Errorf("failed %d times for want of a descriptor; a put needs none, the rest does", failed)
			}
		})
	}
}

// scarcity is an operation for which there are few descriptors.
type scarcity struct {
	what string
	puts int // before each try
	do   func(x *scarce) error
}

// scarce is a store in a process that has few descriptors.
type scarce struct {
	*testing.T
	dir   string
	codec engine.Codec
	db    *engine.DB
	early *engine.DB // read-only, from the beginning on
	acked written
	n     int
}

// sweepDescriptors returns how often an operation failed.
func sweepDescriptors(t *testing.T, codec engine.Codec, c scarcity) (failed int) {
	x := &scarce{T: t, dir: filepath.Join(quickDir(t), "store"), codec: codec, acked: written{}}
	before := len(descriptors(t))
	x.db = open(t, x.dir, plain(codec))
	x.early = open(t, x.dir, engine.Options{ReadOnly: true})
	x.acked.some(t, x.db, 100)
	_, err := x.db.Checkpoint(t.Context())
	check(t, err)
	for x.n = 0; ; x.n++ {
		x.acked.some(t, x.db, c.puts)
		check(t, errors.Join(os.RemoveAll(x.dir+"-copy"), os.CopyFS(x.dir+"-copy", os.DirFS(x.dir))))
		err := withDescriptors(t, x.n, func() error { return c.do(x) })
		if err != nil {
			failed++
			if x.n > 40 || !errors.Is(err, syscall.EMFILE) {
				t.Fatalf("with %d descriptors: %v", x.n, err)
			}
			want(t, fmt.Sprint(x.n, " descriptors"), err, engine.ErrIO)
		}
		check(t, x.db.Err())
		check(t, c.do(x))
		x.acked.same(t, x.db)
		if err == nil {
			break
		}
	}
	x.acked.same(t, x.early)
	check(t, x.early.Close())
	x.acked.again(t, x.db, x.dir)
	if after := len(descriptors(t)); after != before {
		t.Errorf("%d descriptors were open before, %d after", before, after)
	}
	return failed
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

// follow reads what was written a moment ago where it was open for long.
func (x *scarce) follow() error {
	key := fmt.Sprintf("key%06d", len(x.acked)-1)
	got, err := x.early.Get(x.Context(), []byte(key))
	if err == nil && string(got) != x.acked[key] {
		x.Errorf("with %d descriptors a reader shows an old value", x.n)
	}
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

// TestDescriptorsUnderLoad lets others in the process take every descriptor that comes
// free, again and again, while many write, and files are prepared, used again and
// compacted in the background: a write that needs a descriptor fails by name, and the
// store never ends writing for want of one.
func TestDescriptorsUnderLoad(t *testing.T) {
	if alone(t) {
		both(t, testDescriptorsUnderLoad)
	}
}

func testDescriptorsUnderLoad(t *testing.T, codec engine.Codec) {
	dir := filepath.Join(quickDir(t), "store")
	opts := busy()
	opts.Codec, opts.MustExist = codec, false
	db := open(t, dir, opts)
	acked := written{}
	acked.some(t, db, 10)
	h := &hogs{done: make(chan struct{})}
	refused := 0
	check(t, withDescriptors(t, 8, func() error {
		h.start(3)
		defer h.end()
		for n := range 3000 {
			err := acked.put(t.Context(), db, fmt.Sprintf("load%06d", n), strings.Repeat("l", 500))
			if err == nil {
				continue
			}
			if refused++; !errors.Is(err, syscall.EMFILE) || db.Err() != nil {
				return fmt.Errorf("put %d: %w, then %w", n, err, db.Err())
			}
		}
		return nil
	}))
	check(t, db.Err())
	acked.same(t, db)
	acked.again(t, db, dir)
	t.Logf("%d of 3000 puts refused, %d times a hog found none", refused, h.none.Load())
}

// hogs are goroutines that take descriptors and let them go.
type hogs struct {
	done chan struct{}
	all  sync.WaitGroup
	none atomic.Int64
}

func (h *hogs) start(n int) {
	for w := range n {
		h.all.Go(func() { h.hog(rand.New(rand.NewPCG(9, uint64(w)))) })
	}
}

// hog takes some, until there are none, and lets them go.
func (h *hogs) hog(rng *rand.Rand) {
	var have []*os.File
	for {
		select {
		case <-h.done:
			h.drop(have)
			return
		default:
		}
		f, err := os.Open(os.DevNull)
		if err != nil {
			h.none.Add(1)
		} else {
			have = append(have, f)
		}
		if err != nil || rng.IntN(4) == 0 {
			h.drop(have)
			have = nil
		}
	}
}

func (h *hogs) drop(have []*os.File) {
	for _, f := range have {
		_ = f.Close()
	}
}

func (h *hogs) end() {
	close(h.done)
	h.all.Wait()
}
