package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// step is one change, read and checked.
type step struct {
	line            int
	tenant          string // empty: that of the command
	key, value, end []byte
	del, many       bool // many: from key to end, or where that is nil to the tenant's end
	setting         bool // of the store that was dumped: nothing that a change can make
}

// names are those that a change has.
var names = []string{"op", "key", "key_b64", "value", "value_b64"}

// parseLine reads one line: a change, or a batch as dump and rescue print it, in
// whichever order the members stand.
func parseLine(text []byte) ([]step, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("not UTF-8; give other bytes as key_b64 and value_b64")
	}
	f, err := fieldsOf(text, allNames)
	if err != nil {
		return nil, err
	}
	if f["ops"] != nil || f["seq"] != nil {
		return parseBatch(f)
	}
	s, err := parseChange(f)
	return []step{s}, err
}

// parseChange reads the members of one line of changes.ndjson. A value that is a JSON
// string is stored as its text, any other JSON value as it is written, compact.
func parseChange(f fields) (s step, err error) {
	if err := f.only(names); err != nil {
		return s, err
	}
	op, err := f.text("op")
	if err != nil {
		return s, err
	}
	if s.key, err = f.bytes("key"); err != nil {
		return s, err
	}
	switch op {
	case "put":
		s.value, err = f.value()
	case "del":
		if s.del = true; f["value"] != nil || f["value_b64"] != nil {
			err = errors.New("a del has no value")
		}
	default:
		err = fmt.Errorf("op is put or del, not %q", brief(op))
	}
	return s, err
}

// allNames are those that a line may have.
var allNames = slices.Concat(names, batchNames)

// fields are the members of a line, as they are written.
type fields map[string]json.RawMessage

// fieldsOf takes a line apart. Package json alone would take names in any case and
// the last of two that are the same: what was meant would be a guess.
func fieldsOf(text []byte, may []string) (fields, error) {
	var whole json.RawMessage
	if err := json.Unmarshal(text, &whole); err != nil {
		return nil, fmt.Errorf("not one JSON value: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(whole))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	f := fields{}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, err
		}
		if !slices.Contains(may, name.(string)) { // in an object a name comes here
			return nil, fmt.Errorf("unknown field %q", brief(name.(string)))
		}
		if err := f.read(dec, name.(string)); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// only refuses members that have no place where these may stand.
func (f fields) only(may []string) error {
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if !slices.Contains(may, name) {
			return fmt.Errorf("unknown field %q", name)
		}
	}
	return nil
}

func (f fields) read(dec *json.Decoder, name string) error {
	if f[name] != nil {
		return fmt.Errorf("%s stands twice", name)
	}
	var raw json.RawMessage
	err := dec.Decode(&raw)
	f[name] = raw
	return err
}

// text returns a field that is a string.
func (f fields) text(name string) (string, error) {
	raw := f[name]
	switch {
	case raw == nil:
		return "", fmt.Errorf("%s is missing", name)
	case raw[0] != '"':
		return "", fmt.Errorf("%s is a string, not %s", name, brief(string(raw)))
	case halved(raw):
		return "", fmt.Errorf("half of a surrogate pair in %s; give other bytes as %s_b64", name, name)
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err
}

// bytes returns a field given as text or in base64, exactly one of the two.
func (f fields) bytes(name string) ([]byte, error) {
	if (f[name] == nil) == (f[name+"_b64"] == nil) {
		return nil, fmt.Errorf("give %s or %s_b64", name, name)
	}
	if f[name] != nil {
		s, err := f.text(name)
		return []byte(s), err
	}
	s, err := f.text(name + "_b64")
	if err != nil {
		return nil, err
	}
	b, err := fromB64(s)
	if err != nil {
		return nil, fmt.Errorf("%s_b64: %w", name, err)
	}
	return b, nil
}

func (f fields) value() ([]byte, error) {
	raw := f["value"]
	if raw == nil || raw[0] == '"' || f["value_b64"] != nil {
		return f.bytes("value")
	}
	var b bytes.Buffer
	err := json.Compact(&b, raw)
	return b.Bytes(), err
}

// fromB64 reads standard base64 in its one spelling; package base64 would skip
// line ends and stray bits.
func fromB64(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, errors.New("a line end in base64")
	}
	return base64.StdEncoding.Strict().DecodeString(s)
}

// halved says whether a JSON string has an escape such as \ud800 that stands for no
// character: decoding would put another one in its place.
func halved(raw []byte) bool {
	for i := bytes.IndexByte(raw, '\\'); i >= 0 && i+1 < len(raw); {
		unit, n := unitAt(raw[i:])
		if utf16.IsSurrogate(unit) {
			second, m := unitAt(raw[i+n:])
			if utf16.DecodeRune(unit, second) == utf8.RuneError {
				return true
			}
			n += m
		}
		next := bytes.IndexByte(raw[i+n:], '\\')
		if next < 0 {
			return false
		}
		i += n + next
	}
	return false
}

// unitAt returns the UTF-16 unit that an escape at the beginning of raw stands for,
// 0 for another one, and how long it is.
func unitAt(raw []byte) (rune, int) {
	if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
		return 0, min(2, len(raw))
	}
	n, err := strconv.ParseUint(string(raw[2:6]), 16, 16)
	if err != nil {
		return 0, 2
	}
	return rune(n), 6
}
