package ptvp35

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"
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
// with an ErrCorrupt that names its offset; the loop may go on behind it. Any other
// error is the last pair. The sequence may be ranged again.
func (s *Source) Records() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		r := bufio.NewReaderSize(io.NewSectionReader(s.main, 0, s.plan.Valid), 1<<20)
		names := spellings{}
		off := int64(0)
		for line := 1; ; line++ {
			text, err := readLine(r)
			if errors.Is(err, io.EOF) && len(text) == 0 {
				return
			}
			if err != nil && !errors.Is(err, io.EOF) {
				yield(Record{}, s.placed(err, off))
				return
			}
			rec, err := s.record(text, off, names)
			rec.Line = line
			if !yield(rec, err) {
				return
			}
			off += int64(len(text))
		}
	}
}

// placed says where reading failed.
func (s *Source) placed(err error, off int64) error {
	if errors.Is(err, errLong) {
		return damage(s.plan.File, off, "a line of more than %d bytes", maxLine)
	}
	return err
}

var errLong = errors.New("line too long")

// readLine returns the next line with its end, if it has one.
func readLine(r *bufio.Reader) (line []byte, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > maxLine {
			return nil, errLong
		}
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// record reads one line.
func (s *Source) record(text []byte, off int64, names spellings) (Record, error) {
	if !utf8.Valid(text) {
		return Record{}, damage(s.plan.File, off, "a line that is not UTF-8")
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return Record{}, s.noObject(text, off, err)
	}
	key, value := compact(fields["key"]), compact(fields["value"])
	if key == nil || value == nil {
		return Record{}, damage(s.plan.File, off, "a line without key or value")
	}
	return Record{Key: names.first(key), Value: value}, nil
}

// noObject says why a line is no record. That system writes NaN and Infinity as such, which
// no other reader of JSON takes.
func (s *Source) noObject(text []byte, off int64, err error) error {
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		for _, word := range []string{"NaN", "Infinity"} {
			if at := int(e.Offset) - 1; at >= 0 && at < len(text) && bytes.HasPrefix(text[at:], []byte(word)) || at > 0 && bytes.HasPrefix(text[at-1:], []byte("-"+word)) {
				d := damage(s.plan.File, off, "a line with %s, which JSON has no number for", word)
				d.Hint = "nothing was imported; write something else in its place in that system, or leave the line out by salvaging"
				return d
			}
		}
	}
	return damage(s.plan.File, off, "a line that is not a JSON object: %v", err)
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
func Broken(err error) bool { return errors.Is(err, fault.ErrCorrupt) && !errors.Is(err, fault.ErrIO) }
