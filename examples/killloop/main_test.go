package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// asChild is set for the process that is killed.
const asChild = "KILLLOOP_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(asChild); dir != "" {
		if err := write(context.Background(), dir, 64, os.Stdout); err != nil {
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// TestKill is the short form: 64 goroutines are killed a few times in the middle.
func TestKill(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "store")
	k := &killer{dir: dir, command: []string{self}, env: []string{asChild + "=" + dir}, acked: make([]uint64, 64)}
	for range 12 {
		if err := k.loop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if k.total < 100 {
		t.Fatalf("only %d writes were acknowledged", k.total)
	}
	t.Logf("%d writes acknowledged, none lost; %d torn tails cut", k.total, k.cuts)
}
