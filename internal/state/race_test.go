package state

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/vlogdb/vlog/internal/batch"
)

// TestReaders: readers of published and of old pictures see nothing of the edits
// that go on, also not of those that are given up. Every picture holds one value
// under all its keys.
func TestReaders(t *testing.T) {
	var published atomic.Pointer[Picture]
	e := NewEdit(Empty())
	published.Store(round(e, 1))
	var done atomic.Bool
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for !done.Load() {
				readAll(t, published.Load())
			}
		})
	}
	for i := 2; i < 150; i++ {
		if i%5 == 0 { // given up with its changes half made
			round(NewEdit(published.Load()), i)
		}
		e = NewEdit(published.Load())
		published.Store(round(e, i))
	}
	done.Store(true)
	readers.Wait()
}

// round sets all keys to one value and returns the picture.
func round(e *Edit, i int) *Picture {
	b := &batch.Batch{Counter: uint64(i)}
	for k := range 200 {
		b.Ops = append(b.Ops, batch.Op{Kind: batch.Put, Key: kvKey("%03d", k), Value: make([]byte, 50+i%100)})
	}
	if i%7 == 0 {
		b.Ops = b.Ops[:150]
		drop := batch.Op{Kind: batch.DeleteRange, Key: kvKey("150"), End: kvKey("999")}
		b.Ops = append([]batch.Op{drop}, b.Ops...)
	}
	e.Apply(b, Position{Seq: batch.Seq(i)})
	return e.Picture()
}

func readAll(t *testing.T, p *Picture) {
	from, n := kvKey(""), 0
	for e := range p.Ascend(from, nil) {
		if e.Seq != p.Seq() || len(e.Value) != 50+int(p.Seq())%100 {
			t.Errorf("%s at %v in a picture at %v", e.Key, e.Seq, p.Seq())
			return
		}
		n++
	}
	if n != p.Count(from, nil) {
		t.Errorf("%d keys, Count %d", n, p.Count(from, nil))
	}
	if counter, _ := p.Counter(batch.Writer{}); counter != uint64(p.Seq()) {
		t.Errorf("counter %d in a picture at %v", counter, p.Seq())
	}
}
