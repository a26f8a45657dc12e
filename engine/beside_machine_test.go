package engine_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// besideMachine drives writers of a store beside a read-only DB and a loop that follow
// it: versions[n] is what it holds after batch n.
type besideMachine struct {
	mem      *vfs.Mem
	codec    engine.Codec
	disk     *failing // the writer's door
	db       *engine.DB
	versions []map[string]string
	durable  uint64 // answered, and known to be durable

	reader *engine.DB
	shown  uint64 // by the reader, at most
	loop   *followed
	steps  *int
}

// followed is a loop over Watch that a test takes batches from.
type followed struct {
	batches chan watchedBatch
	cancel  context.CancelFunc
	done    chan struct{}
	next    uint64
}

type watchedBatch struct {
	seq   uint64
	value map[string]string // of what it put
	err   error
}

func follow(db *engine.DB, from uint64) *followed {
	ctx, cancel := context.WithCancel(context.Background())
	f := &followed{make(chan watchedBatch), cancel, make(chan struct{}), from}
	go func() {
		defer close(f.done)
		for b, err := range db.Watch(ctx, from) {
			w := watchedBatch{seq: b.Seq, value: map[string]string{}, err: err}
			if err == nil {
				for c := range b.Changes() {
					w.value[string(c.Key)] = string(c.Value)
				}
			}
			select {
			case f.batches <- w:
			case <-ctx.Done():
				return
			}
		}
	}()
	return f
}

func (f *followed) stop() {
	f.cancel()
	<-f.done
}

func (m *besideMachine) last() uint64 { return uint64(len(m.versions) - 1) }

func (m *besideMachine) open(t rapid.TB, sync engine.SyncPolicy) {
	m.disk = newFailing(m.mem.Reopen())
	db, err := engine.OpenFS(context.Background(), m.disk, engine.Options{CheckpointAfter: -1, SegmentSize: 4 << 10, Sync: sync, Codec: m.codec})
	ok(t, err)
	m.db = db
	got := uint64(db.Report().Last)
	if got < max(m.durable, m.shown) || got > m.last() {
		t.Fatalf("opening finds %d: durable was %d, shown %d, asked for %d", got, m.durable, m.shown, m.last())
	}
	m.versions = m.versions[:got+1]
	m.durable = got
}

func (m *besideMachine) put(t *rapid.T) {
	n := rapid.IntRange(1, 4).Draw(t, "batches")
	for range n {
		next := maps.Clone(m.versions[m.last()])
		key, value := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key"), fmt.Sprint(len(m.versions))+strings.Repeat("v", rapid.IntRange(0, 1500).Draw(t, "size"))
		next[key] = value
		m.versions = append(m.versions, next)
		ok(t, m.db.Put(context.Background(), []byte(key), []byte(value)))
	}
	m.durable = max(m.durable, m.db.Durable())
}

func (m *besideMachine) sync(t *rapid.T) {
	ok(t, m.db.Sync(context.Background()))
	m.durable = m.last()
}

func (m *besideMachine) checkpoint(t *rapid.T) {
	res, err := m.db.Checkpoint(context.Background())
	ok(t, err)
	m.durable = max(m.durable, res.Seq)
}

func (m *besideMachine) policy(t *rapid.T) engine.SyncPolicy {
	return rapid.SampledFrom([]engine.SyncPolicy{engine.SyncAlways, engine.SyncNever}).Draw(t, "sync")
}

func (m *besideMachine) reopen(t *rapid.T) {
	ok(t, m.db.Close())
	m.durable = m.last()
	m.check(t) // while nobody writes
	m.open(t, m.policy(t))
}

// kill ends the writer where it stands, and another comes.
func (m *besideMachine) kill(t *rapid.T) {
	m.disk.set(func(vfs.Op) error { return engine.ErrIO })
	_ = m.db.Close() // nothing of it reaches the disk
	m.check(t)
	m.open(t, m.policy(t))
}

// another opens another reader, and sometimes follows from somewhere else.
func (m *besideMachine) another(t *rapid.T) {
	m.loop.stop()
	ok(t, m.reader.Close())
	m.read(t)
	info, err := m.reader.Info(context.Background())
	ok(t, err)
	from := rapid.Uint64Range(1, m.last()+1).Draw(t, "from")
	m.loop = follow(m.reader, from)
	if from >= info.First {
		return
	}
	if b := <-m.loop.batches; !errors.Is(b.err, engine.ErrCompacted) {
		t.Fatalf("followed from %d, the log begins at %d: %+v", from, info.First, b)
	}
	m.loop.stop()
	m.loop = follow(m.reader, m.reader.Durable()+1)
}

func (m *besideMachine) read(t rapid.TB) {
	db, err := engine.OpenFS(context.Background(), m.mem.Reopen(), engine.Options{ReadOnly: true})
	ok(t, err)
	m.reader = db
}

// check looks: everything durable is shown, as it was written, and followed.
func (m *besideMachine) check(t *rapid.T) {
	*m.steps++
	ok(t, m.reader.View(context.Background(), func(_ context.Context, tx *engine.Tx) error {
		seq := tx.Base()
		if seq < m.durable || seq < m.shown || seq > m.last() {
			t.Fatalf("shows %d: durable is %d, shown was %d, asked for %d", seq, m.durable, m.shown, m.last())
		}
		m.shown = seq
		have := map[string]string{}
		for e, err := range tx.Scan(engine.Range{}) {
			ok(t, err)
			have[string(e.Key)] = string(e.Value)
		}
		if !maps.Equal(have, m.versions[seq]) {
			t.Fatalf("shows something else for %d", seq)
		}
		return nil
	}))
	for m.loop.next <= m.durable {
		b := <-m.loop.batches
		if b.err != nil || b.seq != m.loop.next {
			t.Fatalf("followed to %d %v, want %d", b.seq, b.err, m.loop.next)
		}
		for key, value := range b.value {
			if m.versions[b.seq][key] != value {
				t.Fatalf("batch %d is another", b.seq)
			}
		}
		m.loop.next++
	}
}

// TestBesideMachine draws what writers do, who also die and come back, and looks after
// each step through a read-only DB and a loop that follows.
func TestBesideMachine(t *testing.T) {
	steps := 0
	rapid.Check(t, func(t *rapid.T) {
		m := &besideMachine{mem: vfs.NewMem(vfs.MemOptions{}), versions: []map[string]string{{}}, steps: &steps}
		m.codec = rapid.SampledFrom([]engine.Codec{engine.Binary, engine.NDJSON}).Draw(t, "codec")
		m.open(t, m.policy(t))
		m.read(t)
		m.loop = follow(m.reader, 1)
		defer func() {
			m.loop.stop()
			ok(t, m.reader.Close())
			_ = m.db.Close()
		}()
		t.Repeat(map[string]func(*rapid.T){
			"put": m.put, "sync": m.sync, "checkpoint": m.checkpoint, "reopen": m.reopen, "kill": m.kill, "another": m.another, "": m.check,
		})
	})
	least := 1000
	if testing.Short() { // rapid draws a fifth
		least /= 5
	}
	if steps < least {
		t.Errorf("only %d steps", steps)
	}
}
