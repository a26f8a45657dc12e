package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vlogdb/vlog/fuzz/cost"
)

// readCost is what reading n bytes of an argument or a line may allocate, whatever they say.
func readCost(n int) int { return 256*n + 8<<20 }

// FuzzMoment reads any text as a moment: it is one batch, one time, or the message that
// says what a moment is; a time that is spelled out is the same moment.
func FuzzMoment(f *testing.F) {
	for _, text := range []string{"start", "end", "#7", "1042", "2026-11-22", "2026-11-22T00:50:00.5+05:30", "-1d2h", "-0s", "-106751d24h", ""} {
		f.Add(text)
	}
	now := time.Date(2026, 11, 22, 1, 30, 0, 0, time.FixedZone("there", 2*60*60))
	f.Fuzz(func(t *testing.T, text string) {
		var m moment
		var err error
		cost.Within(t, readCost(len(text)), func() { m, err = parseMoment(text, now) })
		if err != nil {
			if u, ok := errors.AsType[*usage](err); !ok || strings.ContainsAny(u.message, "\x1b\n\x00") || len(u.message) > 1000 {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		again := ""
		switch m.kind {
		case bySeq:
			again = "#" + strconv.FormatUint(m.seq, 10)
		case byTime:
			if strings.HasPrefix(text, "-") && m.time.After(now) {
				t.Fatalf("%q is %v, later than now", text, m.time)
			}
			again = m.time.Format(time.RFC3339Nano)
		default:
			return
		}
		if y := m.time.Year(); y < 0 || y > 9999 || m.time.Format(time.RFC3339) != m.time.UTC().In(m.time.Location()).Format(time.RFC3339) {
			return // a time that the format cannot spell
		}
		if got, err := parseMoment(again, now); err != nil || got.kind != m.kind || got.seq != m.seq || !got.time.Equal(m.time) {
			t.Fatalf("%q is %+v; spelled %q it is %+v, %v", text, m, again, got, err)
		}
	})
}

// FuzzChange reads any bytes as a line of changes: what is taken as a change is what package
// json reads there, and a change or a batch is the same when it is spelled in base64.
func FuzzChange(f *testing.F) {
	for _, line := range []string{
		`{"op":"put","key":"a","value":{"b":[1, 2]}}`, `{"op":"put","key":"a","value":"\ud83d\ude00"}`, `{"op":"put","key":"a","value":null}`, `{"op":"put","key_b64":"AP8=","value_b64":""}`,
		`{"op":"del","key":"\u0000"}`, `{"op":"del","key":"a","value":1}`, `{"op":"put","op":"del","key":"a"}`, `{"op":"put","key":"\ud800","value":1}`, `{"OP":"del","key":"a"}`, `{"op":"del","key":"a"} x`, `[]`,
		`{"seq":3,"time":"2026-01-02T03:04:05Z","writer":"00","n":7,"ops":[{"op":"put","tenant":"acme","k":"a","v":1e400},{"op":"del-range","k64":"/w==","end":"b"},{"op":"put","k":"a","t":"b"}],"chain":"00"}`, `{"seq":1,"ops":[[]]}`,
		`{"ops":[{"op":"put","space":"sys","k":"keep","v":{"batches":5}},{"op":"del-range","k":""}],"chain":"00"}`, ` { "ops" : [ ] } `, `{"ops":null,"seq":1}`, `{"op":"del","key":"a","seq":1}`,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var steps []step
		var err error
		cost.Within(t, readCost(len(line)), func() { steps, err = parseLine(line) })
		if err != nil {
			return
		}
		again := batchOf(steps)
		if s, err := oneChange(line); err == nil {
			plainChange(t, line, s)
			again = changeOf(s)
		}
		if got, err := parseLine([]byte(again)); err != nil || !slices.EqualFunc(got, steps, sameStep) {
			t.Fatalf("%q is %+v, %q is %+v, %v", line, steps, again, got, err)
		}
	})
}

func sameStep(a, b step) bool {
	return a.tenant == b.tenant && a.del == b.del && a.many == b.many && a.setting == b.setting && bytes.Equal(a.key, b.key) && bytes.Equal(a.value, b.value) && bytes.Equal(a.end, b.end) && (a.end == nil) == (b.end == nil)
}

func inB64(b []byte) string { return `"` + base64.StdEncoding.EncodeToString(b) + `"` }

// changeOf spells a change in base64.
func changeOf(s step) string {
	if s.del {
		return `{"op":"del","key_b64":` + inB64(s.key) + `}`
	}
	return `{"value_b64":` + inB64(s.value) + `,"op":"put","key_b64":` + inB64(s.key) + `}`
}

// batchOf spells a batch in base64, with its members in another order.
func batchOf(steps []step) string {
	var ops []string
	for _, s := range steps {
		tenant, _ := json.Marshal(s.tenant)
		op := `{"k64":` + inB64(s.key) + `,"tenant":` + string(tenant)
		switch {
		case s.setting:
			op = `{"space":"sys"`
		case s.del:
			op += `,"op":"del"`
		case s.end != nil:
			op += `,"op":"del-range","end64":` + inB64(s.end)
		case s.many:
			op += `,"op":"del-range"`
		default:
			op += `,"op":"put","b64":` + inB64(s.value)
		}
		ops = append(ops, op+"}")
	}
	return `{"ops":[` + strings.Join(ops, ",") + `],"seq":1}`
}

// errBatch is what oneChange says of a batch.
var errBatch = errors.New("a batch")

// oneChange reads a line that is one change.
func oneChange(line []byte) (step, error) {
	some, err := parseLine(line)
	if err != nil {
		return step{}, err
	}
	f, err := fieldsOf(line, allNames)
	if err != nil || f["ops"] != nil {
		return step{}, errBatch
	}
	return some[0], nil
}

// plainChange compares a change with what package json reads in its line.
func plainChange(t *testing.T, line []byte, s step) {
	var says struct {
		Op    string
		Key   *string
		Value *json.RawMessage
	}
	if err := json.Unmarshal(line, &says); err != nil {
		t.Fatalf("%q is taken: %v", line, err)
	}
	if says.Op != map[bool]string{true: "del", false: "put"}[s.del] || says.Key != nil && *says.Key != string(s.key) {
		t.Fatalf("%q is %+v", line, s)
	}
	if says.Value == nil || (*says.Value)[0] == '"' {
		return
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, *says.Value); err != nil || compact.String() != string(s.value) {
		t.Fatalf("%q has the value %q", line, s.value)
	}
}
