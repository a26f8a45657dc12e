package batch

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/vlogdb/vlog/internal/fault"
)

// asJSON returns b's JSON as an object.
func asJSON(b *Batch) []byte { return append(AppendJSON([]byte{'{'}, b), '}') }

// unspelled reads it again.
func unspelled(t testing.TB, line []byte) *Batch {
	t.Helper()
	var j JSON
	if err := json.Unmarshal(line, &j); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	b := &Batch{}
	if err := j.Batch(b); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return b
}

// exact fails where a batch does not come back from its JSON as it was.
func exact(t testing.TB, payload []byte, b *Batch) {
	t.Helper()
	line := asJSON(b)
	if i := bytes.IndexFunc(line, func(r rune) bool { return r < ' ' || r >= 0x7f }); i >= 0 {
		t.Fatalf("%q has %q", line, line[i])
	}
	back, err := Append(nil, unspelled(t, line))
	if err != nil || !bytes.Equal(back, payload) {
		t.Fatalf("%s: comes back as %x, was %x: %v", line, back, payload, err)
	}
}

var values = []string{
	"", "0", "-0", "01", "1e400", "-1.5E-7", "1.", ".5", "+1", "true", "nul", "null", "[]", "[ ]", "[1,2]", "[1,]", "{}", `{"a":1}`, `{"a":1,"a":2}`,
	`{"a":1,"\u0061":2}`, `{"a":{"a":1}}`, `"x"`, `"\ud800"`, `"\uDC00"`, `"\ud83d\uDE00"`, `"\ude00\ud83d"`, `"\ud83d\ud83d"`, `"\ud83d\n"`, `{"\\ud800\ud800":0}`, "\"\xff\"", `"é"`, "\"\x7f\"", `"\x"`, `"\u12"`, "text", "tab\tline\nend\r", "é😀\u2028", "\x00\x01", "\xff\xfe",
	`{"a":1} `, " 1", "1 2", `"`, `\`, "<&>", strings.Repeat("[", 200) + strings.Repeat("]", 200), strings.Repeat("[", 202) + strings.Repeat("]", 202), strings.Repeat("[", 1e5),
}

func drawChanges(t *rapid.T) []Op {
	keys := rapid.SliceOfNDistinct(rapid.Custom(drawTuple), 0, 6, func(a tuple) string { return string(a.full()) }).Draw(t, "keys")
	ops := map[string]Op{}
	for _, k := range keys {
		op := Op{Kind: Delete, Key: k.full()}
		if rapid.Bool().Draw(t, "put") {
			op.Kind, op.Value = Put, []byte(rapid.OneOf(rapid.SampledFrom(values), rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "value"))
		}
		ops[string(op.Key)] = op
	}
	var all []Op
	if rapid.Bool().Draw(t, "range") {
		k := rapid.Custom(drawTuple).Draw(t, "from")
		end := AppendTreeEnd(nil, k.space, k.tenant)
		if rapid.Bool().Draw(t, "to") {
			end = append(k.full(), 0xfe)
		}
		all = append(all, Op{Kind: DeleteRange, Key: k.full(), End: end})
		for key, op := range ops {
			if op.Kind == Delete && bytes.Compare(k.full(), op.Key) <= 0 && bytes.Compare(op.Key, end) < 0 {
				delete(ops, key)
			}
		}
	}
	return append(all, sortedOps(ops)...)
}

// TestJSONExact: every batch comes back from its JSON, which is one line of ASCII.
func TestJSONExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := &Batch{Writer: Writer{1, byte(rapid.Byte().Draw(t, "writer"))}, Counter: rapid.Uint64().Draw(t, "counter"), Ops: drawChanges(t)}
		p, err := Append(nil, b)
		if err != nil {
			t.Fatal(err)
		}
		exactRapid(t, p, b)
	})
}

// exactRapid is exact for a rapid test.
func exactRapid(t *rapid.T, payload []byte, b *Batch) {
	var j JSON
	back := &Batch{}
	if err := errors.Join(json.Unmarshal(asJSON(b), &j), j.Batch(back)); err != nil {
		t.Fatalf("%s: %v", asJSON(b), err)
	}
	parses(t, AppendJSON(nil, b))
	if p, err := Append(nil, back); err != nil || !bytes.Equal(p, payload) || !bytes.Equal(asJSON(back), asJSON(b)) {
		t.Fatalf("%s: comes back as %x, was %x: %v", asJSON(b), p, payload, err)
	}
}

// TestJSONForms: how things are spelled, for people and for ever.
func TestJSONForms(t *testing.T) {
	deep := strings.Repeat("[", 202) + strings.Repeat("]", 202)
	for value, want := range map[string]string{
		`{"a":[1,2.50,"é"]}`: `"t":"{\"a\":[1,2.50,\"\u00e9\"]}"`, `{"a":[1,2.50,"\u00e9"]}`: `"v":{"a":[1,2.50,"\u00e9"]}`,
		"": `"t":""`, "null": `"v":null`, `"x"`: `"v":"x"`, "x": `"t":"x"`, "1e400": `"v":1e400`, "01": `"t":"01"`, "-": `"t":"-"`,
		`{"a":1,"a":2}`: `"t":"{\"a\":1,\"a\":2}"`, `{"a":1,"\u0061":2}`: `"t":"{\"a\":1,\"\\u0061\":2}"`, "[1, 2]": `"t":"[1, 2]"`,
		"😀\t": `"t":"\ud83d\ude00\t"`, "\x00": `"b64":"AA=="`, "\x7f": `"b64":"fw=="`, "\xff": `"b64":"/w=="`, deep: `"t":"` + deep + `"`,
	} {
		b := &Batch{Ops: []Op{{Kind: Put, Key: AppendKey(nil, KV, Main, []byte("k")), Value: []byte(value)}}}
		if got := string(AppendJSON(nil, b)); got != `"writer":"00000000000000000000000000000000","n":0,"ops":[{"op":"put","k":"k",`+want+`}]` {
			t.Errorf("%s is spelled %s", value, got)
		}
	}
	prefix := AppendPrefix(nil, Doc, "acme")
	b := &Batch{Writer: Writer{0xab}, Counter: 7, Ops: []Op{
		{Kind: DeleteRange, Key: prefix, End: append(bytes.Clone(prefix), 'b')},
		{Kind: DeleteRange, Key: append(bytes.Clone(prefix), 0xff), End: AppendTreeEnd(nil, Doc, "acme")},
		{Kind: Delete, Key: AppendKey(nil, Sys, Main, []byte("é"))},
	}}
	want := `{"writer":"ab000000000000000000000000000000","n":7,"ops":[{"op":"del-range","space":"doc","tenant":"acme","k":"","end":"b"},` +
		`{"op":"del-range","space":"doc","tenant":"acme","k64":"/w=="},{"op":"del","space":"sys","k":"\u00e9"}]}`
	if got := string(asJSON(b)); got != want {
		t.Errorf("%s", got)
	}
}

// TestJSONRefused: what cannot be a batch is an error.
func TestJSONRefused(t *testing.T) {
	const w = `"writer":"00000000000000000000000000000000"`
	for line, kind := range map[string]*fault.Kind{
		`{"writer":"0","ops":[]}`:                                    fault.ErrCorrupt,
		`{"writer":"x0000000000000000000000000000000","ops":[]}`:     fault.ErrCorrupt,
		`{` + w + `,"ops":[{"op":"move","k":"a"}]}`:                  fault.ErrIncompatible,
		`{` + w + `,"ops":[{"op":"del","space":"new","k":"a"}]}`:     fault.ErrIncompatible,
		`{` + w + `,"ops":[{"op":"del","tenant":"A","k":"a"}]}`:      fault.ErrCorrupt,
		`{` + w + `,"ops":[{"op":"del"}]}`:                           fault.ErrCorrupt,
		`{` + w + `,"ops":[{"op":"del","k":"a","k64":"YQ=="}]}`:      fault.ErrCorrupt,
		`{` + w + `,"ops":[{"op":"del","k64":"Y"}]}`:                 fault.ErrCorrupt,
		`{` + w + `,"ops":[{"op":"del","k64":"YR=="}]}`:              fault.ErrCorrupt,
		`{` + w + `,"ops":[{"op":"put","k":"a"}]}`:                   fault.ErrCorrupt,
		`{` + w + `,"ops":[{"op":"put","k":"a","v":1,"t":"1"}]}`:     fault.ErrCorrupt,
		`{` + w + `,"ops":[{"op":"put","k":"a","b64":"@"}]}`:         fault.ErrCorrupt,
		`{` + w + `,"ops":[{"op":"del-range","k":"a","end64":"@"}]}`: fault.ErrCorrupt,
	} {
		var j JSON
		if err := json.Unmarshal([]byte(line), &j); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if err := j.Batch(&Batch{}); !errors.Is(err, kind) {
			t.Errorf("%s: %v, want %v", line, err, kind)
		}
	}
}

// plainly says by package json what isCompact says, double names aside.
func plainly(p []byte) bool {
	var b bytes.Buffer
	return json.Compact(&b, p) == nil && bytes.Equal(b.Bytes(), p) && bytes.IndexFunc(p, func(r rune) bool { return r < ' ' || r >= 0x7f }) < 0 && !halved(p)
}

// halved says whether half a surrogate pair stands in what package json takes.
func halved(p []byte) bool {
	whole := regexp.MustCompile(`\\\\|\\u[dD][89abAB]..\\u[dD][c-fC-F]..`).ReplaceAll(p, nil)
	return regexp.MustCompile(`\\u[dD][89a-fA-F]`).Match(whole)
}

// TestDepth: jq gives up 256 levels down and counts an object as two.
func TestDepth(t *testing.T) {
	for deep, pair := range map[int][2]string{compactDepth: {"[", "]"}, compactDepth / 2: {`{"a":`, "}"}} {
		nested := func(n int) []byte { return []byte(strings.Repeat(pair[0], n) + "0" + strings.Repeat(pair[1], n)) }
		if !isCompact(nested(deep)) || isCompact(nested(deep+1)) {
			t.Errorf("%s: the limit is not %d", pair[0], deep)
		}
	}
}

// TestHalved: jq and others refuse a line with half a surrogate pair, so a value that
// has one is not spelled verbatim.
func TestHalved(t *testing.T) {
	for value, want := range map[string]bool{
		`"\ud83d\ude00"`: true, `"\uD83D\uDE00x"`: true, `"\\ud800"`: true, `"\ud7ff\ue000"`: true, `"\ufffd"`: true, `{"\ud83d\ude00":1}`: true,
		`"\ud83d"`: false, `"\ude00"`: false, `"\ud83dx"`: false, `"\ud83d\n"`: false, `"\ud83d\ud83d"`: false, `"\ude00\ud83d"`: false, `{"\ud83d":1}`: false,
		`"\ud83d\u"`: false, `"\ud83d\ude0"`: false, `["\ud83d\u0041"]`: false,
	} {
		if isCompact([]byte(value)) != want {
			t.Errorf("%s: %v", value, !want)
		}
	}
}

func FuzzCompact(f *testing.F) {
	for _, v := range values {
		f.Add([]byte(v))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		compact := isCompact(p)
		if compact && !plainly(p) {
			t.Fatalf("%q counts as compact", p)
		}
		if !compact && plainly(p) && !bytes.ContainsAny(p, "[{") {
			t.Fatalf("%q does not count as compact", p)
		}
	})
}

func FuzzJSONExact(f *testing.F) {
	for _, v := range values {
		p, err := Append(nil, &Batch{Ops: []Op{{Kind: Put, Key: AppendKey(nil, KV, Main, []byte(v[:min(len(v), 9)])), Value: []byte(v)}}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		b := &Batch{}
		if Decode(b, p) == nil {
			exact(t, p, b)
		}
	})
}

func sortedOps(ops map[string]Op) (all []Op) {
	for _, key := range slices.Sorted(maps.Keys(ops)) {
		all = append(all, ops[key])
	}
	return all
}
