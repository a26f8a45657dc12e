package wal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/vlogdb/vlog/fuzz/cost"
	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
)

// written is the bytes of a batch that puts keys, each to the value behind it.
func written(kv ...string) string {
	b := batch.Batch{Writer: batch.Writer{1, 2}, Counter: 7}
	for i := 0; i < len(kv); i += 2 {
		b.Ops = append(b.Ops, batch.Op{Kind: batch.Put, Key: batch.AppendKey(nil, batch.KV, batch.Main, []byte(kv[i])), Value: []byte(kv[i+1])})
	}
	p, err := batch.Append(nil, &b)
	if err != nil {
		panic(err)
	}
	return string(p)
}

// buildLines makes an NDJSON segment of groups, and where each line begins.
func buildLines(h Header, sealed bool, groups ...grouped) (b []byte, at []int64) {
	b = lines{}.header(&h)
	last, chain := h.First-1, h.Chain
	for _, g := range groups {
		recs := records(g.payloads...)
		of := &group{after: last, chain: chain, synced: g.synced, records: recs, texts: lines{}.texts(recs, nil)}
		b, chain = lines{}.appendGroup(b, of, spot{h.salt(), int64(len(b))})
		last += Seq(len(recs))
	}
	if sealed {
		b = lines{}.appendSeal(b, &group{after: last, chain: chain, synced: last}, uint64(last-h.First+1), sealPlace{h.salt(), int64(len(b)), 9})
	}
	for off := 0; off < len(b); off += bytes.IndexByte(b[off:], '\n') + 1 {
		at = append(at, int64(off))
	}
	return b, append(at, int64(len(b)))
}

// fourLines are #1, then #2 to #4; the second group says that the log was synced up to proven.
func fourLines(proven Seq) []grouped {
	return []grouped{{0, []string{written("a", "1")}}, {proven, []string{written("b", `{"seq":2}`), "no batch", written("c", "\x00\xff")}}}
}

func scanLines(t testing.TB, b []byte) (*Segment, error) {
	t.Helper()
	fsys := mem()
	check(t, fsys.Mkdir(Dir))
	writeFile(t, fsys, NDJSON.SegmentName(1), b)
	return Scan(t.Context(), Place{fsys, NDJSON.SegmentName(1), ours}, nil)
}

// TestLinesGolden: the bytes of an NDJSON segment, as docs/FORMAT.md draws them.
func TestLinesGolden(t *testing.T) {
	h := Header{Store: ours, Epoch: 1 << 63, First: 1, Chain: Chain{1}, Created: 1_700_000_000_123_456_789}
	groups := fourLines(1)
	groups[0].payloads = append(groups[0].payloads, written("text", "plain \"text\" é", "users/42", `{"name":"Alice"}`))
	b, _ := buildLines(h, true, groups...)
	golden(t, "segment.ndjson", string(b))
	for line := range bytes.Lines(b) {
		var v map[string]any
		if err := json.Unmarshal(line, &v); err != nil || !isASCII(line) {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= 0x7f || c < ' ' && c != '\n' {
			return false
		}
	}
	return true
}

// TestLinesTornOrDamaged is the rule for lines: what does not check out is a torn
// tail, unless something behind it proves that it was durable.
func TestLinesTornOrDamaged(t *testing.T) {
	open, at := buildLines(head(7), false, fourLines(1)...)
	sealed, _ := buildLines(head(7), true, fourLines(1)...)
	lazy, _ := buildLines(head(7), false, fourLines(0)...)
	other, _ := buildLines(head(8), false, fourLines(1)...)
	n := int64(len(open))
	for _, c := range []struct {
		name   string
		of     []byte
		change func([]byte) []byte
		want   string
		last   Seq
		bad    int64
	}{
		{"nothing wrong", open, behind(nil), "end", 4, 0},
		{"sealed", sealed, behind(nil), "sealed", 4, 0},
		{"half a line", open, func(b []byte) []byte { return b[:n-1] }, "torn", 3, at[4]},
		{"a line of its first byte", open, behind([]byte("{")), "torn", 4, n},
		{"last line", open, flip(at[4] + 9), "torn", 3, at[4]},
		{"last line end", open, flip(n - 1), "torn", 3, at[4]},
		{"line that the next proves", open, flip(at[1] + 9), "damaged", 0, at[1]},
		{"line end that the next proves", open, flip(at[2] - 1), "damaged", 0, at[1]},
		{"line that nobody proves", lazy, flip(at[1] + 9), "torn", 0, at[1]},
		{"line in its group", open, flip(at[2] + 9), "torn", 1, at[2]},
		{"line under a seal", sealed, flip(at[2] + 9), "damaged", 1, at[2]},
		{"seal", sealed, flip(n + 9), "torn", 4, n},
		{"half a seal", sealed, func(b []byte) []byte { return b[:len(b)-1] }, "torn", 4, n},
		{"zeros behind", open, behind(make([]byte, 3000)), "end", 4, 0},
		{"garbage behind", open, behind(garbage(3000)), "torn", 4, n},
		{"an empty line", open, behind([]byte("\n")), "torn", 4, n},
		{"a carriage return", open, func(b []byte) []byte { return append(b[:n-1], "\r\n"...) }, "torn", 3, at[4]},
		{"tail twice", open, behind(open[at[4]:]), "torn", 4, n},
		{"lines of another epoch", open, behind(other[n-200:]), "torn", 4, n},
		{"lost line", open, func(b []byte) []byte { return append(b[:at[1]:at[1]], b[at[2]:]...) }, "torn", 0, at[1]},
		{"zeroed line, proven", open, zero(at[1], at[2]), "damaged", 0, at[1]},
	} {
		seg, err := scanLines(t, c.change(bytes.Clone(c.of)))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		bad := int64(0)
		if seg.Bad != nil {
			bad = seg.Bad.Offset
		}
		if got := verdict(seg); got != c.want || seg.Last != c.last || bad != c.bad {
			t.Errorf("%s: %s behind %v, bad at %d; want %s behind %v, bad at %d", c.name, got, seg.Last, bad, c.want, c.last, c.bad)
		}
	}
}

// TestLinesEveryFlip flips a bit of every byte of a sealed segment: none goes unnoticed.
func TestLinesEveryFlip(t *testing.T) {
	b, at := buildLines(head(7), true, fourLines(1)...)
	for i := range b {
		for bit := range 8 {
			bad := bytes.Clone(b)
			bad[i] ^= 1 << bit
			seg, err := scanLines(t, bad)
			if int64(i) < at[1] {
				wantKind(t, err, fault.ErrCorrupt)
				continue
			}
			check(t, err)
			if seg.Sealed || seg.Last < 4 && verdict(seg) != "damaged" || at[seg.Last+1] > int64(i) {
				t.Fatalf("bit %d of byte %d: %s, ends at %v", bit, i, verdict(seg), seg.Last)
			}
		}
	}
}

// TestLinesCutAtEveryByte: whole lines stay, half of one is a torn tail.
func TestLinesCutAtEveryByte(t *testing.T) {
	b, at := buildLines(head(7), true, fourLines(1)...)
	for n := range b {
		seg, err := scanLines(t, b[:n])
		if int64(n) < at[1] {
			wantKind(t, err, fault.ErrCorrupt)
			continue
		}
		check(t, err)
		last := Seq(0)
		for last < 4 && at[last+2] <= int64(n) {
			last++
		}
		want := "torn"
		if at[last+1] == int64(n) {
			want = "end"
		}
		if verdict(seg) != want || seg.Last != last {
			t.Fatalf("cut at %d: %s behind %v, want %s behind %v", n, verdict(seg), seg.Last, want, last)
		}
	}
}

// TestOtherSpellings: a line that says the same in other words, with a sum that holds,
// is not ours.
func TestOtherSpellings(t *testing.T) {
	b, at := buildLines(head(7), false, fourLines(1)...)
	h := head(7)
	for from, to := range map[string]string{
		`"n":7`: `"n":07`, `"ops":[{`: `"ops":[ {`, `"v":1`: `"t":"1"`, `"k":"a"`: `"k64":"YQ=="`, `"writer":"01`: `"writer":"0\u0031`,
		`"op":"put"`: `"op":"put","space":"kv"`, `"time":"1970-01-01T00:00:00.000001Z"`: `"time":"1970-01-01T00:00:00.0000010Z"`, `,"synced":0`: ` ,"synced":0`,
		`{"seq":1`: `{"seq":01`, `"prev":"00`: `"prev":"0000`, `}]`: `}],"more":1`,
	} {
		line := string(b[at[1] : at[2]-int64(sumSize)])
		if !strings.Contains(line, from) {
			t.Fatalf("%s is not in %s", from, line)
		}
		line = strings.Replace(line, from, to, 1)
		other := appendSum([]byte(line), lineSumOf([]byte(line), spot{h.salt(), at[1]}))
		seg, err := scanLines(t, append(bytes.Clone(b[:at[1]]), other...))
		check(t, err)
		if seg.Last != 0 || seg.Bad == nil {
			t.Errorf("%s is believed", to)
		}
	}
}

// TestLinesOfTheFuture: what checks out and is not known is refused by name.
func TestLinesOfTheFuture(t *testing.T) {
	b, at := buildLines(head(7), false, fourLines(1)...)
	h := head(7)
	for from, to := range map[string]string{`{"seq":1`: `{"objects":1`, `"op":"put"`: `"op":"merge"`, `"k":"a"`: `"space":"unheard-of","k":"a"`} {
		line := strings.Replace(string(b[at[1]:at[2]-int64(sumSize)]), from, to, 1)
		_, err := scanLines(t, append(bytes.Clone(b[:at[1]]), appendSum([]byte(line), lineSumOf([]byte(line), spot{h.salt(), at[1]}))...))
		wantKind(t, err, fault.ErrIncompatible)
	}
	future := bytes.Replace(b[:at[1]-int64(sumSize)], []byte(`"format":0`), []byte(`"format":1`), 1)
	_, err := scanLines(t, appendSum(future, batch.Sum(future)))
	wantKind(t, err, fault.ErrIncompatible)
}

// TestLinesExact: any payload comes back byte for byte, whoever spelled it.
func TestLinesExact(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		payloads := rapid.SliceOfN(rapid.OneOf(
			rapid.Custom(func(t *rapid.T) string { return written("k", string(rapid.SliceOf(rapid.Byte()).Draw(t, "value"))) }),
			rapid.Custom(func(t *rapid.T) string { return written(rapid.String().Draw(t, "key"), rapid.String().Draw(t, "text")) }),
			rapid.Custom(func(t *rapid.T) string { return string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) }),
		), 1, 5).Draw(rt, "payloads")
		r := newRig(t, mem(), tiny(NDJSON))
		defer r.Close() //nolint:errcheck // closed below where that matters
		check(t, r.add(payloads...))
		check(t, r.Sync(t.Context()))
		if got := list(r.Read(t.Context(), 1)); got.err != nil || fmt.Sprint(got.payloads) != fmt.Sprint(payloads) {
			rt.Fatalf("%q came back as %q, %v", payloads, got.payloads, got.err)
		}
	})
}

// TestSameChain: the codec has no part in chain values.
func TestSameChain(t *testing.T) {
	var chains []Chain
	for _, c := range []Codec{Binary, NDJSON} {
		r := newRig(t, mem(), tiny(c))
		r.put(written("a", "1"), "x")
		r.put(written("b", "2"))
		_, _, chain, err := r.Bounds(t.Context())
		check(t, errors.Join(err, r.Close()))
		chains = append(chains, chain)
	}
	if chains[0] != chains[1] || chains[0] == (Chain{}) {
		t.Error(chains)
	}
}

// TestTextIsUsed: what the caller spelled ahead is written, and a line above the limit is refused.
func TestTextIsUsed(t *testing.T) {
	r := newRig(t, mem(), tiny(NDJSON))
	rec := record(written("a", "1"))
	rec.Text = appendPayload(nil, 0, rec.Payload)
	_, err := r.Append(t.Context(), 0, []Record{rec})
	check(t, err)
	check(t, r.Sync(t.Context()))
	equal(t, "read", list(r.Read(t.Context(), 1)).payloads, []string{string(rec.Payload)})
	check(t, r.Close())
}

// TestLineValuesThatLookLikeLines: a value may spell the beginning of a line often; looking behind
// damage stays cheap, and finds the good line behind it.
func TestLineValuesThatLookLikeLines(t *testing.T) {
	for name, evil := range map[string]string{
		"alike":      `["` + strings.Repeat(`{'seq':`, 10) + `",` + strings.Repeat(`{"seq":1},`, 10) + `1]`,
		"many":       `[` + strings.Repeat(`{"sex":"f","session":{"seal":2}},{"seq":3,"times":4},`, 500) + `1]`,
		"some lines": `[` + strings.Repeat(`{"seq":3,"time":"now"},`, tries-2) + `1]`,
	} {
		b, at := buildLines(head(7), false, grouped{0, []string{written("a", evil)}}, grouped{1, []string{written("b", "2")}})
		seg, err := scanLines(t, flip(at[2]-1)(b))
		check(t, err)
		if verdict(seg) != "damaged" {
			t.Errorf("%s: %s, the line behind was not found", name, verdict(seg))
		}
	}
}

// FuzzLines reads any bytes as lines, raw or behind a good header, also with the sums
// put right. Whatever they are: the scan ends, with lines that are spelled as we do.
func FuzzLines(f *testing.F) {
	for _, sealed := range []bool{false, true} {
		b, at := buildLines(head(7), sealed, fourLines(1)...)
		f.Add(b, false, false)
		f.Add(b[at[1]:], true, false)
		f.Add(b[at[1]:], true, true)
		f.Add(b[:len(b)-3], false, true)
	}
	f.Fuzz(func(t *testing.T, b []byte, headed, right bool) {
		h := head(7)
		if headed {
			b = append(lines{}.header(&h), b...)
		}
		if right {
			b = sumsPutRight(b)
		}
		fsys := dirOnly(t)
		writeFile(t, fsys, NDJSON.SegmentName(1), b)
		next, behind := Seq(1), int64(0)
		var seg *Segment
		var err error
		cost.Within(t, scanCost(len(b)), func() {
			seg, err = Scan(t.Context(), Place{fsys, NDJSON.SegmentName(1), ours}, func(e Entry, off int64) error {
				if e.Seq != next || off <= behind || !bytes.HasPrefix(b[off:], []byte(lineBatch)) {
					t.Fatalf("line %v at %d", e.Seq, off)
				}
				if text := appendPayload(nil, e.Flags, e.Payload); !bytes.Contains(b[off:], text) {
					t.Fatalf("%v is spelled %s", e.Seq, text)
				}
				next, behind = next+1, off
				return nil
			})
		})
		if err != nil {
			if !fromDisk(err) {
				t.Fatal(err)
			}
			return
		}
		if seg.Last != next-1 || seg.End > seg.Size || seg.Sealed && seg.Bad != nil {
			t.Fatalf("%+v", seg)
		}
		mendAgain(t, fsys, seg)
	})
}

// sumsPutRight makes the sum of every line hold.
func sumsPutRight(b []byte) (out []byte) {
	h := head(7)
	for line := range bytes.Lines(b) {
		if len(line) < sumSize || line[len(line)-1] != '\n' {
			return append(out, line...)
		}
		body := line[:len(line)-sumSize]
		sum := lineSumOf(body, spot{h.salt(), int64(len(out))})
		if len(out) == 0 {
			sum = batch.Sum(body)
		}
		out = appendSum(append(out, body...), sum)
	}
	return out
}
