package vlogtest_test

import (
	"context"
	"testing"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/vlogtest"
)

// both runs a test under each codec.
func both(t *testing.T, test func(*testing.T, engine.Codec)) {
	for _, c := range []engine.Codec{engine.Binary, engine.NDJSON} {
		t.Run(c.String(), func(t *testing.T) { test(t, c) })
	}
}

// spelled has the stores of a place made with a codec.
func spelled(p vlogtest.Place, c engine.Codec) vlogtest.Place {
	open := p.Open
	p.Open = func(ctx context.Context, opts engine.Options) (*engine.DB, error) {
		opts.Codec = c
		return open(ctx, opts)
	}
	return p
}

// TestDB runs the contract over every kind of DB that there is.
func TestDB(t *testing.T) { both(t, testDB) }

func testDB(t *testing.T, codec engine.Codec) {
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
		t.Run(name, func(t *testing.T) {
			vlogtest.TestDB(t, func(t testing.TB) vlogtest.Place { return spelled(maker(t), codec) })
		})
	}
}
