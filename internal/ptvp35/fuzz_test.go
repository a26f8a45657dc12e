package ptvp35

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/vlogdb/vlog/fuzz/cost"
	"github.com/vlogdb/vlog/internal/fault"
)

// readCost is what reading n bytes may allocate, whatever they say: the buffers, and
// what package json makes of a line.
func readCost(n int) int { return 256*n + 8<<20 }

// FuzzRecords reads any bytes as a main file, cut where a count says so or not.
func FuzzRecords(f *testing.F) {
	f.Add([]byte(one+two+three), uint64(10), true)
	f.Add([]byte("{\"key\":\"ä\",\"value\":{\"a\":[1,2]}}\n{}\n\xff\n"), uint64(3), false)
	f.Fuzz(func(t *testing.T, data []byte, chars uint64, cut bool) {
		fs := files{"": string(data)}
		if cut {
			fs[".truncate"], fs[".truncate_flag"] = count(chars), ""
		}
		s, err := OpenFS(fs.disk(t), "x.db")
		if err != nil {
			return
		}
		n := int64(0)
		cost.Within(t, readCost(len(data)), func() {
			for r, err := range s.Records() {
				if err != nil && !Broken(err) {
					t.Fatal(err)
				}
				if err == nil && (!json.Valid(r.Key) || !json.Valid(r.Value)) {
					t.Fatalf("line %d: %q, %q", r.Line, r.Key, r.Value)
				}
				if n += int64(len(r.Value)); len(r.Key) > len(data) { // it may be that of an earlier line
					t.Fatalf("line %d: a key of %d bytes", r.Line, len(r.Key))
				}
			}
		})
		if n > s.Plan().Valid || s.Plan().Valid+s.Plan().Dropped != int64(len(data)) {
			t.Fatalf("%d bytes of values in %+v of %d", n, s.Plan(), len(data))
		}
	})
}

// FuzzFlags has any of the five files there, with any bytes in them: what counts is what the
// flags say, and reading changes nothing.
func FuzzFlags(f *testing.F) {
	for there := range uint8(16) {
		f.Add(there, []byte(one+two), []byte(three), []byte(count(uint64(len(one)))))
	}
	f.Fuzz(func(t *testing.T, there uint8, main, copied, truncated []byte) {
		fs := files{"": string(main)}
		for i, suffix := range []string{backup, recoverFlag, truncate, truncateFlag} {
			if there>>i&1 == 1 {
				fs[suffix] = map[string]string{backup: string(copied), truncate: string(truncated)}[suffix]
			}
		}
		m := fs.disk(t)
		before := m.Ops()
		var s *Source
		var err error
		cost.Within(t, readCost(len(main)+len(copied)+len(truncated)), func() { s, err = OpenFS(m, "x.db") })
		if m.Ops() != before {
			t.Fatal("something was changed")
		}
		if err != nil {
			if k := fault.KindOf(err); k != fault.ErrCorrupt && k != fault.ErrNotFound {
				t.Fatal(err)
			}
			return
		}
		p, has := s.Plan(), func(suffix string) bool { _, ok := fs[suffix]; return ok }
		whole := int64(len(fs[strings.TrimPrefix(p.File, "x.db")]))
		if p.Restored != has(recoverFlag) || p.Cut != (has(truncateFlag) && !p.Restored) || p.Valid < 0 || p.Valid+p.Dropped != whole || p.Dropped > 0 && !p.Cut {
			t.Fatalf("%v: %+v", fs, p)
		}
	})
}

// FuzzKeys compares any two keys: that they are the same does not hang on which comes
// first or on white space, and texts are the same only where they are equal.
func FuzzKeys(f *testing.F) {
	for _, pair := range [][2]string{{`1`, `1.0`}, {`true`, `1`}, {`"é"`, `"\u00e9"`}, {`{"a":1,"b":2}`, `{"b":2.0,"a":true}`}, {`-0`, `0`}, {`[1,[2]]`, `[1.0,[2e0]]`}, {`1e400`, `9e999`}, {`"\ud800"`, `"\ufffd"`}, {`10000000000000000000000`, `1e22`}, {"\"\xff0\"", `"\ufffd"`}} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if !json.Valid([]byte(a)) || !json.Valid([]byte(b)) || !utf8.ValidString(a+b) {
			return // no line has such keys
		}
		var same bool
		cost.Within(t, readCost(len(a)+len(b)), func() { same = comparable([]byte(a)) == comparable([]byte(b)) })
		var x, y any
		if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
			return // a number that no float holds
		}
		s, isText := x.(string)
		u, areTexts := y.(string)
		halved := strings.ContainsRune(s, utf8.RuneError) // in which package json makes halves of pairs alike
		if areTexts = areTexts && isText; areTexts && same != (s == u) && (same || !halved) {
			t.Fatalf("%s and %s: %v", a, b, same)
		}
		if comparable(compact(json.RawMessage(" "+a+" "))) != comparable([]byte(a)) {
			t.Fatalf("%s is another key with white space around it", a)
		}
	})
}
