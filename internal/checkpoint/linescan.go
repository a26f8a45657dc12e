package checkpoint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/wal"
)

// Limits of lines, in bytes. Spelling a text takes at most three bytes for one (é is
// \u00e9), base64 less. A whole entry has its fields besides, and takes at most ten
// times what it takes in memory: the shortest there is has 6 bytes, and 57 in
// its line.
const (
	maxMark = 4 << 10                   // a header, a block line, a footer
	maxLine = 3*batch.MaxRecord + 1<<10 // an entry
	maxText = 10 * BlockSize            // the lines of a block, where they are several

	// longLine is how far a line is read without a look for zero bytes. Files have any
	// number of them that no disk has; they are not to be read into memory.
	longLine = 64 << 10
)

// lineReader reads what lines spells.
type lineReader struct {
	*source
	want  lines
	from  entryReader
	count uint64 // entries so far
	last  []byte // the footer, once it was met
	buf   []byte // what was read and is not forgotten
	off   int64  // of buf in the file
	end   int    // of the last line in buf
}

// header implements reading.
func (r *lineReader) header() (Header, error) {
	line, err := r.line(maxMark)
	if err != nil {
		return Header{}, err
	}
	h, err := parseHeader(line)
	if err != nil {
		return h, err
	}
	r.want = lines{newSummer(wal.NDJSON, h)}
	if string(r.want.header()) != string(line) {
		return h, damage("checkpoint header does not match its checksum")
	}
	return h, nil
}

// parseHeader returns what a header line says; that it is spelled so, sum and all,
// the caller has to see.
func parseHeader(line []byte) (h Header, err error) {
	var is struct {
		Vlog   string `json:"vlog"`
		Format uint64 `json:"format"`
	}
	if json.Unmarshal(line, &is) != nil || is.Vlog != "checkpoint" {
		return h, damage("not a checkpoint: the first line is no header")
	}
	if is.Format != formatVersion {
		return h, lineVersion(line, is.Format)
	}
	var says struct {
		Store Hex       `json:"store"`
		Seq   batch.Seq `json:"seq"`
		Chain Hex       `json:"chain"`
		Time  time.Time `json:"time"`
	}
	if err := json.Unmarshal(line, &says); err != nil {
		return h, damage("checkpoint header cannot be read: %v", err)
	}
	copy(h.Store[:], says.Store)
	copy(h.At.Chain[:], says.Chain)
	h.At.Seq, h.At.Time = says.Seq, says.Time.UnixNano()
	return h, nil
}

// lineVersion tells a future format from a damaged version, as headerVersion does.
func lineVersion(line []byte, v uint64) error {
	is, was := fmt.Appendf(nil, "%s%d,", beginHeader, v), fmt.Appendf(nil, "%s%d,", beginHeader, formatVersion)
	if summed(bytes.Replace(line, is, was, 1)) {
		return damage("checkpoint header does not match its checksum")
	}
	return future(v)
}

// block implements reading: the lines of the entries of a block.
func (r *lineReader) block() ([]byte, error) {
	r.forget()
	for n := uint64(0); ; n++ {
		from := r.end
		line, err := r.line(maxLine)
		switch {
		case err != nil:
			return nil, err
		case bytes.HasPrefix(line, []byte(beginBlock)):
			return r.closed(r.buf[:from], line, n)
		case n == 0 && bytes.HasPrefix(line, []byte(beginFooter)):
			r.last = line
			return nil, nil
		case n > 0 && r.end > maxText:
			return nil, damage("no end of the block after %d bytes", r.end)
		}
	}
}

// closed returns the text of a block that a line closes.
func (r *lineReader) closed(text, line []byte, entries uint64) ([]byte, error) {
	if entries == 0 {
		return nil, damage("a block without entries")
	}
	r.count += entries
	if string(r.want.mark(text, entries)) != string(line) {
		return nil, damage("block does not match its checksum")
	}
	return text, nil
}

// entries implements reading.
func (r *lineReader) entries(text []byte) ([]byte, error) {
	image, off, err := r.from.block(text)
	return image, at(err, r.name, r.at+int64(off))
}

// footer implements reading.
func (r *lineReader) footer() (Summary, error) {
	if string(r.want.footer(r.count)) != string(r.last) {
		return Summary{}, damage("footer does not match the blocks")
	}
	return r.want.sum, r.over(r.off + int64(r.end))
}

// forget lets go of the lines so far: the next one begins a part.
func (r *lineReader) forget() {
	r.off += int64(r.end)
	r.buf = r.buf[:copy(r.buf, r.buf[r.end:])]
	r.end, r.at = 0, r.off
}

// line returns the next line, with its end. It lies in buf until that is forgotten.
func (r *lineReader) line(most int64) ([]byte, error) {
	from, seen := r.end, r.end
	for {
		if i := bytes.IndexByte(r.buf[seen:], '\n'); i >= 0 {
			r.end = seen + i + 1
			break
		}
		if len(r.buf)-from > longLine && bytes.IndexByte(r.buf[seen:], 0) >= 0 {
			return nil, at(damage("a zero byte in a line"), r.name, r.off+int64(from))
		}
		if seen = len(r.buf); int64(seen-from) > most {
			break
		}
		if err := r.more(); err != nil {
			return nil, err
		}
	}
	if int64(max(r.end, seen)-from) > most {
		return nil, at(damage("a line of more than %d bytes", most), r.name, r.off+int64(from))
	}
	return r.buf[from:r.end], nil
}

// more reads on behind buf. Where the file ends, the header, block or footer that is
// being read has no end: some line of it may have been damaged.
func (r *lineReader) more() error {
	n := len(r.buf)
	off := r.off + int64(n)
	more := min(flushSize, r.size-off)
	if more <= 0 {
		return at(damage("what begins here has no end"), r.name, r.at)
	}
	r.buf = slices.Grow(r.buf, int(more))[:n+int(more)]
	return r.read(r.buf[n:], off)
}
