package state

import (
	"encoding/binary"
	"runtime"
	"testing"
	"weak"

	"github.com/vlogdb/vlog/internal/batch"
)

func rowKey(i int) []byte { return binary.BigEndian.AppendUint64(kvKey(""), uint64(i)) }

// TestCutsLeaveNoHoles: nodes go with their keys, also where ranges leave little
// between them, all in one batch or one by one.
func TestCutsLeaveNoHoles(t *testing.T) {
	const rows, gap = 200_000, 500
	p := load(t, inserted(rowKeys(rows), 5000), 1<<16)
	for name, each := range map[string]int{"one batch": rows, "batches": 1} {
		e, seq := NewEdit(p), int(p.Seq())
		b := &batch.Batch{}
		for at := 0; at < rows; at += gap {
			b.Ops = append(b.Ops, batch.Op{Kind: batch.DeleteRange, Key: rowKey(at + 1), End: rowKey(at + gap)})
			if len(b.Ops) == each || at+gap >= rows {
				seq++
				e.Apply(b, Position{Seq: batch.Seq(seq)})
				b.Ops = b.Ops[:0]
			}
		}
		q := e.Picture()
		mustBeSound(t, q)
		if q.Len() > rows/gap+2 || q.leaves > q.Len()/leafMin+2 || q.twigs > q.leaves/nodeMin+2 || q.boughs > 2 {
			t.Errorf("%s: %d keys in %d leaves, %d twigs, %d boughs", name, q.Len(), q.leaves, q.twigs, q.boughs)
		}
	}
}

func rowKeys(n int) [][]byte {
	keys := make([][]byte, n)
	for i := range keys {
		keys[i] = rowKey(i)
	}
	return keys
}

// TestNothingKept: an edit that rests keeps neither the batch that it applied last
// nor nodes of versions that nobody else has.
func TestNothingKept(t *testing.T) {
	e := NewEdit(inserted(rowKeys(5000), 1000))
	root, _ := touched(e, 6)
	e.Picture()
	_, key := touched(e, 7)
	e.Picture()
	runtime.GC()
	if key.Value() != nil {
		t.Error("the bytes of a batch are kept")
	}
	if root.Value() != nil {
		t.Error("a root is kept")
	}
	runtime.KeepAlive(e)
}

// touched puts a key and returns the root that came of it and the key. The writer
// is the one before, so that only the key is looked for.
func touched(e *Edit, counter int) (weak.Pointer[bough], weak.Pointer[byte]) {
	key := append(rowKey(77), make([]byte, 100)...)
	b := &batch.Batch{Writer: batch.Writer{1}, Counter: uint64(counter), Ops: []batch.Op{{Kind: batch.Put, Key: key}}}
	e.Apply(b, Position{Seq: batch.Seq(counter)})
	return weak.Make(e.now.root.bough), weak.Make(&key[0])
}
