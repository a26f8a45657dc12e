package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/engine"
)

// endless gives the same text again and again, and counts what was taken. It ends
// where nobody should have come, so that a fault here does not fill the memory.
type endless struct {
	text  string
	taken int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.taken > 3*maxChanges {
		return 0, io.ErrNoProgress
	}
	n := 0
	for n < len(p) {
		n += copy(p[n:], e.text[(e.taken+n)%len(e.text):])
	}
	e.taken += n
	return n, nil
}

func readerOf(in io.Reader) *changeReader { return &changeReader{in: bufio.NewReader(in)} }

// TestEndless: input without an end is refused before it fills the memory.
func TestEndless(t *testing.T) {
	const most = maxChanges + 1<<20
	line := &endless{text: "x"}
	_, err := readerOf(line).next(t.Context(), 1)
	if _, ok := errors.AsType[*badLine](err); !ok || line.taken > most {
		t.Errorf("one line: %v, %d bytes taken", err, line.taken)
	}
	const padding = 1 << 20
	lines := &endless{text: `{"op":"put","key":"k","value":"` + strings.Repeat("v", padding) + `"}` + "\n"}
	_, err = readerOf(lines).next(t.Context(), 0)
	e, ok := errors.AsType[*engine.Error](err)
	if !ok || e.Err != engine.ErrTooLarge || !strings.Contains(e.Hint, "--batch") || lines.taken > most+padding {
		t.Errorf("one transaction: %v, %d bytes taken", err, lines.taken)
	}
	value := &endless{text: "v"}
	if _, err := bounded(value); !errors.Is(err, engine.ErrTooLarge) || value.taken > 2*maxChanges {
		t.Errorf("a value: %v, %d bytes taken", err, value.taken)
	}
	b, err := bounded(io.LimitReader(&endless{text: "v"}, maxChanges))
	if err != nil || len(b) != maxChanges {
		t.Errorf("the largest value: %d bytes, %v", len(b), err)
	}
}

// TestLines: blank lines are counted and left out, a last line needs no newline, and
// a byte order mark is no part of the text.
func TestLines(t *testing.T) {
	const text = byteOrderMark + "{\"op\":\"del\",\"key\":\"a\"}\r\n\r\n \n{\"op\":\"del\",\"key\":\"b\"}"
	r := readerOf(strings.NewReader(text))
	steps, err := r.next(t.Context(), 0)
	if err != nil || len(steps) != 2 || string(steps[0].key) != "a" || string(steps[1].key) != "b" || steps[0].line != 1 || steps[1].line != 4 {
		t.Fatalf("%v %v", steps, err)
	}
	if steps, err := r.next(t.Context(), 0); len(steps) != 0 || err != io.EOF {
		t.Errorf("behind the end: %v %v", steps, err)
	}
	_, err = readerOf(strings.NewReader("{\"op\":\"del\",\"key\":\"a\"}\n"+byteOrderMark+"{}")).next(t.Context(), 0)
	if b, ok := errors.AsType[*badLine](err); !ok || b.line != 2 {
		t.Errorf("a mark in the middle: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := readerOf(strings.NewReader(text)).next(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// TestNoChange: lines without a change end nothing, and a setting is left out and told.
func TestNoChange(t *testing.T) {
	const text = `{"ops":[],"seq":1}` + "\n\n" + `{"ops":[{"op":"put","space":"sys","k":"keep","v":{"batches":5}}]}` + "\n" + `{"op":"del","key":"a"}` + "\n\n"
	for _, n := range []int{1, 2, 3, 0} {
		r := readerOf(strings.NewReader(text))
		var got []step
		var err error
		for steps := []step(nil); err == nil; steps, err = r.next(t.Context(), n) {
			got = append(got, steps...)
		}
		if err != io.EOF || len(got) != 1 || got[0].line != 4 || len(r.settings) != 1 || r.settings[0] != 3 {
			t.Errorf("--batch %d: %+v, %v, settings %v", n, got, err, r.settings)
		}
	}
}

// TestLongBatch: a batch may take a longer line than a change, for it spells a byte with
// up to six.
func TestLongBatch(t *testing.T) {
	for head, good := range map[string]bool{` {"seq":1`: true, byteOrderMark + `{ "chain":"00"`: true, `{"op":"put"`: false, `{"value":"seq"`: false, "[": false} {
		line := head + strings.Repeat(" ", maxChanges)
		text, err := readerOf(strings.NewReader(line)).readLine()
		if (err == nil) != good || good && len(text) < maxChanges {
			t.Errorf("%s: %d bytes, %v", head, len(text), err)
		}
	}
}

// TestStopped: what of the input is on disk is told, and nothing that is not known.
func TestStopped(t *testing.T) {
	cause := &engine.Error{Err: engine.ErrNoSpace}
	equal(t, "first", (&stopped{applying{}, cause}).rest(), "nothing was written")
	later := &stopped{applying{last: applied{2, 5}, line: 10}, cause}
	equal(t, "later", later.rest(), "all up to line 10 is on disk, nothing behind it")
	f := failureOf(later)
	equal(t, "code", f.code, "NO_SPACE")
	equal(t, "message", f.message, "no space left; all up to line 10 is on disk, nothing behind it")
	equal(t, "lines", f.details["applied_lines"], any(10))
	unknown := &stopped{applying{line: 10}, &engine.Error{Err: engine.ErrAmbiguous}}
	equal(t, "unknown", unknown.rest(), "all up to line 10 is on disk, nobody knows how much behind it")
}

// TestTooLarge: the hint is about what was too large, and never about the Go API.
func TestTooLarge(t *testing.T) {
	db, err := engine.OpenMemory(t.Context(), engine.Options{MaxBatch: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	key, big := strings.Repeat("k", 32<<10+1), strings.Repeat("v", 1<<20)
	for want, steps := range map[string][]step{
		"line 7: ": {{line: 7, key: []byte(key)}},
		"too larg": {{line: 1, key: []byte("a"), value: []byte(big[1:])}, {line: 2, key: []byte("b"), value: []byte(big[1:])}},
		"line 3: ": {{line: 3, key: []byte("k"), value: []byte(big)}},
	} {
		_, err := applySteps(t.Context(), db.Scope, steps)
		if !errors.Is(err, engine.ErrTooLarge) || !strings.HasPrefix(err.Error(), want) {
			t.Fatalf("%v", err)
		}
		f := failureOf(err)
		f.explain(err, "apply", "s")
		hint := map[string]string{"line 7: ": "a key takes", "too larg": "give --batch", "line 3: ": "key and value"}[want]
		if !strings.HasPrefix(f.hint, hint) || strings.Contains(f.hint, "Options") {
			t.Errorf("%v: hint %q", err, f.hint)
		}
	}
	_, err = engine.OpenMemory(t.Context(), engine.Options{Documentation: strings.Repeat("d", 256<<10+1)})
	f := failureOf(err)
	f.explain(err, "init", "s")
	equal(t, "documentation", f.hint, "give a shorter --doc")
}
