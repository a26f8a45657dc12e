package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// linesFile is an NDJSON checkpoint of any lines, a block each text, with all its sums right.
func linesFile(h Header, entries uint64, texts ...string) []byte {
	l := lines{newSummer(wal.NDJSON, h)}
	b := l.header()
	for _, text := range texts {
		b = append(append(b, text...), l.mark([]byte(text), uint64(strings.Count(text, "\n")))...)
	}
	return append(b, l.footer(entries)...)
}

var head7 = Header{Store: ours, At: state.Position{Seq: 7}}

// pictureOf is a picture of full keys. Each is of batch at.
func pictureOf(t testing.TB, at state.Position, all map[string]string) *state.Picture {
	t.Helper()
	l := state.NewLoader(at)
	for _, k := range slices.Sorted(maps.Keys(all)) {
		check(t, l.Add(state.AppendEntry(nil, state.Entry{Key: []byte(k), Value: []byte(all[k]), Seq: at.Seq})))
	}
	p, err := l.Picture()
	check(t, err)
	return p
}

func full(space batch.Space, tenant, key string) string {
	return string(batch.AppendKey(nil, space, tenant, []byte(key)))
}

// eachLineParses fails unless every line is a JSON object of ASCII alone.
func eachLineParses(t testing.TB, b []byte) {
	t.Helper()
	for line := range bytes.Lines(b) {
		var v map[string]any
		if err := json.Unmarshal(line, &v); err != nil || line[len(line)-1] != '\n' {
			t.Fatalf("%q: %v", line, err)
		}
		if i := bytes.IndexFunc(line[:len(line)-1], func(r rune) bool { return r < ' ' || r >= 0x7f }); i >= 0 {
			t.Fatalf("%q has %q", line, line[i])
		}
	}
}

// TestLinesGolden: the bytes of an NDJSON checkpoint, as docs/FORMAT.md draws them.
func TestLinesGolden(t *testing.T) {
	at := state.Position{Seq: 1042, Time: 1_700_000_000_123_456_789, Chain: batch.Chain{1, 2}}
	p := pictureOf(t, at, map[string]string{
		full(batch.Sys, batch.Main, "keep"):            `{"checkpoints":2}`,
		full(batch.Sys, batch.Main, "writer/\x01\xff"): "\x00\x00\x00\x07",
		full(batch.KV, batch.Main, ""):                 "",
		full(batch.KV, batch.Main, "text"):             "plain \"text\"\n\té 😀",
		full(batch.KV, batch.Main, "users/42"):         `{"name":"Alice"}`,
		full(batch.KV, batch.Main, "é"):                `{"two": "spaces"}`,
		full(batch.KV, "acme", "\x00"):                 "null",
		full(batch.Doc, "acme", "doc"):                 `"a string"`,
		full(200, batch.Main, "of the future"):         "\xff",
	})
	fsys := dirOnly(t)
	sum, err := Write(fsys, Backup, Image{ours, p, wal.NDJSON}, nil)
	check(t, err)
	b := slurp(t, fsys, Backup)
	golden(t, "checkpoint.ndjson", string(b))
	eachLineParses(t, b)
	back, read, err := Load(fsys, Backup, ours)
	if check(t, err); read != sum || fmt.Sprint(whole(back)) != fmt.Sprint(whole(p)) {
		t.Errorf("read %+v, written %+v", read, sum)
	}
}

// TestLinesThatLie: the sums hold, and the entries cannot be, or are spelled in
// another way.
func TestLinesThatLie(t *testing.T) {
	a, b := `{"k":"a","v":1,"seq":1}`+"\n", `{"k":"b","v":2,"seq":7}`+"\n"
	long := strings.Repeat("k", batch.MaxKey+1)
	for text, want := range map[string]*fault.Kind{
		a:                                  nil,
		a + b:                              nil,
		b + a:                              fault.ErrCorrupt,
		a + a:                              fault.ErrCorrupt,
		`{"k":"a","v":1,"seq":8}` + "\n":   fault.ErrCorrupt,
		`{"k":"a","v":1,"seq":0}` + "\n":   fault.ErrCorrupt,
		`{"k":"a","v":1,"seq":01}` + "\n":  fault.ErrCorrupt,
		`{"k":"a","v":1,"seq":+1}` + "\n":  fault.ErrCorrupt,
		`{"k":"a","v":1,"seq":-1}` + "\n":  fault.ErrCorrupt,
		`{"k":"a","v":1,"seq":1.0}` + "\n": fault.ErrCorrupt,
		`{"k":"a","v":1,"seq":18446744073709551617}` + "\n":                         fault.ErrCorrupt,
		`{"k":"a","v":1,"seq":}` + "\n":                                             fault.ErrCorrupt,
		`{"k":"a","v":1,"seq":1 }` + "\n":                                           fault.ErrCorrupt,
		`{"k":"a","v":1,"seq":1}` + " \n":                                           fault.ErrCorrupt,
		`{"k":"a","v":1,"seq":1}` + "\r\n":                                          fault.ErrCorrupt,
		` {"k":"a","v":1,"seq":1}` + "\n":                                           fault.ErrCorrupt,
		`{"k":"a","v":1}` + "\n":                                                    fault.ErrCorrupt,
		`{"k":"a","seq":1}` + "\n":                                                  fault.ErrCorrupt,
		`{"v":1,"seq":1}` + "\n":                                                    fault.ErrCorrupt,
		`{"v":1,"k":"a","seq":1}` + "\n":                                            fault.ErrCorrupt,
		`{"k":"a","v":1,"seq":1,"more":1}` + "\n":                                   fault.ErrCorrupt,
		`{"k":"a","v":1,"seq":1,"seq":1}` + "\n":                                    fault.ErrCorrupt,
		`{"k":"a","v":1,"t":"1","seq":1}` + "\n":                                    fault.ErrCorrupt,
		`{"k":"a","k64":"YQ==","v":1,"seq":1}` + "\n":                               fault.ErrCorrupt,
		`{"k64":"YQ==","v":1,"seq":1}` + "\n":                                       fault.ErrCorrupt,
		`{"k64":"AA==","v":1,"seq":1}` + "\n":                                       nil,
		`{"k64":"AB==","v":1,"seq":1}` + "\n":                                       fault.ErrCorrupt,
		`{"k64":"AA","v":1,"seq":1}` + "\n":                                         fault.ErrCorrupt,
		`{"k64":"A\nA==","v":1,"seq":1}` + "\n":                                     fault.ErrCorrupt,
		`{"k64":"!","v":1,"seq":1}` + "\n":                                          fault.ErrCorrupt,
		`{"k":"a","t":"1","seq":1}` + "\n":                                          fault.ErrCorrupt,
		`{"k":"a","t":"x","seq":1}` + "\n":                                          nil,
		`{"k":"a","t":"x,"seq":1}` + "\n":                                           fault.ErrCorrupt,
		`{"k":"a","t":"x"y","seq":1}` + "\n":                                        fault.ErrCorrupt,
		`{"k":"a","t":"x\","seq":1}` + "\n":                                         fault.ErrCorrupt,
		`{"k":"a","t":"\u0078","seq":1}` + "\n":                                     fault.ErrCorrupt,
		`{"k":"a","t":"\u00E9","seq":1}` + "\n":                                     fault.ErrCorrupt,
		`{"k":"a","t":"\u00e9","seq":1}` + "\n":                                     nil,
		`{"k":"a","t":"é","seq":1}` + "\n":                                          fault.ErrCorrupt,
		`{"k":"a","t":"\ud83d","seq":1}` + "\n":                                     fault.ErrCorrupt,
		`{"k":"a","t":"\ud83d\ude00","seq":1}` + "\n":                               nil,
		`{"k":"a","t":"\/","seq":1}` + "\n":                                         fault.ErrCorrupt,
		`{"k":"a","t":"\x","seq":1}` + "\n":                                         fault.ErrCorrupt,
		`{"k":"a","t":"\u0000","seq":1}` + "\n":                                     fault.ErrCorrupt,
		`{"k":"a","b64":"eA==","seq":1}` + "\n":                                     fault.ErrCorrupt,
		`{"k":"a","b64":"AP8=","seq":1}` + "\n":                                     nil,
		`{"k":"a","b64":"AP9=","seq":1}` + "\n":                                     fault.ErrCorrupt,
		`{"k":"a","v":[1, 2],"seq":1}` + "\n":                                       fault.ErrCorrupt,
		`{"k":"a","v":{"a":1,"a":2},"seq":1}` + "\n":                                fault.ErrCorrupt,
		`{"k":"a","v":1,"x":2,"seq":1}` + "\n":                                      fault.ErrCorrupt,
		`{"k":"a","v":"é","seq":1}` + "\n":                                          fault.ErrCorrupt,
		`{"k":"a","v":,"seq":1}` + "\n":                                             fault.ErrCorrupt,
		`{"k":"a","v":1,"seq":1,"v":1,"seq":1}` + "\n":                              fault.ErrCorrupt,
		`{"space":"kv","k":"a","v":1,"seq":1}` + "\n":                               fault.ErrCorrupt,
		`{"space":"doc","k":"a","v":1,"seq":1}` + "\n":                              nil,
		`{"space":"\u0064oc","k":"a","v":1,"seq":1}` + "\n":                         fault.ErrIncompatible,
		`{"space":"space-2","k":"a","v":1,"seq":1}` + "\n":                          fault.ErrIncompatible,
		`{"space":"space-9","k":"a","v":1,"seq":1}` + "\n":                          nil,
		`{"space":"pace","k":"a","v":1,"seq":1}` + "\n":                             fault.ErrIncompatible,
		`{"space":"doc`:                                                             nil, // no line: see below
		`{"space":"doc` + "\n":                                                      fault.ErrIncompatible,
		`{"tenant":"main","k":"a","v":1,"seq":1}` + "\n":                            fault.ErrCorrupt,
		`{"tenant":"acme","k":"a","v":1,"seq":1}` + "\n":                            nil,
		`{"tenant":"","k":"a","v":1,"seq":1}` + "\n":                                fault.ErrCorrupt,
		`{"tenant":"Acme","k":"a","v":1,"seq":1}` + "\n":                            fault.ErrCorrupt,
		`{"tenant":"` + strings.Repeat("t", 65) + `","k":"a","v":1,"seq":1}` + "\n": fault.ErrCorrupt,
		`{"tenant":"acme","space":"doc","k":"a","v":1,"seq":1}` + "\n":              fault.ErrCorrupt,
		`{"tenant":"acme" "k":"a","v":1,"seq":1}` + "\n":                            fault.ErrCorrupt,
		`{"k":"` + long + `","v":1,"seq":1}` + "\n":                                 fault.ErrCorrupt,
		`{"k":"` + long[1:] + `","v":1,"seq":1}` + "\n":                             nil,
		"\n":     fault.ErrCorrupt,
		"{}\n":   fault.ErrCorrupt,
		"null\n": fault.ErrCorrupt,
		"{\n":    fault.ErrCorrupt,
		"[]\n":   fault.ErrCorrupt,
	} {
		if !strings.HasSuffix(text, "\n") {
			damaged(t, text, linesFile(head7, 0, text), fault.ErrCorrupt)
			continue
		}
		fsys := dirOnly(t)
		n := uint64(strings.Count(text, "\n"))
		writeFile(t, fsys, Backup, linesFile(head7, n, text))
		if _, err := Verify(fsys, Backup, ours); err != nil {
			t.Errorf("%q: verify: %v", text, err)
		}
		if _, _, err := Load(fsys, Backup, ours); fault.KindOf(err) != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestLinesMoved: every line is good, and not where it was.
func TestLinesMoved(t *testing.T) {
	a, b, c := `{"k":"a","v":1,"seq":1}`+"\n", `{"k":"b","v":2,"seq":7}`+"\n", `{"k":"c","v":3,"seq":7}`+"\n"
	good := linesFile(head7, 3, a+b, c)
	var l []string // header, a, b, block, c, block, footer
	for line := range strings.Lines(string(good)) {
		l = append(l, line)
	}
	other := strings.SplitAfter(string(linesFile(Header{Store: ours, At: state.Position{Seq: 8}}, 3, a+b, c)), "\n")
	fsys := dirOnly(t)
	writeFile(t, fsys, Backup, good)
	if _, sum, err := Load(fsys, Backup, ours); err != nil || sum.Blocks != 2 || sum.Entries != 3 || sum.Size != int64(len(good)) {
		t.Fatalf("%+v, %v", sum, err)
	}
	for what, all := range map[string][]string{
		"nothing":              {},
		"header alone":         {l[0]},
		"no header":            l[1:],
		"no footer":            l[:6],
		"header twice":         {l[0], l[0], l[1], l[2], l[3], l[4], l[5], l[6]},
		"entry twice":          {l[0], l[1], l[1], l[2], l[3], l[4], l[5], l[6]},
		"entries swapped":      {l[0], l[2], l[1], l[3], l[4], l[5], l[6]},
		"entry lost":           {l[0], l[1], l[3], l[4], l[5], l[6]},
		"entry in other block": {l[0], l[1], l[3], l[2], l[4], l[5], l[6]},
		"block line lost":      {l[0], l[1], l[2], l[4], l[5], l[6]},
		"last block line lost": {l[0], l[1], l[2], l[3], l[4], l[6]},
		"block line twice":     {l[0], l[1], l[2], l[3], l[3], l[4], l[5], l[6]},
		"block lost":           {l[0], l[4], l[5], l[6]},
		"last block lost":      {l[0], l[1], l[2], l[3], l[6]},
		"blocks swapped":       {l[0], l[4], l[5], l[1], l[2], l[3], l[6]},
		"block twice":          {l[0], l[1], l[2], l[3], l[1], l[2], l[3], l[4], l[5], l[6]},
		"no blocks":            {l[0], l[6]},
		"footer twice":         {l[0], l[1], l[2], l[3], l[4], l[5], l[6], l[6]},
		"footer early":         {l[0], l[1], l[2], l[3], l[6], l[4], l[5], l[6]},
		"entry in no block":    {l[0], l[1], l[2], l[3], l[4], l[5], l[4], l[6]},
		"twice":                append(slices.Clone(l), l...),
		"an empty line":        {l[0], "\n", l[1], l[2], l[3], l[4], l[5], l[6]},
		"an empty line behind": append(slices.Clone(l), "\n"),
		"behind a mark":        append([]string{"\ufeff"}, l...),
		"lines of Windows":     {strings.ReplaceAll(string(good), "\n", "\r\n")},
		"header of another":    append([]string{other[0]}, l[1:]...),
		"footer of another":    append(slices.Clone(l[:6]), other[6]),
		"block of another":     {l[0], other[1], other[2], other[3], l[4], l[5], l[6]},
	} {
		damaged(t, what, []byte(strings.Join(all, "")), fault.ErrCorrupt)
	}
	for name, b := range map[string][]byte{"a block without entries": linesFile(head7, 0, ""), "footer counts more": linesFile(head7, 4, a+b, c), "footer counts less": linesFile(head7, 2, a+b, c)} {
		damaged(t, name, b, fault.ErrCorrupt)
	}
}

// TestLinesOfTheFuture: a version of the future is told from a damaged one, whatever
// else its header says.
func TestLinesOfTheFuture(t *testing.T) {
	good := linesFile(head7, 0)
	line, rest, _ := bytes.Cut(good, []byte("\n"))
	body := line[:len(line)+1-sumSize]
	for _, v := range []string{"1", "2", "10", "18446744073709551615"} {
		is, was := []byte(`"format":`+v), []byte(`"format":0`)
		damaged(t, "version alone "+v, bytes.Replace(good, was, is, 1), fault.ErrCorrupt)
		future := bytes.Replace(body, was, is, 1)
		damaged(t, "version "+v, append(appendSum(future, batch.Sum(future)), rest...), fault.ErrIncompatible)
		damaged(t, "another shape "+v, fmt.Appendf(nil, `{"vlog":"checkpoint","format":%s,"store":{"uuid":1}}`+"\n", v), fault.ErrIncompatible)
	}
	for from, to := range map[string]string{`"format":0`: `"format":-1`, `"seq":7`: `"seq":07`, `"checkpoint"`: `"segment"`, `"store":"6f`: `"store":"`, `00Z"`: `00+00:00"`,
		`1970-01-01`: `9999-01-01`, `"1970-01-01T00:00:00Z"`: `"now"`, `{`: `{ `, `"chain":"00`: `"chain":"0000`} {
		if !bytes.Contains(body, []byte(from)) {
			t.Fatalf("%s is not in %s", from, body)
		}
		b := bytes.Replace(body, []byte(from), []byte(to), 1)
		damaged(t, to, append(appendSum(b, batch.Sum(b)), rest...), fault.ErrCorrupt)
	}
}

// TestLinesWhere: an error names the place of the line, or of the block where it cannot
// tell the line.
func TestLinesWhere(t *testing.T) {
	a, b, c := `{"k":"a","v":1,"seq":1}`+"\n", `{"k":"b","v":2,"seq":7}`+"\n", `{"k":"c","v": 3,"seq":7}`+"\n"
	where := func(b []byte) int64 {
		fsys := dirOnly(t)
		writeFile(t, fsys, Backup, b)
		_, _, err := Load(fsys, Backup, ours)
		e, ok := errors.AsType[*fault.Error](err)
		if !ok || e.At.Path != Backup {
			t.Fatal(err)
		}
		return e.At.Offset
	}
	misspelt, half := linesFile(head7, 3, a, b+c), linesFile(head7, 1, a)
	for what, at := range map[string]struct {
		b    []byte
		line string
	}{
		"misspelt entry":  {misspelt, c},
		"block":           {bytes.Replace(misspelt, []byte(`"v": 3`), []byte(`"v":33`), 1), b},
		"descending keys": {linesFile(head7, 3, b, a), a},
		"footer":          {bytes.Replace(linesFile(head7, 1, a), []byte(`"blocks":1`), []byte(`"blocks":2`), 1), beginFooter},
		"half a line":     {half[:len(half)-1], beginFooter},
		"header":          {bytes.Replace(misspelt, []byte(`"seq":7`), []byte(`"seq":8`), 1), beginHeader},
	} {
		if got, want := where(at.b), bytes.Index(at.b, []byte(at.line)); got != int64(want) {
			t.Errorf("%s: at %d, want %d", what, got, want)
		}
	}
}

// TestLinesLimits: no line and no block is gathered beyond what it can be.
func TestLinesLimits(t *testing.T) {
	good := linesFile(head7, 0)
	good = good[:bytes.IndexByte(good, '\n')+1]
	entry := `{"k":"a","v":1,"seq":1}` + "\n"
	for what, c := range map[string]struct {
		b    []byte
		most int64 // bytes that may be read
	}{
		"header without an end": {append([]byte(beginHeader), bytes.Repeat([]byte("0"), 4*flushSize)...), flushSize},
		"long header":           {append(append([]byte(beginHeader), bytes.Repeat([]byte("0"), maxMark)...), good...), flushSize},
		"entry of zeros":        {append(append(bytes.Clone(good), entry[:12]...), make([]byte, 8*flushSize)...), flushSize},
		"block without an end":  {append(bytes.Clone(good), strings.Repeat(entry, 2*maxText/len(entry))...), maxText + 2*flushSize},
	} {
		damaged(t, what, c.b, fault.ErrCorrupt)
		m, read := dirOnly(t), int64(0)
		writeFile(t, m, Backup, c.b)
		_, err := Verify(vfs.NewLog(m, func(op vfs.Op, _ error) {
			if op.Kind == vfs.OpRead {
				read += op.Len
			}
		}), Backup, ours)
		if wantKind(t, err, fault.ErrCorrupt); read > c.most+1 {
			t.Errorf("%s: %d bytes were read, at most %d", what, read, c.most)
		}
	}
	fsys := dirOnly(t)
	writeFile(t, fsys, Backup, []byte("123456789\n12345678\n"))
	f, err := fsys.Open(Backup, vfs.ReadOnly)
	check(t, err)
	for most, ok := range map[int64]bool{8: false, 9: false, 10: true} {
		r := lineReader{source: &source{f: f, name: Backup, size: 19}}
		line, err := r.line(most)
		if (err == nil) != ok || ok && string(line) != "123456789\n" {
			t.Errorf("at most %d: %q, %v", most, line, err)
		}
	}
	check(t, f.Close())
}

// drawn is a key of any space and tenant.
func drawn(t *rapid.T) string {
	space := rapid.OneOf(rapid.SampledFrom([]batch.Space{batch.KV, batch.KV, batch.Doc, batch.Sys, 255}), rapid.Custom(func(t *rapid.T) batch.Space { return batch.Space(rapid.Byte().Draw(t, "space")) })).Draw(t, "of")
	tenant := rapid.OneOf(rapid.Just(batch.Main), rapid.StringMatching(`[a-z0-9_-][a-z0-9._-]{0,63}`)).Draw(t, "tenant")
	return full(space, tenant, drawnBytes(t, "key"))
}

func drawnBytes(t *rapid.T, name string) string {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"", "0", "null", "{}", `{"a":[1,2,{"b":"c"}]}`, `{"a": 1}`, `"`, `\`, `","seq":1}`, "é", "😀", "\ud7ff", "\x7f", "\x00", "\xff"}),
		rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, name)
}

// TestLinesExact: any picture comes back from its lines byte for byte, and is then the
// same as one that comes back from the binary spelling.
func TestLinesExact(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		all := map[string]string{}
		for range rapid.IntRange(0, 6).Draw(rt, "n") {
			all[drawn(rt)] = drawnBytes(rt, "value")
		}
		at := state.Position{Seq: batch.Seq(rapid.Uint64Min(1).Draw(rt, "seq")), Time: rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{0, -1, math.MinInt64, math.MaxInt64})).Draw(rt, "time")}
		p := pictureOf(t, at, all)
		m := dirOnly(t)
		var bytesOf [2][]byte
		for i, codec := range []wal.Codec{wal.Binary, wal.NDJSON} {
			sum, err := Write(m, Name(1), Image{ours, p, codec}, nil)
			check(t, err)
			back, read, err := Load(m, Name(1), ours)
			if err != nil || read != sum || sum.Size != int64(len(slurp(t, m, Name(1)))) || back.Position() != at {
				rt.Fatalf("%v: written %+v, read %+v: %v", codec, sum, read, err)
			}
			if codec == wal.NDJSON {
				eachLineParses(t, slurp(t, m, Name(1)))
			}
			_, err = Write(m, Name(2), Image{ours, back, wal.Binary}, nil)
			check(t, err)
			bytesOf[i] = slurp(t, m, Name(2))
			check(t, m.Remove(Name(1)))
			check(t, m.Remove(Name(2)))
		}
		if !bytes.Equal(bytesOf[0], bytesOf[1]) {
			rt.Fatal("the two do not come back as the same picture")
		}
	})
}

// TestLineLengths: no line is longer than the limits of the reader allow.
func TestLineLengths(t *testing.T) {
	fits := func(e state.Entry) bool {
		n, line := len(state.AppendEntry(nil, e)), len(appendEntry(nil, e))
		return line <= 10*n && line <= 3*n+1<<10
	}
	for _, e := range []state.Entry{
		{Key: []byte(full(255, "a", "")), Seq: 1},
		{Key: []byte(full(255, "a", "\x00")), Value: []byte{0}, Seq: math.MaxUint64},
		{Key: []byte(full(255, "a", "é")), Value: []byte("é"), Seq: 9},
		{Key: []byte(full(batch.KV, batch.Main, "")), Value: []byte(strings.Repeat("é", 1<<20)), Seq: 9},
		{Key: []byte(full(batch.KV, batch.Main, "")), Value: []byte(strings.Repeat("\"", 1<<20)), Seq: 9},
	} {
		if !fits(e) {
			t.Errorf("%.200s", appendEntry(nil, e))
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		e := state.Entry{Key: []byte(drawn(rt)), Value: []byte(drawnBytes(rt, "value")), Seq: batch.Seq(rapid.Uint64Min(1).Draw(rt, "seq"))}
		if !fits(e) {
			rt.Fatalf("%s", appendEntry(nil, e))
		}
	})
}

// TestSize: what is told beforehand is about what is written.
func TestSize(t *testing.T) {
	for name, c := range map[string]struct {
		value string
		most  float64 // times what is told
	}{
		"json": {`{"name":"Alice","age":42}`, 1.1}, "text": {"plain text, as people write it", 1.1}, "none": {"", 1.1},
		"bytes": {strings.Repeat("\x00\xff", 50), 1.5}, "other text": {strings.Repeat("é", 50), 3},
	} {
		all := map[string]string{}
		for i := range 20_000 {
			all[full(batch.KV, batch.Main, fmt.Sprintf("key/%d", i))] = c.value
		}
		p := pictureOf(t, state.Position{Seq: 1000}, all)
		for codec, most := range map[wal.Codec]float64{wal.Binary: 1, wal.NDJSON: c.most} {
			sum, err := Write(dirOnly(t), Backup, Image{ours, p, codec}, nil)
			check(t, err)
			if told := float64(Size(p, codec)); float64(sum.Size) > told*most || float64(sum.Size) < told*0.9 {
				t.Errorf("%s, %v: %d bytes, told %d", name, codec, sum.Size, Size(p, codec))
			}
		}
	}
}
