package batch

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/vlogdb/vlog/internal/fault"
)

// canonical says what FORMAT.md says of ops, each rule by itself and every pair of
// ops compared.
func canonical(ops []Op) bool {
	for i, op := range ops {
		if !canonicalOp(op) {
			return false
		}
		for _, later := range ops[i+1:] {
			if !canonicalPair(op, later) {
				return false
			}
		}
	}
	return true
}

func canonicalOp(op Op) bool {
	space, tenant, key, err := SplitKey(op.Key)
	if err != nil || len(key) > MaxKey {
		return false
	}
	if op.Kind != DeleteRange {
		return op.Kind == Put || op.Kind == Delete
	}
	if bytes.Compare(op.Key, op.End) >= 0 {
		return false
	}
	if bytes.Equal(op.End, AppendTreeEnd(nil, space, tenant)) {
		return true
	}
	s, other, key, err := SplitKey(op.End)
	return err == nil && s == space && other == tenant && len(key) <= MaxKey
}

func canonicalPair(op, later Op) bool {
	switch {
	case op.Kind == DeleteRange && later.Kind == DeleteRange:
		return bytes.Compare(op.End, later.Key) < 0
	case op.Kind == DeleteRange:
		return later.Kind == Put || bytes.Compare(later.Key, op.Key) < 0 || bytes.Compare(later.Key, op.End) >= 0
	case later.Kind == DeleteRange:
		return false
	}
	return bytes.Compare(op.Key, later.Key) < 0
}

// keys of three trees, in order, so few that ops drawn of them meet.
var keys = [][]byte{
	{1, 0}, {1, 0, 0}, {1, 0, 'a'}, {1, 0, 'a', 0}, {1, 0, 'b'}, {1, 0, 0xff}, {1, 1},
	[]byte("\x01-\x00"), []byte("\x01-\x00k"), []byte("\x01-\x01"), []byte("\x02\x00k"),
}

// odd are no keys.
var odd = [][]byte{nil, {1}, {1, 1}, {1, 1, 0}, []byte("\x01-\x01k"), []byte("\x01.\x00k"), []byte("\x01main\x00k")}

// drawOps returns ops that ascend, but for a few.
func drawOps(t *rapid.T) (ops []Op) {
	kinds := [][]Kind{{DeleteRange}, {Put, Delete, Delete}, {Put, Delete, DeleteRange, 0, 4}}
	for _, kinds := range kinds[:rapid.IntRange(1, 12).Draw(t, "phases")/5+1] {
		at := rapid.IntRange(0, 4).Draw(t, "start")
		for range rapid.IntRange(0, 3).Draw(t, "ops") {
			end := min(at+rapid.IntRange(1, 4).Draw(t, "width"), len(keys)-1)
			op := Op{Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), Key: keys[at]}
			if op.Kind == DeleteRange {
				op.End = keys[end]
			}
			ops = append(ops, spoiled(t, op))
			at = min(end+rapid.IntRange(0, 2).Draw(t, "step"), len(keys)-1)
		}
	}
	return ops
}

// spoiled puts something wrong into an op now and then.
func spoiled(t *rapid.T, op Op) Op {
	switch rapid.IntRange(0, 40).Draw(t, "spoil") {
	case 0:
		op.Key = rapid.SampledFrom(odd).Draw(t, "odd key")
	case 1:
		op.End = rapid.SampledFrom(odd).Draw(t, "odd end")
	}
	return op
}

// TestCanonical: Append and Decode take exactly what the rules allow.
func TestCanonical(t *testing.T) {
	taken, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		for range 50 {
			ops := drawOps(t)
			want := canonical(ops)
			if _, err := Append(nil, &Batch{Ops: ops}); (err == nil) != want || err != nil && !errors.Is(err, fault.ErrCorrupt) {
				t.Fatalf("Append of %q: %v", ops, err)
			}
			if err := Decode(&Batch{}, spelled(ops...)); (err == nil) != want {
				t.Fatalf("Decode of %q: %v", ops, err)
			}
			if want && len(ops) > 2 {
				taken++
			} else if !want {
				refused++
			}
		}
	})
	if taken == 0 || refused == 0 {
		t.Errorf("%d batches of three ops and more were taken, %d refused", taken, refused)
	}
}

// TestOneSpelling: a change of any one byte of a batch is another batch, or none.
func TestOneSpelling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, err := Append(nil, drawBatch(t))
		if err != nil {
			t.Fatal(err)
		}
		p[rapid.IntRange(0, len(p)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		var b Batch
		if Decode(&b, p) != nil {
			return
		}
		if again, err := Append(nil, &b); err != nil || !bytes.Equal(again, p) {
			t.Fatalf("%v: %x became %x", err, p, again)
		}
	})
}
