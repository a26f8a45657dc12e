package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/vlogdb/vlog/engine"
)

// asChild is set to the store for the process that is killed, withCodec to the codec.
const (
	asChild   = "KILLLOOP_CHILD"
	withCodec = "KILLLOOP_CODEC"
)

// TestMain fails where a goroutine is left when all tests have ended. As a child it is
// the process that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv(asChild); dir != "" {
		codec, _ := engine.ParseCodec(os.Getenv(withCodec))
		writeAndExit(context.Background(), setting{dir, codec, 64})
	}
	goleak.VerifyTestMain(m)
}

// TestKill is the short form: 64 goroutines are killed a few times in the middle, under
// each codec.
func TestKill(t *testing.T) {
	for _, c := range []engine.Codec{engine.Binary, engine.NDJSON} {
		t.Run(c.String(), func(t *testing.T) { testKill(t, c) })
	}
}

func testKill(t *testing.T, codec engine.Codec) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "store")
	k := &killer{dir: dir, codec: codec, command: []string{self}, env: []string{asChild + "=" + dir, withCodec + "=" + codec.String()}, acked: make([]uint64, 64)}
	loops := 0
	k.pause = func() time.Duration { return anyPause() * time.Duration(1+loops/12) } // a busy machine takes longer to come to writing
	for ; loops < 12 || k.total < 100; loops++ {
		if err := k.loop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if segments, err := filepath.Glob(filepath.Join(dir, "log", "*."+map[engine.Codec]string{engine.Binary: "vlog", engine.NDJSON: "ndjson"}[codec])); len(segments) == 0 || err != nil {
		t.Errorf("no segment of %v: %v", codec, err)
	}
	t.Logf("%d writes acknowledged, none lost; %d torn tails cut", k.total, k.cuts)
}

// TestWriterThatFails must not pass for one that was killed.
func TestWriterThatFails(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	k := &killer{dir: file, command: []string{self}, env: []string{asChild + "=" + file}, acked: make([]uint64, 64)}
	k.pause = func() time.Duration { return time.Minute }
	if err := k.loop(t.Context()); err == nil || !strings.Contains(err.Error(), "ended before it was") {
		t.Fatalf("a writer that cannot open its store: %v", err)
	}
}

// TestCheckFinds makes what a faulty engine would leave and expects it to be told.
func TestCheckFinds(t *testing.T) {
	for name, change := range map[string]func(*engine.Tx) error{
		"half a transaction": func(tx *engine.Tx) error { return tx.Put(leftKey(0), []byte("4")) },
		"was acknowledged": func(tx *engine.Tx) error {
			return errors.Join(tx.Put(leftKey(0), []byte("2")), tx.Put(rightKey(0), []byte("2")), tx.Delete(itemKey(0, 3)))
		},
		"one more asked for": func(tx *engine.Tx) error {
			return errors.Join(tx.Put(leftKey(0), []byte("5")), tx.Put(rightKey(0), []byte("5")))
		},
		"items end at": func(tx *engine.Tx) error { return tx.Delete(itemKey(0, 3)) },
		"belongs":      func(tx *engine.Tx) error { return tx.Put(itemKey(0, 2), []byte("9")) },
	} {
		k := &killer{dir: filepath.Join(t.TempDir(), "store"), acked: []uint64{3}}
		if err := leave(t.Context(), k.dir, change); err != nil {
			t.Fatal(err)
		}
		if err := k.check(t.Context()); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// leave makes a store in which writer 0 counted to 3, and then changes it.
func leave(ctx context.Context, dir string, change func(*engine.Tx) error) error {
	db, err := engine.Open(ctx, dir, engine.Options{})
	if err != nil {
		return err
	}
	err = db.Update(ctx, func(_ context.Context, tx *engine.Tx) error {
		var errs []error
		for n := range uint64(3) {
			errs = append(errs, tx.Put(itemKey(0, n+1), fmt.Append(nil, n+1)))
		}
		errs = append(errs, tx.Put(leftKey(0), []byte("3")), tx.Put(rightKey(0), []byte("3")), change(tx))
		return errors.Join(errs...)
	})
	return errors.Join(err, db.Close())
}
