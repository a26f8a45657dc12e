package state

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"github.com/vlogdb/vlog/internal/batch"
)

// image returns the bytes of all entries of a picture.
func image(p *Picture) []byte {
	var all []byte
	for block := range p.Image(1 << 20) {
		all = append(all, block...)
	}
	return all
}

// runBatch draws a batch that as a rule can be a part of a run, of few keys, so that most
// of them come again.
func runBatch(t *rapid.T, keys keyMaker, count uint64) *batch.Batch {
	b := &batch.Batch{Writer: batch.Writer{rapid.Byte().Draw(t, "writer") & 1}, Counter: count - rapid.Uint64Range(0, min(1, count-1)).Draw(t, "late")}
	ops := map[string]batch.Op{}
	for range rapid.IntRange(0, keys.points).Draw(t, "points") {
		key := batch.AppendKey(nil, batch.KV, batch.Main, keys.bytes(t))
		op := batch.Op{Kind: batch.Put, Key: key, Value: keys.value(t)}
		if rapid.IntRange(0, 9).Draw(t, "delete") < keys.deletes {
			op = batch.Op{Kind: batch.Delete, Key: key}
		}
		ops[string(key)] = op
	}
	b.Ops = sorted(ops)
	switch rapid.IntRange(0, 20).Draw(t, "apart") {
	case 0:
		b.Ops = []batch.Op{{Kind: batch.DeleteRange, Key: batch.AppendKey(nil, batch.KV, batch.Main, keys.bytes(t)), End: batch.AppendTreeEnd(nil, batch.KV, batch.Main)}}
	case 1:
		b.Ops = []batch.Op{{Kind: batch.Put, Key: WriterKey(b.Writer), Value: []byte("12345678")}}
	}
	return b
}

// TestRun: batches that are applied at once come to the same, to the byte, as those that
// are applied in turn, whatever they do to each other's keys.
func TestRun(t *testing.T) {
	for name, keys := range map[string]keyMaker{"few": {points: 4, deletes: 4, max: 3}, "many": {points: 60, deletes: 2, max: 200}} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { testRun(t, keys) })
		})
	}
}

func testRun(t *rapid.T, keys keyMaker) {
	turn, once, r := NewEdit(Empty()), NewEdit(Empty()), &Run{}
	flush := func() {
		once.ApplyRun(r)
		r.Reset()
		a, b := turn.Picture(), once.Picture()
		if a.Position() != b.Position() || a.Len() != b.Len() || !bytes.Equal(image(a), image(b)) {
			t.Fatalf("%+v with %d keys at once, %+v with %d in turn", b.Position(), b.Len(), a.Position(), a.Len())
		}
		if err := sound(b); err != nil {
			t.Fatal(err)
		}
	}
	for i := range uint64(rapid.IntRange(1, 30).Draw(t, "batches")) {
		made := runBatch(t, keys, i+1)
		payload, err := batch.Append(nil, made)
		if err != nil {
			t.Fatal(err)
		}
		at := Position{Seq: batch.Seq(i + 1), Time: int64(i), Chain: batch.Chain{byte(i)}}
		var b batch.Batch
		taken, err := r.Add(&b, payload, at)
		if err != nil {
			t.Fatal(err)
		}
		if !taken {
			once.ApplyRun(r)
			r.Reset()
			once.Apply(&b, at)
		}
		clear(payload)
		turn.Apply(made, at)
		if rapid.IntRange(0, 5).Draw(t, "flush") == 0 {
			flush()
		}
	}
	flush()
}
