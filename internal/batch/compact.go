package batch

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode"
	"unicode/utf16"
)

// compactDepth is how deep a value may be nested that is spelled verbatim, an object
// counting as two: jq ends at 256, counts so, and a line has five around the value.
const compactDepth = 200

// isCompact reports whether a value is spelled verbatim: one JSON value of ASCII
// alone, without white space between its parts, without an object that has a name
// twice and without half a surrogate pair, nested no deeper than compactDepth. The rule is part of the format.
func isCompact(p []byte) bool {
	s := scanner{p: p}
	return s.value(0) && s.i == len(p)
}

// scanner walks JSON. Each method goes over what it is named for and reports
// whether that stood there.
type scanner struct {
	p []byte
	i int
}

func (s *scanner) next(c byte) bool {
	if s.i < len(s.p) && s.p[s.i] == c {
		s.i++
		return true
	}
	return false
}

func (s *scanner) value(depth int) bool {
	if s.i >= len(s.p) || depth > compactDepth {
		return false
	}
	switch c := s.p[s.i]; c {
	case '{':
		return s.object(depth)
	case '[':
		return s.array(depth)
	case '"':
		return s.text()
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	}
	return s.number()
}

func (s *scanner) word(w string) bool {
	if len(s.p)-s.i < len(w) || string(s.p[s.i:s.i+len(w)]) != w {
		return false
	}
	s.i += len(w)
	return true
}

func (s *scanner) array(depth int) bool {
	s.i++
	if s.next(']') {
		return true
	}
	for s.value(depth + 1) {
		if s.next(']') {
			return true
		}
		if !s.next(',') {
			return false
		}
	}
	return false
}

func (s *scanner) object(depth int) bool {
	s.i++
	if s.next('}') {
		return true
	}
	var seen names
	for {
		from := s.i
		if !s.text() || !seen.add(s.p[from:s.i]) || !s.next(':') || !s.value(depth+2) {
			return false
		}
		if s.next('}') {
			return true
		}
		if !s.next(',') {
			return false
		}
	}
}

// text goes over a string of printable ASCII and escapes.
func (s *scanner) text() bool {
	if !s.next('"') {
		return false
	}
	for s.i < len(s.p) {
		c := s.p[s.i]
		s.i++
		switch {
		case c == '"':
			return true
		case c == '\\':
			if !s.escape() {
				return false
			}
		case c < ' ' || c >= 0x7f:
			return false
		}
	}
	return false
}

func (s *scanner) escape() bool {
	if s.i >= len(s.p) {
		return false
	}
	c := s.p[s.i]
	s.i++
	switch c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
		return s.unicode()
	}
	return false
}

// unicode goes over the digits of an escape, and over the second escape of a pair. Half
// of a pair is no text: jq refuses a line in which one stands.
func (s *scanner) unicode() bool {
	r, ok := s.four()
	if !utf16.IsSurrogate(r) {
		return ok
	}
	if !s.word(`\u`) {
		return false
	}
	low, ok := s.four()
	return ok && utf16.DecodeRune(r, low) != unicode.ReplacementChar
}

// four goes over four hexadecimal digits.
func (s *scanner) four() (rune, bool) {
	if len(s.p)-s.i < 4 {
		return 0, false
	}
	v, err := strconv.ParseUint(string(s.p[s.i:s.i+4]), 16, 16)
	s.i += 4
	return rune(v), err == nil
}

func (s *scanner) number() bool {
	s.next('-')
	if !s.next('0') && !s.digits() {
		return false
	}
	if s.next('.') && !s.digits() {
		return false
	}
	if s.next('e') || s.next('E') {
		if !s.next('+') {
			s.next('-')
		}
		return s.digits()
	}
	return true
}

func (s *scanner) digits() bool {
	from := s.i
	for s.i < len(s.p) && s.p[s.i] >= '0' && s.p[s.i] <= '9' {
		s.i++
	}
	return s.i > from
}

// fewNames is how many names are compared one by one.
const fewNames = 16

// names are those of one object.
type names struct {
	n    int
	few  [fewNames][]byte
	many map[string]bool
}

// add takes a name as it is spelled; false where the object has it already.
func (n *names) add(spelled []byte) bool {
	name := spelled[1 : len(spelled)-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		var text string
		if json.Unmarshal(spelled, &text) != nil {
			return false
		}
		name = []byte(text)
	}
	if n.n < fewNames {
		for _, f := range n.few[:n.n] {
			if string(f) == string(name) {
				return false
			}
		}
		n.few[n.n] = name
		n.n++
		return true
	}
	return n.addMany(string(name))
}

func (n *names) addMany(name string) bool {
	if n.many == nil {
		n.many = map[string]bool{}
		for _, f := range n.few {
			n.many[string(f)] = true
		}
	}
	if n.many[name] {
		return false
	}
	n.many[name] = true
	return true
}
