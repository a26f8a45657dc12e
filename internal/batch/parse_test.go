package batch

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/fuzz/cost"
	"github.com/vlogdb/vlog/internal/fault"
)

// parses reads a spelling with ParseJSON; what it says is the same as what package
// json and the JSON type make of it.
func parses(t interface{ Fatalf(string, ...any) }, text []byte) *Batch {
	b, other := &Batch{}, &Batch{}
	if err := ParseJSON(b, text); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	var j JSON
	if err := errors.Join(json.Unmarshal([]byte("{"+string(text)+"}"), &j), j.Batch(other)); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if !bytes.Equal(AppendJSON(nil, b), AppendJSON(nil, other)) {
		t.Fatalf("%s: is read as %s", text, AppendJSON(nil, b))
	}
	return b
}

// TestParseRefused: what is spelled in another way or cut short is an error, and what is of
// the future is told apart.
func TestParseRefused(t *testing.T) {
	whole := `"writer":"00000000000000000000000000000000","n":7,"ops":[{"op":"del-range","space":"doc","tenant":"acme","k":"a","end64":"/w=="},{"op":"put","k":"\u00e9\ud83d\ude00\n","v":{"a":[1]}},{"op":"put","k64":"/w==","b64":"AA=="},{"op":"put","k64":"/w8=","t":"x\"\\"}]`
	parses(t, []byte(whole))
	for n := range whole {
		if err := ParseJSON(&Batch{}, []byte(whole[:n])); fault.KindOf(err) == nil {
			t.Errorf("%s: %v", whole[:n], err)
		}
	}
	for from, to := range map[string]string{
		`"n":7`: `"n":-7`, `"n":7,`: `"n":70000000000000000000000,`, `"k":"a"`: `"k":"a","k64":"YQ=="`, `"end64":"/w=="`: `"end64":"/x=="`, `,"b64":"AA=="`: ``, `"tenant":"acme"`: `"tenant":"ACME"`,
		`\n`: `\q`, `\u00e9`: `\u00g9`, `[1]`: `[1,]`, `},{"op":"put","k64":"/w8="`: `} {"op":"put","k64":"/w8="`, `\\"}]`: `\\"}]x`,
	} {
		text := strings.Replace(whole, from, to, 1)
		if err := ParseJSON(&Batch{}, []byte(text)); !errors.Is(err, fault.ErrCorrupt) || text == whole {
			t.Errorf("%s: %v", text, err)
		}
	}
	for from, to := range map[string]string{`"op":"put"`: `"op":"merge"`, `"space":"doc"`: `"space":"unheard"`} {
		if err := ParseJSON(&Batch{}, []byte(strings.Replace(whole, from, to, 1))); !errors.Is(err, fault.ErrIncompatible) {
			t.Errorf("%s: %v", to, err)
		}
	}
}

// FuzzParseJSON reads any text. What is spelled as we spell it is what the other reader
// makes of it; nothing else matters, but that it ends without a panic.
func FuzzParseJSON(f *testing.F) {
	for _, v := range values {
		b := &Batch{Counter: 3, Ops: []Op{
			{Kind: DeleteRange, Key: AppendKey(nil, KV, "acme", []byte(v[:min(len(v), 3)])), End: AppendTreeEnd(nil, KV, "acme")},
			{Kind: Put, Key: AppendKey(nil, KV, Main, []byte(v[:min(len(v), 9)])), Value: []byte(v)},
		}}
		f.Add(AppendJSON(nil, b))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		b := &Batch{}
		var err error
		cost.Within(t, 64*len(text)+1<<20, func() { err = ParseJSON(b, text) })
		if err != nil {
			return
		}
		if _, err := Append(nil, b); err != nil || !bytes.Equal(AppendJSON(nil, b), text) {
			return
		}
		parses(t, text)
	})
}
