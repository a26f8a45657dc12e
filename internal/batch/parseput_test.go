package batch

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/vlogdb/vlog/internal/fault"
)

// TestParsePut: every put comes back from its fields, with what stands behind them, in
// whatever room there is.
func TestParsePut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		room := make([]byte, 0, rapid.IntRange(0, 200).Draw(t, "room"))
		for _, op := range drawChanges(t) {
			if op.Kind != Put {
				continue
			}
			text := append(AppendJSONValue(AppendJSONKey(nil, op.Key), op.Value), `,"seq":1}`...)
			was := bytes.Clone(text)
			got := Op{Kind: DeleteRange, End: []byte("old")}
			rest, err := ParseJSONPut(&got, text, room)
			if err != nil || string(rest) != `,"seq":1}` || got.Kind != Put || got.End != nil || !bytes.Equal(got.Key, op.Key) || !bytes.Equal(got.Value, op.Value) {
				t.Fatalf("%s: %+v, %q, %v", text, got, rest, err)
			}
			if !bytes.Equal(text, was) {
				t.Fatalf("%s was changed to %s", was, text)
			}
		}
	})
}

// TestParsePutRefused: what is no put is an error, and a space of the future told apart.
func TestParsePutRefused(t *testing.T) {
	for text, kind := range map[string]*fault.Kind{
		``: fault.ErrCorrupt, `{`: fault.ErrCorrupt, `,"k":"a"`: fault.ErrCorrupt, `,"v":1`: fault.ErrCorrupt, `,"k":"a","v":`: fault.ErrCorrupt,
		`,"k":"a","t":"x`: fault.ErrCorrupt, `,"k64":"a","v":1`: fault.ErrCorrupt, `,"tenant":"A","k":"a","v":1`: fault.ErrCorrupt,
		`,"space":"unheard","k":"a","v":1`: fault.ErrIncompatible,
	} {
		var op Op
		if _, err := ParseJSONPut(&op, []byte(text), nil); !errors.Is(err, kind) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
