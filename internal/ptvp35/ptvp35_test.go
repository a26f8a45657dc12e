package ptvp35

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/fuzz/cost"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// files are a store of that system: what stands behind x.db → content.
type files map[string]string

func (f files) disk(t testing.TB) *vfs.Mem {
	t.Helper()
	m := vfs.NewMem(vfs.MemOptions{})
	for suffix, data := range f {
		file, err := m.Open("x.db"+suffix, vfs.CreateNew)
		check(t, err)
		_, err = file.WriteAt([]byte(data), 0)
		check(t, errors.Join(err, file.Close()))
	}
	return m
}

// count is a truncate file.
func count(chars uint64) string {
	return string(binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, chars), 0))
}

// load reads a store into a map; nothing may be changed by that.
func load(t testing.TB, f files) (got map[string]string, plan Plan, broken int, err error) {
	t.Helper()
	m := f.disk(t)
	before := m.Ops()
	s, err := OpenFS(m.Reopen(), "x.db")
	if err != nil {
		return nil, plan, 0, err
	}
	got = map[string]string{}
	for r, err := range s.Records() {
		switch {
		case err == nil:
			got[string(r.Key)] = string(r.Value)
		case !Broken(err):
			t.Fatal(err)
		default:
			broken++
		}
	}
	check(t, s.Close())
	if m.Ops() != before {
		t.Errorf("reading changed something")
	}
	return got, s.Plan(), broken, nil
}

const (
	one   = `{"key": ["tuple", "example"], "value": {"dict": "example"}}` + "\n"
	two   = `{"key": 123, "value": null}` + "\n"
	three = `{"key": "123", "value": "text"}` + "\n"
	torn  = `{"key": "later", "val`
)

// TestStates goes through what that system may leave, and what it has on opening.
func TestStates(t *testing.T) {
	tuple, number, text := `["tuple","example"]`, `123`, `"123"`
	all := map[string]string{tuple: `{"dict":"example"}`, number: "null", text: `"text"`}
	first := map[string]string{tuple: `{"dict":"example"}`, number: "null"}
	ascii := uint64(len(one + two))
	umlaut := `{"key": "ä😀", "value": 1}` + "\n"
	for name, c := range map[string]struct {
		f       files
		want    map[string]string
		broken  int
		ignored string
		dropped int64
	}{
		"clean":                        {files{"": one + two + three}, all, 0, "", 0},
		"with an error file":           {files{"": one + two + three, ".error": "junk"}, all, 0, "", 0},
		"later wins":                   {files{"": three + `{"key":"123","value":1}` + "\n" + three + one + two}, all, 0, "", 0},
		"empty":                        {files{"": ""}, map[string]string{}, 0, "", 0},
		"no last line end":             {files{"": one + two + strings.TrimSuffix(three, "\n")}, all, 0, "", 0},
		"torn, flag":                   {files{"": one + two + torn, ".truncate": count(ascii), ".truncate_flag": ""}, first, 0, "", int64(len(torn))},
		"whole but not durable, flag":  {files{"": one + two + three, ".truncate": count(ascii), ".truncate_flag": ""}, first, 0, "", int64(len(three))},
		"flag, nothing written yet":    {files{"": one + two, ".truncate": count(ascii), ".truncate_flag": ""}, first, 0, "", 0},
		"flag, cut to nothing":         {files{"": one + two, ".truncate": count(0), ".truncate_flag": ""}, map[string]string{}, 0, "", int64(ascii)},
		"torn, no flag":                {files{"": one + two + torn, ".truncate": count(ascii)}, first, 1, "x.db.truncate", 0},
		"rebuild begun":                {files{"": one + two + three, ".backup": one[:9]}, all, 0, "x.db.backup", 0},
		"rebuild interrupted":          {files{"": one[:9], ".backup": one + two + three, ".recover": ""}, all, 0, "", 0},
		"rebuild interrupted, no main": {files{".backup": one + two + three, ".recover": ""}, all, 0, "", 0},
		"both flags":                   {files{"": one[:9], ".backup": one + two + three, ".recover": "", ".truncate": count(ascii), ".truncate_flag": ""}, all, 0, "x.db.truncate x.db.truncate_flag", 0},
		"text of more bytes":           {files{"": umlaut + torn, ".truncate": count(uint64(len([]rune(umlaut)))), ".truncate_flag": ""}, map[string]string{`"ä😀"`: "1"}, 0, "", int64(len(torn))},
		"broken lines":                 {files{"": one + "junk\n\n" + `{"key":1}` + "\n" + `{"value":1}` + "\n[1]\n" + "{\"key\":\"\xff\",\"value\":1}\n" + two + three}, all, 6, "", 0},
	} {
		got, plan, broken, err := load(t, c.f)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !maps.Equal(got, c.want) || broken != c.broken || strings.Join(plan.Ignored, " ") != c.ignored || plan.Dropped != c.dropped {
			t.Errorf("%s: %v, %d broken, %+v", name, got, broken, plan)
		}
		if plan.NonASCII != (name == "text of more bytes") || plan.Restored != (c.f[".backup"] != "" && plan.File == "x.db.backup") {
			t.Errorf("%s: %+v", name, plan)
		}
	}
}

// TestRefused: what cannot be right is an error of its own.
func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		f    files
		kind *fault.Kind
	}{
		"nothing":                {files{}, fault.ErrNotFound},
		"flag without a backup":  {files{"": one, ".recover": ""}, fault.ErrCorrupt},
		"flag without a count":   {files{"": one, ".truncate_flag": ""}, fault.ErrCorrupt},
		"short count":            {files{"": one, ".truncate": count(3)[:15], ".truncate_flag": ""}, fault.ErrCorrupt},
		"long count":             {files{"": one, ".truncate": count(3) + "x", ".truncate_flag": ""}, fault.ErrCorrupt},
		"huge count":             {files{"": one, ".truncate": strings.Repeat("\xff", 16), ".truncate_flag": ""}, fault.ErrCorrupt},
		"more than there is":     {files{"": one, ".truncate": count(uint64(len(one)) + 1), ".truncate_flag": ""}, fault.ErrCorrupt},
		"negative when taken so": {files{"": one, ".truncate": count(1 << 63), ".truncate_flag": ""}, fault.ErrCorrupt},
	} {
		if _, _, _, err := load(t, c.f); !errors.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSameKeys: what that system takes for one key is one here, under its first
// spelling, and nothing else is.
func TestSameKeys(t *testing.T) {
	for _, same := range [][]string{
		{`1`, `1.0`, `true`, `1e0`, `10e-1`}, {`0`, `-0`, `-0.0`, `false`}, {`[1, 2]`, `[1,2.0]`, `[true,2]`}, {`{"a":1,"b":2}`, `{"b":2.0,"a":true}`},
		{`"é"`, `"\u00e9"`}, {`"\ud83d\ude00"`, `"😀"`, `"\uD83D\uDE00"`}, {`"\ud83d"`, `"\uD83d"`}, {`"\ufffd"`, `"�"`}, {`{"\udfff":1}`, `{"\uDFFF":true}`}, {`9007199254740993`}, {`9007199254740992`, `9007199254740992.0`}, {`1e400`, `1e500`}, {strings.Repeat("9", 1<<20)}, {`null`}, {`"1"`}, {`""`}, {`[]`}, {`{}`}, {`[[]]`}, {`0.1`, `1e-1`}, {`"true"`},
	} {
		lines := ""
		for _, key := range same {
			lines += `{"key":` + key + `,"value":` + `"` + strings.ReplaceAll(strings.ReplaceAll(key, `\`, `\\`), `"`, `\"`) + `"}` + "\n"
		}
		got, _, broken, err := load(t, files{"": lines + `{"key":"other","value":0}` + "\n"})
		check(t, err)
		first := strings.ReplaceAll(same[0], " ", "")
		if _, ok := got[first]; broken != 0 || len(got) != 2 || !ok {
			t.Errorf("%v: %v, %d broken", same, got, broken)
		}
	}
	var b strings.Builder
	keys := []string{`1`, `"1"`, `[1]`, `{"1":1}`, `null`, `"null"`, `1.5`, `0`, `""`, `[]`, `{}`, `[[1]]`, `-1`, `[1,1]`, `["1"]`, `9007199254740993`, `9007199254740992`,
		`"\ud83d"`, `"\ud83e"`, `"\ufffd"`, `"\udfff"`, `"\ude00\ud83d"`, `"\ud83d\ude00"`, `"\ufffd1d83d"`, `"\ufffd0"`, `["\ud83d"]`, `["\udfff"]`, `{"\ud83d":1}`, `{"\udfff":1}`, `"\\ud83d"`}
	for _, key := range keys {
		b.WriteString(`{"value":0,"key":` + key + "}\n")
	}
	if got, _, _, err := load(t, files{"": b.String()}); err != nil || len(got) != len(keys) {
		t.Errorf("%d keys of %d: %v", len(got), len(keys), err)
	}
}

// TestReadFails: a disk that cannot be read is no broken line and no end.
func TestReadFails(t *testing.T) {
	m := files{"": strings.Repeat(one, 30000), ".truncate": count(uint64(30000 * len(one))), ".truncate_flag": ""}.disk(t)
	failed := 0
	for n := 1; ; n++ {
		fsys := vfs.NewFail(m.Reopen(), vfs.When(vfs.OnKind(vfs.OpRead), vfs.Nth(n, fault.ErrIO)))
		s, err := OpenFS(fsys, "x.db")
		if err == nil {
			_, err = s.Check()
			check(t, s.Close())
		}
		if fsys.Injected() == 0 {
			check(t, err)
			break
		}
		if failed++; !errors.Is(err, fault.ErrIO) || Broken(err) {
			t.Fatalf("read %d: %v", n, err)
		}
	}
	if failed < 4 {
		t.Errorf("only %d reads", failed)
	}
}

// TestLongLine: a line without an end is not read into memory, and what stands behind a
// line that is too long counts.
func TestLongLine(t *testing.T) {
	for name, behind := range map[string]string{"no end": "", "an end": "\n" + three} {
		m := files{"": two}.disk(t)
		f, err := m.Open("x.db", vfs.ReadWrite)
		check(t, err)
		check(t, f.Truncate(maxLine+1<<20))
		_, err = f.WriteAt([]byte(behind), maxLine+1<<20)
		check(t, errors.Join(err, f.Close()))
		s, err := OpenFS(m, "x.db")
		check(t, err)
		if n, err := s.Check(); n != 1 || !errors.Is(err, fault.ErrCorrupt) {
			t.Errorf("%s: %d records, then %v", name, n, err)
		}
		var lines, broken []int
		cost.Within(t, 6*maxLine, func() { // a slice that grows
			for r, err := range s.Records() {
				if err == nil {
					lines = append(lines, r.Line)
				} else if broken = append(broken, r.Line); !Broken(err) {
					t.Error(err)
				}
			}
		})
		want := map[string][]int{"no end": {1}, "an end": {1, 3}}[name]
		if !slices.Equal(lines, want) || !slices.Equal(broken, []int{2}) {
			t.Errorf("%s: lines %v, broken %v", name, lines, broken)
		}
		check(t, s.Close())
	}
}

// TestShrinks: a file that gets shorter while it is read has not ended there.
func TestShrinks(t *testing.T) {
	m := files{"": strings.Repeat(one, 30000)}.disk(t)
	s, err := OpenFS(m, "x.db")
	check(t, err)
	f, err := m.Open("x.db", vfs.ReadWrite)
	check(t, err)
	check(t, errors.Join(f.Truncate(int64(20000*len(one))), f.Close()))
	if n, err := s.Check(); n != 20000 || !errors.Is(err, fault.ErrCorrupt) {
		t.Errorf("%d records, then %v", n, err)
	}
	check(t, s.Close())
}

// TestNoNumber: what that system writes for a number, and nobody else reads, is named, with
// its key; a word that only looks like it is not.
func TestNoNumber(t *testing.T) {
	for line, want := range map[string]string{
		`{"key":["a", 1],"value":[1,NaN]}`:                      `NaN, which JSON has no number for, under the key ["a",1]`,
		`{"key":"a","value":-Infinity}`:                         `-Infinity, which JSON has no number for, under the key "a"`,
		`{"key":"a","value":{"b":Infinity}}`:                    `Infinity, which JSON has no number for, under the key "a"`,
		`{"value":NaN,"key":"a"}`:                               `NaN, which JSON has no number for`,
		`{"key":NaN,"value":1}`:                                 `NaN, which JSON has no number for`,
		`{"key":"` + strings.Repeat("ä", 99) + `","value":NaN}`: `NaN, which JSON has no number for, under the key "` + strings.Repeat("ä", 49) + `...`,
		`{"key":"a","value":Nan}`:                               "",
		`{"key":"NaN","value":}`:                                "",
		`NaN`:                                                   `NaN, which JSON has no number for`,
	} {
		s, err := OpenFS(files{"": line + "\n" + three}.disk(t), "x.db")
		check(t, err)
		_, err = s.Check()
		e, ok := errors.AsType[*fault.Error](err)
		if !ok || !Broken(err) || (e.Err == fault.ErrIncompatible) != (want != "") || want != "" && e.Detail != want {
			t.Errorf("%s: %v", line, err)
		}
		check(t, s.Close())
	}
}
