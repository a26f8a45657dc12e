package checkpoint

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/state"
)

// appendEntry appends the line of an entry.
func appendEntry(dst []byte, e state.Entry) []byte {
	from := len(dst)
	dst = batch.AppendJSONKey(dst, e.Key)
	dst[from] = '{' // where the comma before the first field stands
	dst = batch.AppendJSONValue(dst, e.Value)
	dst = strconv.AppendUint(append(dst, beginSeq...), uint64(e.Seq), 10)
	return append(dst, endEntry...)
}

// entryReader reads the lines of entries. The zero entryReader is ready.
type entryReader struct {
	image []byte // room, from here on
	line  []byte
	text  []byte
	again []byte
}

// block returns the entries that lines spell as they stand in an image, in bytes of
// their own; off is where in the text the line stands that an error is about.
func (r *entryReader) block(text []byte) (image []byte, off int, err error) {
	r.image = r.image[:0]
	for off < len(text) {
		n := bytes.IndexByte(text[off:], '\n') + 1
		e, err := r.entry(text[off : off+n])
		if err != nil {
			return nil, off, err
		}
		r.image = state.AppendEntry(r.image, e)
		off += n
	}
	return append(make([]byte, 0, len(r.image)), r.image...), off, nil
}

// entry returns the entry of a line, whose end it has, where the entry is spelled so
// again. It is valid until the next call.
func (r *entryReader) entry(line []byte) (e state.Entry, err error) {
	r.line = append(r.line[:0], line...)
	r.line[0] = ',' // as before any other field
	r.text = slices.Grow(r.text[:0], len(line))
	var op batch.Op
	rest, err := batch.ParseJSONPut(&op, r.line, r.text)
	if err != nil {
		return e, err
	}
	seq, ok := parseSeq(rest)
	e = state.Entry{Key: op.Key, Value: op.Value, Seq: seq}
	if r.again = appendEntry(r.again[:0], e); !ok || string(r.again) != string(line) {
		return e, damage("the line is not spelled as it should be")
	}
	return e, nil
}

// parseSeq reads what stands behind the value.
func parseSeq(rest []byte) (batch.Seq, bool) {
	digits, ok := bytes.CutSuffix(bytes.TrimPrefix(rest, []byte(beginSeq)), []byte(endEntry))
	n, err := strconv.ParseUint(string(digits), 10, 64)
	return batch.Seq(n), ok && err == nil
}
