package batch

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/vlogdb/vlog/fuzz/cost"
	"github.com/vlogdb/vlog/internal/fault"
)

// tuple is a key taken apart, the plain way to compare.
type tuple struct {
	space  Space
	tenant string
	key    []byte
}

func (a tuple) compare(b tuple) int {
	name := func(t string) string {
		if t == Main {
			return ""
		}
		return t
	}
	return cmp.Or(cmp.Compare(a.space, b.space), strings.Compare(name(a.tenant), name(b.tenant)), bytes.Compare(a.key, b.key))
}

func (a tuple) full() []byte { return AppendKey(nil, a.space, a.tenant, a.key) }

func drawTuple(t *rapid.T) tuple {
	tenant := rapid.SampledFrom([]string{Main, "a", "ab", "a-b", "a.b", "0", "z_", strings.Repeat("x", MaxTenant)}).Draw(t, "tenant")
	return tuple{Space(rapid.IntRange(0, 4).Draw(t, "space")), tenant, rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 'a', 0xff}), 0, 4).Draw(t, "key")}
}

// TestKeyOrder checks that full keys compare as their parts, and come apart again.
func TestKeyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawTuple(t), drawTuple(t)
		if got, want := bytes.Compare(a.full(), b.full()), a.compare(b); got != want {
			t.Fatalf("%v against %v: %d, not %d", a, b, got, want)
		}
		space, tenant, key, err := SplitKey(a.full())
		if err != nil || (tuple{space, tenant, key}).compare(a) != 0 {
			t.Fatalf("%v comes apart as %v %q %q, %v", a, space, tenant, key, err)
		}
		end := AppendTreeEnd(nil, a.space, a.tenant)
		if bytes.Compare(a.full(), end) >= 0 {
			t.Fatalf("%v is not before the end of its tree", a)
		}
		if (b.space != a.space || b.tenant != a.tenant) && a.compare(b) < 0 && bytes.Compare(b.full(), end) < 0 {
			t.Fatalf("%v is inside the tree of %v", b, a)
		}
	})
}

func TestTenantNames(t *testing.T) {
	for _, good := range []string{"a", "main", "a-b_c.d", "0", "-", strings.Repeat("z", 64)} {
		if err := CheckTenant(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", ".", "..", ".a", "A", "a/b", "a b", "ä", "a\x00", "e\u0301", strings.Repeat("z", 65), "con:", "a\\b"} {
		if err := CheckTenant(bad); !errors.Is(err, fault.ErrBadName) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func drawBatch(t *rapid.T) *Batch {
	b := &Batch{Counter: rapid.Uint64().Draw(t, "counter")}
	copy(b.Writer[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "writer"))
	for _, at := range rapid.SliceOfNDistinct(rapid.IntRange(0, 20), 0, 4, rapid.ID[int]).Draw(t, "ranges") {
		b.Ops = append(b.Ops, Op{Kind: DeleteRange, Key: AppendKey(nil, KV, Main, []byte{byte(at * 4)}), End: AppendKey(nil, KV, Main, []byte{byte(at*4 + 2)})})
	}
	seen := map[string]bool{}
	for range rapid.IntRange(0, 8).Draw(t, "points") {
		op := Op{Kind: Put, Key: drawTuple(t).full(), Value: rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "value")}
		if rapid.Bool().Draw(t, "delete") && !inRange(b.Ops, op.Key) {
			op.Kind, op.Value = Delete, nil
		}
		if !seen[string(op.Key)] {
			seen[string(op.Key)] = true
			b.Ops = append(b.Ops, op)
		}
	}
	slices.SortFunc(b.Ops, func(x, y Op) int {
		return cmp.Or(-cmp.Compare(x.Kind/DeleteRange, y.Kind/DeleteRange), bytes.Compare(x.Key, y.Key))
	})
	return b
}

func inRange(ops []Op, key []byte) bool {
	return slices.ContainsFunc(ops, func(r Op) bool {
		return r.Kind == DeleteRange && bytes.Compare(r.Key, key) <= 0 && bytes.Compare(key, r.End) < 0
	})
}

func same(a, b *Batch) bool {
	return a.Writer == b.Writer && a.Counter == b.Counter && slices.EqualFunc(a.Ops, b.Ops, func(x, y Op) bool {
		return x.Kind == y.Kind && bytes.Equal(x.Key, y.Key) && bytes.Equal(x.Value, y.Value) && bytes.Equal(x.End, y.End)
	})
}

// TestRoundTrip checks that what is written is read, in exactly Size bytes.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBatch(t)
		p, err := Append([]byte("before"), b)
		if err != nil {
			t.Fatal(err)
		}
		p = p[len("before"):]
		if len(p) != Size(b) {
			t.Fatalf("%d bytes, Size says %d", len(p), Size(b))
		}
		var got Batch
		if err := Decode(&got, p); err != nil || !same(&got, b) {
			t.Fatalf("%v: got %+v, want %+v", err, got, b)
		}
		for n := range p {
			if Decode(&got, p[:n]) == nil {
				t.Fatalf("the first %d of %d bytes decode", n, len(p))
			}
		}
	})
}

// TestNotCanonical lists spellings that are refused, and by which name.
func TestNotCanonical(t *testing.T) {
	key := func(s string) []byte { return AppendKey(nil, KV, Main, []byte(s)) }
	put := func(s string) Op { return Op{Kind: Put, Key: key(s)} }
	cut := func(a, b string) Op { return Op{Kind: DeleteRange, Key: key(a), End: key(b)} }
	for name, ops := range map[string][]Op{
		"twice":             {put("a"), put("a")},
		"descending":        {put("b"), put("a")},
		"range behind":      {put("a"), cut("b", "c")},
		"ranges touch":      {cut("a", "b"), cut("b", "c")},
		"ranges overlap":    {cut("a", "c"), cut("b", "d")},
		"empty range":       {cut("b", "b")},
		"turned range":      {cut("c", "b")},
		"range over trees":  {{Kind: DeleteRange, Key: key("a"), End: AppendKey(nil, KV, "x", nil)}},
		"range behind tree": {{Kind: DeleteRange, Key: key("a"), End: append(AppendTreeEnd(nil, KV, Main), 1)}},
		"no tenant":         {{Kind: Put, Key: []byte{1}}},
		"bad tenant":        {{Kind: Put, Key: []byte{1, 'A', 0}}},
		"dot tenant":        {{Kind: Put, Key: []byte("\x01.a\x00")}},
		"main spelled out":  {{Kind: Put, Key: []byte("\x01main\x00")}},
		"delete in range":   {cut("a", "c"), {Kind: Delete, Key: key("b")}},
		"delete at start":   {cut("a", "c"), {Kind: Delete, Key: key("a")}},
		"delete in second":  {cut("a", "b"), cut("d", "f"), put("d"), {Kind: Delete, Key: key("e")}},
		"no kind":           {{Key: key("a")}},
		"unknown kind":      {{Kind: DeleteRange + 1, Key: key("a")}},
	} {
		if _, err := Append(nil, &Batch{Ops: ops}); !errors.Is(err, fault.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	good, err := Append(nil, &Batch{Ops: []Op{put("a")}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(p []byte) []byte
		want   error
	}{
		"encoding":    {func(p []byte) []byte { p[0] = 9; return p }, fault.ErrIncompatible},
		"flags":       {func(p []byte) []byte { p[1] = 1; return p }, fault.ErrIncompatible},
		"op":          {func(p []byte) []byte { p[27] = 7; return p }, fault.ErrIncompatible},
		"op 0":        {func(p []byte) []byte { p[27] = 0; return p }, fault.ErrIncompatible},
		"trailing":    {func(p []byte) []byte { return append(p, 0) }, fault.ErrCorrupt},
		"long varint": {func(p []byte) []byte { return slices.Replace(p, 26, 27, 0x81, 0x00) }, fault.ErrCorrupt},
		"count":       {func(p []byte) []byte { return slices.Replace(p, 26, 27, 0xff, 0xff, 0xff, 0xff, 0x0f) }, fault.ErrCorrupt},
		"huge length": {func(p []byte) []byte {
			return slices.Replace(p, 28, 29, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01)
		}, fault.ErrCorrupt},
		"large length": {func(p []byte) []byte { p[28] = 100; return p }, fault.ErrCorrupt},
	} {
		var b Batch
		if err := Decode(&b, c.change(bytes.Clone(good))); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestGolden holds the bytes and hashes that other machines must agree on.
func TestGolden(t *testing.T) {
	b := &Batch{Counter: 7, Ops: []Op{
		{Kind: DeleteRange, Key: AppendKey(nil, KV, Main, []byte("a")), End: AppendTreeEnd(nil, KV, Main)},
		{Kind: Put, Key: AppendKey(nil, KV, Main, []byte("k")), Value: []byte("v")},
		{Kind: Delete, Key: AppendKey(nil, KV, "acme", []byte("x"))},
	}}
	copy(b.Writer[:], "0123456789abcdef")
	p, err := Append(nil, b)
	if err != nil {
		t.Fatal(err)
	}
	var c Chain
	got := "batch " + hex.EncodeToString(p) + "\nhash " + Hash(p).String() + "\nchain " + c.Next(Hash(p)).String() + "\nchain " + c.Next(Hash(p)).Next(Hash(nil)).String() + "\n"
	want, err := os.ReadFile("testdata/golden.txt")
	if err != nil || got != string(want) {
		t.Errorf("%v\ngot\n%swant\n%s", err, got, want)
	}
}

func TestRef(t *testing.T) {
	r := Ref{Digest: Hash([]byte("x")), Length: 1 << 29}
	p := AppendRef(nil, r)
	if got, err := DecodeRef(p); err != nil || got != r {
		t.Fatalf("%v %v", got, err)
	}
	for _, bad := range [][]byte{nil, p[:39], append(bytes.Clone(p), 0), AppendRef(nil, Ref{}), AppendRef(nil, Ref{Length: MaxRecord + 1})} {
		if _, err := DecodeRef(bad); !errors.Is(err, fault.ErrCorrupt) {
			t.Errorf("%x: %v", bad, err)
		}
	}
}

func TestNextPrefix(t *testing.T) {
	for in, want := range map[string]string{"a": "b", "a\xff": "b", "\xff\xff": "", "": "", "a\x00": "a\x01"} {
		if got := NextPrefix([]byte(in)); string(got) != want {
			t.Errorf("%q: %q, not %q", in, got, want)
		}
	}
}

// FuzzDecode checks that what decodes is canonical: it is by the plain rules, and
// encodes to the same bytes.
func FuzzDecode(f *testing.F) {
	p, err := Append(nil, &Batch{Counter: 1, Ops: []Op{{Kind: Put, Key: AppendKey(nil, KV, "acme", []byte("k")), Value: []byte("v")}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p)
	f.Add([]byte{})
	for n := MaxKey - 1; n <= MaxKey+1; n++ {
		key := AppendKey(nil, KV, Main, make([]byte, n))
		f.Add(spelled(Op{Kind: Put, Key: key}))
		f.Add(spelled(Op{Kind: DeleteRange, Key: AppendPrefix(nil, KV, Main), End: key}))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		var b Batch
		var err error
		cost.Within(t, 64*len(p)+1<<20, func() { err = Decode(&b, p) })
		if err != nil {
			if !errors.Is(err, fault.ErrCorrupt) && !errors.Is(err, fault.ErrIncompatible) {
				t.Fatal(err)
			}
			return
		}
		if cap(b.Ops) > len(p) {
			t.Fatalf("%d ops allocated for %d bytes", cap(b.Ops), len(p))
		}
		again, err := Append(nil, &b)
		if err != nil || !bytes.Equal(again, p) || Size(&b) != len(p) {
			t.Fatalf("%v: %x became %x", err, p, again)
		}
		if len(b.Ops) < 100 && !canonical(b.Ops) {
			t.Fatalf("not canonical: %x", p)
		}
	})
}
