package vlogtest_test

import (
	"context"
	"testing"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/vlogtest"
)

// TestDB runs the contract over every kind of DB that there is.
func TestDB(t *testing.T) {
	for name, maker := range map[string]vlogtest.DBMaker{
		"directory": func(t testing.TB) vlogtest.Place {
			dir := t.TempDir()
			return vlogtest.Place{Open: func(ctx context.Context, opts engine.Options) (*engine.DB, error) { return engine.Open(ctx, dir, opts) }}
		},
		"memory": func(testing.TB) vlogtest.Place {
			return vlogtest.Place{Open: engine.OpenMemory, Volatile: true}
		},
		"store": func(testing.TB) vlogtest.Place { return vlogtest.NewStore(1).Place() },
	} {
		t.Run(name, func(t *testing.T) { vlogtest.TestDB(t, maker) })
	}
}
