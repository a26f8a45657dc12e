package fuzz

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// fixed is the time of every test: so that equal disks are equal to the byte.
var fixed = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// numbers returns a deterministic source that differs by seed.
func numbers(seed uint64) func() uint64 {
	return func() uint64 {
		seed += 0x9e3779b97f4a7c15
		z := (seed ^ seed>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		return z ^ z>>31
	}
}

// both runs a test under each codec.
func both(t *testing.T, test func(*testing.T, engine.Codec)) {
	for _, c := range []engine.Codec{engine.Binary, engine.NDJSON} {
		t.Run(c.String(), func(t *testing.T) { test(t, c) })
	}
}

// small are options under which little work does everything: tiny segments, no
// goroutines of the engine's own, nothing random, files prepared or not.
func small(codec engine.Codec, seed uint64) engine.Options {
	return engine.Options{Codec: codec, SegmentSize: 2 << 10, NoPrepare: seed%2 == 1, CheckpointAfter: -1, Clock: func() time.Time { return fixed }, Random: numbers(seed)}
}

// content is the plain model of a store: tenant/key → value.
type content map[string]string

// history is the content after each batch: history[seq].
type history []content

// world is a store under test with what it promised.
type world struct {
	codec engine.Codec
	db    *engine.DB
	hist  history // hist[n] is what the store holds after batch n
	acked int     // batches answered with nil
	asked int     // batches that may be there

	// goOn decides whether the workload goes on after an error.
	goOn   func(err error) bool
	reopen bool // a store that is closed already is no failure

	sync  engine.SyncPolicy
	moved func() // is called where what is promised has changed
}

func newWorld(codec engine.Codec) *world {
	return &world{codec: codec, hist: history{{}}, goOn: func(error) bool { return false }, moved: func() {}}
}

// change is one write of the workload.
type change struct {
	tenant, key, value string
	del                bool
	rangeTo            string
}

// commit runs one transaction and keeps the model in step.
func (w *world) commit(ctx context.Context, changes ...change) error {
	if w.asked > w.acked {
		return w.inDoubt(ctx)
	}
	next := maps.Clone(w.hist[w.acked])
	w.hist = append(w.hist[:w.acked+1], next)
	w.asked = w.acked + 1
	w.moved()
	defer func() { w.moved() }()
	err := w.db.Update(ctx, func(_ context.Context, tx *engine.Tx) error {
		for _, c := range changes {
			if err := c.apply(tx, next); err != nil {
				return err
			}
		}
		return nil
	})
	switch {
	case err == nil:
		w.acked++
	case !errors.Is(err, engine.ErrAmbiguous):
		w.asked = w.acked // nothing was written
	}
	return err
}

// inDoubt checks that nothing is written behind a batch that may be there.
func (w *world) inDoubt(ctx context.Context) error {
	err := w.db.Put(ctx, []byte("behind"), nil)
	if err == nil {
		return errors.New("a write was taken behind one of unknown outcome")
	}
	return err
}

// opened takes over a store that was opened again: what was in doubt is decided.
func (w *world) opened(db *engine.DB) {
	w.db = db
	if last := int(db.Report().Last); last == w.asked {
		w.acked = last
	}
	w.asked = w.acked
	w.moved()
}

func (c change) apply(tx *engine.Tx, next content) error {
	tx, err := tx.Tenant(c.tenant)
	if err != nil {
		return err
	}
	switch {
	case c.rangeTo != "":
		for k := range next {
			if k >= c.tenant+"/"+c.key && k < c.tenant+"/"+c.rangeTo {
				delete(next, k)
			}
		}
		return tx.DeleteRange(engine.Range{From: []byte(c.key), To: []byte(c.rangeTo)})
	case c.del:
		delete(next, c.tenant+"/"+c.key)
		return tx.Delete([]byte(c.key))
	}
	next[c.tenant+"/"+c.key] = c.value
	return tx.Put([]byte(c.key), []byte(c.value))
}

// contentOf reads everything a store holds.
func contentOf(ctx context.Context, db *engine.DB) (content, error) {
	all := content{}
	for tenant, err := range db.Tenants(ctx) {
		if err != nil {
			return nil, err
		}
		s, err := db.Tenant(tenant)
		if err != nil {
			return nil, err
		}
		for e, err := range s.Scan(ctx, engine.Range{}) {
			if err != nil {
				return nil, err
			}
			all[tenant+"/"+string(e.Key)] = string(e.Value)
		}
	}
	return all, nil
}

// seedOf makes an opening's random numbers a function of the disk it opens.
func seedOf(img *vfs.Image) uint64 {
	h := img.Hash()
	return binary.LittleEndian.Uint64(h[:])
}

// promise is what a disk must still hold.
type promise struct {
	hist         history
	acked, asked int
}

func (w *world) promise() promise { return promise{w.hist, w.acked, w.asked} }

// after returns the promise once batch seq was seen and one more is asked for.
func (p promise) after(seq int) promise {
	next := maps.Clone(p.hist[seq])
	next["main/after"] = "crash"
	return promise{append(p.hist[:seq+1:seq+1], next), seq, seq + 1}
}

// kept checks that a store holds exactly some batch the promise allows.
func (p promise) kept(ctx context.Context, db *engine.DB) (seq int, err error) {
	seq = int(db.Report().Last)
	if seq < p.acked || seq > p.asked {
		return seq, fmt.Errorf("the store ends at #%d: acknowledged #%d, asked for #%d", seq, p.acked, p.asked)
	}
	got, err := contentOf(ctx, db)
	if err != nil {
		return seq, err
	}
	if want := p.hist[seq]; !maps.Equal(got, want) {
		return seq, fmt.Errorf("after #%d the store holds %d keys, the model %d", seq, len(got), len(want))
	}
	return seq, nil
}
