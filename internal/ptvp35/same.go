package ptvp35

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// spellings holds the first spelling of each key, by what that system compares.
type spellings map[string][]byte

// first returns the spelling under which the key came first.
func (s spellings) first(key []byte) []byte {
	name := comparable(key)
	if was, ok := s[name]; ok {
		return was
	}
	s[name] = key
	return key
}

// comparable returns a text that two keys share where that system takes them for
// one: there true is 1 and 1.0 is 1, and the order of an object's names means
// nothing. The key is UTF-8, as all of a line is; the text is never shown.
func comparable(key []byte) string {
	d := json.NewDecoder(bytes.NewReader(halves(key)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil && !errors.Is(err, io.EOF) {
		return "?" + string(key) // too deep to be looked into
	}
	return string(appendComparable(nil, v))
}

func appendComparable(dst []byte, v any) []byte {
	switch v := v.(type) {
	case bool:
		if v {
			return append(dst, '1')
		}
		return append(dst, '0')
	case json.Number:
		return append(dst, number(v)...)
	case string:
		return strconv.AppendQuote(dst, v)
	case []any:
		return appendList(dst, v)
	case map[string]any:
		return appendObject(dst, v)
	}
	return append(dst, "null"...)
}

func appendList(dst []byte, v []any) []byte {
	dst = append(dst, '[')
	for _, e := range v {
		dst = append(appendComparable(dst, e), ',')
	}
	return append(dst, ']')
}

func appendObject(dst []byte, v map[string]any) []byte {
	names := make([]string, 0, len(v))
	for name := range v {
		names = append(names, name)
	}
	slices.Sort(names)
	dst = append(dst, '{')
	for _, name := range names {
		dst = append(strconv.AppendQuote(dst, name), ':')
		dst = append(appendComparable(dst, v[name]), ',')
	}
	return append(dst, '}')
}

// number spells a number that equal numbers share: whole ones exactly, others as
// the nearest float, as that system holds them.
func number(n json.Number) string {
	text := n.String()
	if text == "-0" {
		return "0"
	}
	if !strings.ContainsAny(text, ".eE") { // JSON has one spelling for each, however long
		return text
	}
	f, err := strconv.ParseFloat(text, 64)
	if err == nil {
		if i, exact := big.NewFloat(f).Int(nil); exact == big.Exact {
			return i.String()
		}
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}
