package engine_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// TestBackupBesideWriter backs up a store that another DB writes to, compacts and
// recycles meanwhile: what the place then leads to is the store as it was behind that
// batch, which was not before the backup began.
func TestBackupBesideWriter(t *testing.T) {
	for _, codec := range []engine.Codec{engine.Binary, engine.NDJSON} {
		m, ctx := vfs.NewMem(vfs.MemOptions{}), t.Context()
		db := open(t, m.Reopen(), engine.Options{Codec: codec, SegmentSize: 4 << 10, CheckpointAfter: 8 << 10, CheckpointRate: -1, Keep: &engine.Keep{Checkpoints: 1}})
		versions := []map[string]string{{}, {}} // #1 is the Keep
		var mu sync.Mutex                       // guards versions
		step := func() {
			mu.Lock()
			next := maps.Clone(versions[len(versions)-1])
			key, value := fmt.Sprint("key", len(versions)%7), fmt.Sprint(len(versions))+strings.Repeat("v", 400)
			next[key] = value
			versions = append(versions, next)
			mu.Unlock()
			put(t, db, key, value)
		}
		for range 50 {
			step()
		}
		stop := make(chan struct{})
		var writer sync.WaitGroup
		writer.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					step()
				}
			}
		})
		place := vfs.NewMem(vfs.MemOptions{})
		for range 8 {
			before := db.Durable()
			res, err := engine.BackupFS(ctx, m.Reopen(), place.Reopen(), engine.BackupOptions{})
			check(t, err)
			if res.Seq < before {
				t.Fatalf("backed up #%d, answered was #%d", res.Seq, before)
			}
			copied := open(t, place.Reopen(), engine.Options{ReadOnly: true})
			mu.Lock()
			want := versions[res.Seq]
			mu.Unlock()
			have := map[string]string{}
			for e, err := range copied.Scan(context.Background(), engine.Range{}) {
				check(t, err)
				have[string(e.Key)] = string(e.Value)
			}
			if !maps.Equal(have, want) {
				t.Fatalf("%v: the place does not hold #%d", codec, res.Seq)
			}
			check(t, copied.Close())
		}
		close(stop)
		writer.Wait()
		check(t, db.Close())
	}
}

// TestPastBesideWriter looks back on a read-only DB while another DB writes, compacts
// and recycles: it gets the store as it was, or is told that it is no longer kept.
func TestPastBesideWriter(t *testing.T) {
	m, ctx := vfs.NewMem(vfs.MemOptions{}), t.Context()
	db := open(t, m.Reopen(), engine.Options{SegmentSize: 4 << 10, CheckpointAfter: 8 << 10, CheckpointRate: -1})
	step := func(i int) { put(t, db, "n", fmt.Sprint(i)+strings.Repeat("v", 400)) }
	for i := 1; i <= 50; i++ {
		step(i)
	}
	r := readBeside(t, m)
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 51; ; i++ {
			select {
			case <-stop:
				return
			default:
				step(i)
			}
		}
	})
	kept, gone := 0, 0
	for i := range 200 {
		last := r.Durable()
		seq := last - uint64(i%40)
		p, err := r.At(ctx, seq)
		if errors.Is(err, engine.ErrCompacted) {
			gone++
			continue
		}
		check(t, err)
		v, err := p.Get(ctx, []byte("n"))
		if check(t, err); !strings.HasPrefix(string(v), fmt.Sprint(seq)+"v") || p.Seq() != seq {
			t.Fatalf("at #%d of #%d: %.10q of #%d", seq, last, v, p.Seq())
		}
		kept++
	}
	close(stop)
	writer.Wait()
	if kept == 0 {
		t.Errorf("kept %d, gone %d", kept, gone)
	}
}
