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

// TestLongestKeys: MaxKey bytes of a key's own are taken by all who look at keys,
// whatever the tenant, and one byte more by none.
func TestLongestKeys(t *testing.T) {
	for _, tenant := range []string{Main, "t", strings.Repeat("t", MaxTenant)} {
		start, end := AppendPrefix(nil, KV, tenant), AppendTreeEnd(nil, KV, tenant)
		key := AppendKey(nil, KV, tenant, bytes.Repeat([]byte{0xff}, MaxKey))
		if PrefixLen(key) != len(key)-MaxKey || PrefixLen(key) > MaxPrefix {
			t.Fatalf("a prefix of %d bytes in %d", PrefixLen(key), len(key))
		}
		for _, op := range []Op{
			{Kind: Put, Key: key}, {Kind: Delete, Key: key}, {Kind: DeleteRange, Key: key, End: end}, {Kind: DeleteRange, Key: start, End: key},
		} {
			limit(t, tenant, op, nil, nil)
			if string(op.Key) == string(key) {
				op.Key = append(bytes.Clone(key), 0)
			} else {
				op.End = append(bytes.Clone(key), 0)
			}
			limit(t, tenant, op, fault.ErrTooLarge, fault.ErrCorrupt)
		}
	}
}

// TestLongTenant: a tenant's name is MaxTenant bytes at most.
func TestLongTenant(t *testing.T) {
	for n, want := range map[int]error{MaxTenant: nil, MaxTenant + 1: fault.ErrCorrupt, 2 * MaxTenant: fault.ErrCorrupt} {
		op := Op{Kind: Put, Key: AppendKey(nil, KV, strings.Repeat("t", n), nil)}
		if _, err := Append(nil, &Batch{Ops: []Op{op}}); !errors.Is(err, want) {
			t.Errorf("a tenant of %d bytes: %v", n, err)
		}
		if err := Decode(&Batch{}, spelled(op)); !errors.Is(err, want) {
			t.Errorf("a tenant of %d bytes: %v", n, err)
		}
	}
}

// TestSizes: Size is what Append writes, also where a length takes one byte more.
func TestSizes(t *testing.T) {
	for _, n := range []int{0, 1, 126, 127, 128, 129, 16383, 16384, 1<<21 - 1, 1 << 21} {
		b := &Batch{Ops: []Op{{Kind: Put, Key: AppendKey(nil, KV, Main, make([]byte, min(n, MaxKey))), Value: make([]byte, n)}}}
		for i := range n % 1000 {
			b.Ops = append(b.Ops, Op{Kind: Delete, Key: AppendKey(nil, Doc, Main, []byte{byte(i >> 8), byte(i)})})
		}
		p, err := Append(nil, b)
		if err != nil || Size(b) != len(p) {
			t.Errorf("%d: Size is %d, not %d: %v", n, Size(b), len(p), err)
		}
	}
}

// limit checks what writing and what reading a batch of one op say.
func limit(t *testing.T, tenant string, op Op, write, read error) {
	t.Helper()
	_, err := Append(nil, &Batch{Ops: []Op{op}})
	if !errors.Is(err, write) {
		t.Errorf("%v of tenant %s: Append: %v", op.Kind, tenant, err)
	}
	if err := CheckLength(&op); !errors.Is(err, write) {
		t.Errorf("%v of tenant %s: CheckLength: %v", op.Kind, tenant, err)
	}
	if err := Decode(&Batch{}, spelled(op)); !errors.Is(err, read) {
		t.Errorf("%v of tenant %s: Decode: %v", op.Kind, tenant, err)
	}
}

// spelled returns the bytes of a batch without asking whether it is canonical.
func spelled(ops ...Op) []byte {
	p := make([]byte, headLen)
	p[0] = encoding
	p = binary.AppendUvarint(p, uint64(len(ops)))
	for i := range ops {
		p = appendOp(p, &ops[i])
	}
	return p
}

// TestTooLarge: who meets a limit is told what to do about this one.
func TestTooLarge(t *testing.T) {
	hints := map[string]bool{}
	for _, what := range []string{"key", "end of a range", "batch", "record", "documentation", "anything else"} {
		err, ok := errors.AsType[*fault.Error](TooLarge(what, 11, 10))
		if !ok || !errors.Is(err, fault.ErrTooLarge) || err.Detail != what+" of 11 bytes, at most 10" {
			t.Errorf("%s: %v", what, err)
		}
		if hints[err.Advice()] {
			t.Errorf("%s: the same advice as for something else: %s", what, err.Advice())
		}
		hints[err.Advice()] = true
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

// TestDecodeReuses: a batch that is decoded into again allocates nothing, whatever
// its ops and tenants are.
func TestDecodeReuses(t *testing.T) {
	b := &Batch{Ops: []Op{{Kind: DeleteRange, Key: AppendPrefix(nil, KV, Main), End: AppendTreeEnd(nil, KV, Main)}}}
	for i := range byte(100) {
		b.Ops = append(b.Ops, Op{Kind: Put, Key: AppendKey(nil, KV, Main, []byte{i}), Value: []byte("v")})
	}
	for i := range byte(100) {
		b.Ops = append(b.Ops, Op{Kind: Delete, Key: AppendKey(nil, KV, strings.Repeat("t", MaxTenant), []byte{i})})
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
	if cap(b.Ops[1].Value) != 1 || cap(b.Ops[1].Key) != 3 {
		t.Error("what is decoded has room behind it")
	}
}
