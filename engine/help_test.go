package engine_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// TestMain fails where a goroutine is left when every database was closed. As a child
// it is the writer that TestFollowProcess kills.
func TestMain(m *testing.M) {
	if dir := os.Getenv(asWriter); dir != "" {
		writeAndBeKilled(dir)
	}
	goleak.VerifyTestMain(m)
}

func tracked() *vfs.Mem { return vfs.NewMem(vfs.MemOptions{Track: true}) }

// both runs a test with stores of each codec: those that its subtest makes are of the
// codec that the subtest is named after.
func both(t *testing.T, test func(*testing.T)) {
	for _, c := range []engine.Codec{engine.Binary, engine.NDJSON} {
		t.Run(c.String(), test)
	}
}

// codecOf is the codec of the stores that a test makes.
func codecOf(t interface{ Name() string }) engine.Codec {
	if strings.Contains(t.Name()+"/", "/"+engine.NDJSON.String()+"/") {
		return engine.NDJSON
	}
	return engine.Binary
}

// ahead is how many files a store keeps ready: of lines none.
func ahead(t testing.TB) int {
	if codecOf(t) == engine.NDJSON {
		return 0
	}
	return 1
}

// quiet are options without background work.
var quiet = engine.Options{CheckpointAfter: -1}

// open opens a store and closes it when the test ends, however that goes.
func open(t testing.TB, fsys vfs.FS, opts engine.Options) *engine.DB {
	t.Helper()
	if opts.Codec == engine.Binary {
		opts.Codec = codecOf(t)
	}
	db, err := engine.OpenFS(context.Background(), fsys, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t testing.TB, what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("%s: error %v, want %v", what, err, target)
	}
}

func put(t testing.TB, db *engine.DB, key, value string) {
	t.Helper()
	check(t, db.Put(t.Context(), []byte(key), []byte(value)))
}

// value returns what a key has, or "-".
func value(t testing.TB, db *engine.DB, key string) string {
	t.Helper()
	v, err := db.Get(context.Background(), []byte(key))
	if errors.Is(err, engine.ErrNotFound) {
		return "-"
	}
	check(t, err)
	return string(v)
}

// all returns everything in the tenant main as "key=value key=value".
func all(t testing.TB, db *engine.DB) string {
	t.Helper()
	var pairs []string
	for e, err := range db.Scan(context.Background(), engine.Range{}) {
		check(t, err)
		pairs = append(pairs, string(e.Key)+"="+string(e.Value))
	}
	return strings.Join(pairs, " ")
}

func putIn(key, value string) func(context.Context, *engine.Tx) error {
	return func(_ context.Context, tx *engine.Tx) error { return tx.Put([]byte(key), []byte(value)) }
}

// background calls fn in a goroutine until nobody can go on, and returns its answer
// to come.
func background(fn func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- fn() }()
	synctest.Wait()
	return done
}

// waits fails where a call has come back already.
func waits(t testing.TB, what string, done <-chan error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-done:
		t.Fatalf("%s did not wait: %v", what, err)
	default:
	}
}

// hanging is a slow disk whose syncs hang while it is shut.
type hanging struct {
	*vfs.Slow
	mu   sync.Mutex // guards open
	open chan struct{}
}

func newHanging(fsys vfs.FS) *hanging {
	h := &hanging{open: make(chan struct{})}
	close(h.open)
	syncs := vfs.OnKind(vfs.OpSync)
	h.Slow = vfs.NewSlow(fsys, func(op vfs.Op) time.Duration {
		if syncs(op) {
			<-h.gate()
			return time.Millisecond
		}
		return 0
	})
	return h
}

func (h *hanging) gate() chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.open
}

// hang lets syncs hang from now on, until release.
func (h *hanging) hang() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open = make(chan struct{})
}

func (h *hanging) release() { close(h.gate()) }

// failing is a disk that fails while fail says so.
type failing struct {
	*vfs.Fail
	mu   sync.Mutex // guards fail
	fail func(op vfs.Op) error
}

func newFailing(fsys vfs.FS) *failing {
	f := &failing{}
	f.Fail = vfs.NewFail(fsys, vfs.InjectorFunc(func(op vfs.Op) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.fail == nil {
			return nil
		}
		return f.fail(op)
	}))
	return f
}

func (f *failing) set(fail func(op vfs.Op) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = fail
}

// on fails operations that match.
func on(match func(op vfs.Op) bool, err error) func(op vfs.Op) error {
	return func(op vfs.Op) error {
		if match(op) {
			return err
		}
		return nil
	}
}
