package ptvp35

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"strings"
	"unicode/utf8"

	"github.com/vlogdb/vlog/internal/fault"
)

// Record is one line: a key and its value, each compact JSON. The first spelling of
// a key stays: where that system takes two keys for one (1, 1.0 and true), so does
// this. The bytes are the caller's.
type Record struct {
	Key   []byte
	Value []byte
	Line  int // from 1
}

// maxLine bounds a line, in bytes.
const maxLine = 64 << 20

// Records yields the lines that count, in order. A line that is no record is a pair
// with an error that names its offset, ErrCorrupt, or ErrIncompatible where it holds what
// no store of ours can; the loop may go on behind it, see Broken. Any other error is the
// last pair. The sequence may be ranged again.
func (s *Source) Records() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		r := bufio.NewReaderSize(io.NewSectionReader(s.main, 0, s.plan.Valid), 1<<20)
		names := spellings{}
		off := int64(0)
		for line := 1; ; line++ {
			text, n, err := readLine(r)
			if n == 0 && errors.Is(err, io.EOF) {
				if off < s.plan.Valid {
					yield(Record{Line: line}, damage(s.plan.File, off, "ends here, and had %d bytes that count as it was opened", s.plan.Valid))
				}
				return
			}
			if err != nil && !errors.Is(err, io.EOF) {
				yield(Record{}, err)
				return
			}
			rec, err := s.record(text, n, placed{off, names})
			rec.Line = line
			if !yield(rec, err) {
				return
			}
			off += n
		}
	}
}

// placed is where a line stands, and the spellings of the keys before it.
type placed struct {
	off   int64
	names spellings
}

// readLine returns the next line with its end, if it has one, and how long it is. One of
// more than maxLine is gone through, and none of it returned.
func readLine(r *bufio.Reader) (line []byte, n int64, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if n += int64(len(part)); n <= maxLine {
			line = append(line, part...)
		} else {
			line = nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, n, err
		}
	}
}

// record reads one line of n bytes.
func (s *Source) record(text []byte, n int64, at placed) (Record, error) {
	if n > maxLine {
		return Record{}, damage(s.plan.File, at.off, "a line of %d bytes, of which %d are read", n, maxLine)
	}
	if !utf8.Valid(text) {
		return Record{}, damage(s.plan.File, at.off, "a line that is not UTF-8")
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return Record{}, s.noObject(text, at.off, err)
	}
	key, value := compact(fields["key"]), compact(fields["value"])
	if key == nil || value == nil {
		return Record{}, damage(s.plan.File, at.off, "a line without key or value")
	}
	return Record{Key: at.names.first(key), Value: value}, nil
}

// noObject says why a line is no record.
func (s *Source) noObject(text []byte, off int64, err error) error {
	d := damage(s.plan.File, off, "a line that is not a JSON object: %v", err)
	if word := noNumber(text, err); word != "" {
		d.Err, d.Detail = fault.ErrIncompatible, word+", which JSON has no number for"
		if key := keyOf(text); key != nil {
			d.Detail += ", under the key " + brief(key)
		}
		d.Hint = "nothing was imported; write something else in its place in that system, or leave the line out by salvaging"
	}
	return d
}

// noNumber returns the word at which reading JSON ended, where it is one that the other
// system writes for a number that no other reader of JSON takes.
func noNumber(text []byte, err error) string {
	e, ok := errors.AsType[*json.SyntaxError](err)
	if !ok {
		return ""
	}
	rest := text[max(0, min(int(e.Offset)-1, len(text))):]
	if at := len(text) - len(rest); at > 0 && text[at-1] == '-' {
		rest = text[at-1:]
	}
	for _, word := range []string{"NaN", "Infinity", "-Infinity"} {
		if bytes.HasPrefix(rest, []byte(word)) {
			return word
		}
	}
	return ""
}

// keyOf returns the key of a line whose value is none of JSON; nil where the key does not
// come first.
func keyOf(text []byte) []byte {
	dec := json.NewDecoder(bytes.NewReader(text))
	for _, want := range []json.Token{json.Delim('{'), "key"} {
		if t, err := dec.Token(); err != nil || t != want {
			return nil
		}
	}
	var key json.RawMessage
	if dec.Decode(&key) != nil {
		return nil
	}
	return compact(key)
}

// brief returns the beginning of a key for a message.
func brief(key []byte) string {
	const most = 100
	if len(key) <= most {
		return string(key)
	}
	return strings.ToValidUTF8(string(key[:most]), "") + "..."
}

// compact returns JSON without white space between its parts; nil stays nil.
func compact(raw json.RawMessage) []byte {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return nil
	}
	return b.Bytes()
}

// Check reads everything and returns the first line that is no record; nil where
// all are. It returns how many records there are.
func (s *Source) Check() (records int, err error) {
	for _, err := range s.Records() {
		if err != nil {
			return records, err
		}
		records++
	}
	return records, nil
}

// Broken reports whether an error of Records is about one line: reading may go on
// behind it.
func Broken(err error) bool {
	return (errors.Is(err, fault.ErrCorrupt) || errors.Is(err, fault.ErrIncompatible)) && !errors.Is(err, fault.ErrIO)
}
