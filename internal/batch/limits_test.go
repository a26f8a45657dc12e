package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/internal/fault"
)

// TestLongestKeys: what fits exactly is taken by all who look at keys, one byte
// more by none.
func TestLongestKeys(t *testing.T) {
	tenant := strings.Repeat("t", MaxTenant)
	key := AppendKey(nil, KV, tenant, make([]byte, MaxKey))
	if PrefixLen(key) != MaxPrefix || len(key) != MaxKey+MaxPrefix {
		t.Fatalf("a prefix of %d bytes in %d", PrefixLen(key), len(key))
	}
	for _, c := range []struct {
		name string
		op   Op
		ok   bool
	}{
		{"put", Op{Kind: Put, Key: key}, true},
		{"delete", Op{Kind: Delete, Key: key}, true},
		{"range", Op{Kind: DeleteRange, Key: key, End: AppendTreeEnd(nil, KV, tenant)}, true},
		{"range to the longest", Op{Kind: DeleteRange, Key: AppendPrefix(nil, KV, tenant), End: key}, true},
		{"put beyond", Op{Kind: Put, Key: append(bytes.Clone(key), 0)}, false},
		{"range beyond", Op{Kind: DeleteRange, Key: AppendPrefix(nil, KV, tenant), End: append(bytes.Clone(key), 0)}, false},
		{"tenant beyond", Op{Kind: Put, Key: AppendKey(nil, KV, tenant+"t", nil)}, false},
	} {
		b := &Batch{Ops: []Op{c.op}}
		p, err := Append(nil, b)
		if c.ok && (err != nil || Decode(&Batch{}, p) != nil) || !c.ok && !errors.Is(err, fault.ErrCorrupt) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestHostileCounts: what is allocated is bounded by the bytes that are there, not
// by what they claim.
func TestHostileCounts(t *testing.T) {
	head := make([]byte, headLen)
	head[0] = encoding
	for name, tail := range map[string][]byte{
		"ops":        binary.AppendUvarint(nil, 1<<40),
		"most ops":   binary.AppendUvarint(nil, 1<<64-1),
		"key":        append([]byte{1, byte(Put)}, binary.AppendUvarint(nil, 1<<40)...),
		"key length": append([]byte{1, byte(Delete)}, binary.AppendUvarint(nil, 1<<64-1)...),
		"value":      append([]byte{1, byte(Put), 2, 1, 0}, binary.AppendUvarint(nil, 1<<62)...),
	} {
		p := append(append(bytes.Clone(head), tail...), make([]byte, 100)...)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := Decode(&Batch{}, p)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, fault.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 64<<10 {
			t.Errorf("%s: %d bytes allocated for %d", name, n, len(p))
		}
	}
}

// TestDecodeReuses: a batch that is decoded into again allocates nothing.
func TestDecodeReuses(t *testing.T) {
	b := &Batch{}
	for i := range byte(100) {
		b.Ops = append(b.Ops, Op{Kind: Put, Key: AppendKey(nil, KV, Main, []byte{i}), Value: []byte("v")})
	}
	p, err := Append(nil, b)
	if err != nil {
		t.Fatal(err)
	}
	n := testing.AllocsPerRun(10, func() {
		if err := Decode(b, p); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
	if cap(b.Ops[0].Value) != 1 || cap(b.Ops[0].Key) != 3 {
		t.Error("what is decoded has room behind it")
	}
}
