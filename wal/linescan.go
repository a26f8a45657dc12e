package wal

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
)

// Limits of lines, in bytes.
const (
	maxHeaderLine = 4 << 10
	maxLine       = batch.MaxRecord + lineHead
)

func (l lines) readHeader(w *window) (h Header, size int64, err error) {
	line, err := w.line(0, maxHeaderLine)
	if err != nil {
		return h, 0, err
	}
	body, sum, ok := cutSum(line)
	if !ok || !bytes.HasPrefix(line, []byte(lineHeader)) {
		return h, 0, damage("not a segment: the first line is no header")
	}
	f := fields{p: body}
	f.lit(lineHeader)
	if v := f.uint(); !f.bad && v != formatVersion {
		return h, 0, lineVersion(body, sum, v)
	}
	if sum != batch.Sum(body) {
		return h, 0, damage("segment header does not match its checksum")
	}
	f.hex(`,"store":"`, h.Store[:])
	var epoch [8]byte
	f.hex(`","epoch":"`, epoch[:])
	for _, c := range epoch {
		h.Epoch = h.Epoch<<8 | uint64(c)
	}
	f.lit(`","first":`)
	h.First = Seq(f.uint())
	f.hex(`,"prev":"`, h.Chain[:])
	f.lit(`","created":"`)
	h.Created = f.time()
	if f.bad || string(l.header(&h)) != string(line) {
		return h, 0, damage("segment header is not spelled as it should be")
	}
	return h, int64(len(line)), nil
}

// lineVersion tells a future format from a damaged version, as headerVersion does.
func lineVersion(body []byte, sum uint32, v uint64) error {
	is, was := fmt.Appendf(nil, "%s%d,", lineHeader, v), fmt.Appendf(nil, "%s%d,", lineHeader, formatVersion)
	if sum == batch.Sum(bytes.Replace(body, is, was, 1)) {
		return damage("segment header does not match its checksum")
	}
	return &fault.Error{Err: fault.ErrIncompatible, Detail: fmt.Sprintf("segment format %d, this version knows %d", v, formatVersion)}
}

// cutSum splits a line, with its end, into what its sum covers and the sum.
func cutSum(line []byte) (body []byte, sum uint32, ok bool) {
	n := len(line) - sumSize
	if n < 0 {
		return nil, 0, false
	}
	f := fields{p: line[n:]}
	var b [4]byte
	f.hex(lineSum, b[:])
	f.lit(lineEnd)
	return line[:n], uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3]), !f.bad
}

// find looks at the line behind r.pos.
func (lines) find(r *reader) (f frame, off int64, err error) {
	off = r.pos
	line, err := r.win.line(off, maxLine)
	if err != nil {
		return f, off, err
	}
	if line == nil {
		f.why = "no whole line"
		return f, off, nil
	}
	return decodeLine(line, spot{r.salt, off}, &r.again), off, nil
}

// decodeLine reads the head of a line that stands at a spot, and checks all of it
// but for the text of a batch. again is room to spell it again in.
func decodeLine(line []byte, at spot, again *[]byte) (f frame) {
	f.size = int64(len(line))
	body, sum, ok := cutSum(line)
	if !ok || sum != lineSumOf(body, at) {
		f.why = "the line does not match its checksum"
		return f
	}
	p := fields{p: body}
	switch {
	case p.lit(lineBatch):
		p.batch(&f)
	case p.lit(lineSeal):
		p.seal(&f)
	default: // what checks out was written so: it comes from the future
		return f
	}
	if !p.bad {
		*again = spellAgain((*again)[:0], &f, at)
	}
	if p.bad || string(*again) != string(line) {
		f.why = "the line is not spelled as it should be"
	}
	return f
}

// spellAgain appends a frame as its line is spelled.
func spellAgain(dst []byte, f *frame, at spot) []byte {
	if f.kind == kindSeal {
		return appendSealLine(dst, f, at)
	}
	return appendLine(dst, f, at)
}

// body returns the payload that a line spells. Whether it is spelled as we do is
// seen by spelling it again.
func (lines) body(r *reader, f *frame, _ int64) (payload []byte, why string, err error) {
	if f.kind == kindSeal {
		return sealPayload(f.count, f.chain), "", nil
	}
	flags, payload, err := parsePayload(r.room[:0], f.text)
	if fault.KindOf(err) == fault.ErrIncompatible {
		return nil, "", err
	}
	if err != nil {
		return nil, "the batch of this line cannot be read: " + err.Error(), nil
	}
	r.room = payload
	f.flags |= byte(flags)
	if r.again = appendPayload(r.again[:0], flags, payload); string(r.again) != string(f.text) {
		return nil, "the batch of this line is not spelled as it should be", nil
	}
	return payload, "", f.known()
}

// parsePayload appends the payload that a text spells.
func parsePayload(dst, text []byte) (flags batch.Flags, payload []byte, err error) {
	p := fields{p: text}
	switch {
	case p.lit(`"ref":"`):
		return parseRef(dst, p)
	case p.lit(`"flags":`):
		return parseRaw(dst, p)
	}
	var b batch.Batch
	if err := batch.ParseJSON(&b, text); err != nil {
		return 0, nil, err
	}
	payload, err = batch.Append(dst, &b)
	return 0, payload, err
}

func parseRef(dst []byte, p fields) (batch.Flags, []byte, error) {
	var ref batch.Ref
	p.hex("", ref.Digest[:])
	p.lit(`","length":`)
	ref.Length = p.uint()
	if p.bad {
		return 0, nil, damage("not a reference")
	}
	return batch.FlagRef, batch.AppendRef(dst, ref), nil
}

func parseRaw(dst []byte, p fields) (batch.Flags, []byte, error) {
	flags := p.uint()
	p.lit(`,"b64":"`)
	if n := len(p.p) - 1; !p.bad && n >= 0 && p.p[n] == '"' && flags <= 0xff {
		payload, err := base64.StdEncoding.Strict().AppendDecode(dst, p.p[:n])
		if err == nil {
			return batch.Flags(flags), payload, nil
		}
	}
	return 0, nil, damage("not a payload in base64")
}

// tries is how many beginnings of a line are tried in one: a line end may have been
// damaged, and then a good line stands behind a bad one. Values may spell the
// beginning of a line, with number and time, as often as they like.
const tries = 64

// behind implements spelling. Anything but zeros makes a tail: such files are not
// filled ahead, and nothing but lines may stay in them.
func (lines) behind(r *reader, found func(*frame, int64)) (tail bool, err error) {
	if tail, err = r.anything(); err != nil || !tail {
		return tail, err
	}
	for off := r.pos; off < r.win.size; {
		line, err := r.win.line(off, maxLine)
		if err != nil {
			return tail, r.wrap(err, off)
		}
		if line != nil {
			r.tryLines(line, off, found)
			off += int64(len(line))
		} else if off, err = r.win.nextLine(off); err != nil {
			return tail, r.wrap(err, off)
		}
	}
	return tail, nil
}

// anything says whether there is a byte from r.pos on that is not zero.
func (r *reader) anything() (bool, error) {
	for off := r.pos; off < r.win.size; {
		b, err := r.win.at(off, windowSize)
		if err != nil {
			return false, r.wrap(err, off)
		}
		if len(bytes.Trim(b, "\x00")) > 0 {
			return true, nil
		}
		off += int64(len(b))
	}
	return false, nil
}

// tryLines calls found for a good line that ends where b, which stands at an offset, does.
func (r *reader) tryLines(b []byte, off int64, found func(*frame, int64)) {
	for from, tried := 0, 0; tried < tries; from++ {
		i := bytes.Index(b[from:], []byte(`{"se`))
		if i < 0 {
			return
		}
		from += i
		if !begins(b[from:]) {
			continue
		}
		tried++
		if f := decodeLine(b[from:], spot{r.salt, off + int64(from)}, &r.again); f.why == "" && f.kind != 0 {
			found(&f, off+int64(from))
			return
		}
	}
}

// begins says whether a batch or a seal may begin here. Values have objects that begin
// with "seq", "session" and the like, as many as they want.
func begins(b []byte) bool {
	f := fields{p: b}
	if !f.lit(lineBatch) && !f.lit(lineSeal) {
		return false
	}
	f.uint()
	return !f.bad && f.lit(`,"time":"`)
}

// fields reads what is spelled in one way only. It goes on after a mistake and says
// so at the end.
type fields struct {
	p   []byte
	bad bool
}

// lit goes over a text and says whether it stood there; where it did not, only uint,
// hex and time count it as a mistake, for they want what comes next.
func (f *fields) lit(text string) bool {
	if !bytes.HasPrefix(f.p, []byte(text)) {
		return false
	}
	f.p = f.p[len(text):]
	return true
}

func (f *fields) uint() uint64 {
	n := 0
	for n < len(f.p) && f.p[n] >= '0' && f.p[n] <= '9' {
		n++
	}
	v, err := strconv.ParseUint(string(f.p[:n]), 10, 64)
	f.bad = f.bad || err != nil
	f.p = f.p[n:]
	return v
}

// hex reads digits behind a text into dst.
func (f *fields) hex(text string, dst []byte) {
	n := 2 * len(dst)
	if !f.lit(text) || len(f.p) < n {
		f.bad = true
		return
	}
	_, err := hex.Decode(dst, f.p[:n])
	f.bad = f.bad || err != nil
	f.p = f.p[n:]
}

// time reads a time and the quote behind it.
func (f *fields) time() int64 {
	n := bytes.IndexByte(f.p, '"')
	if n < 0 {
		f.bad = true
		return 0
	}
	t, err := time.Parse(time.RFC3339Nano, string(f.p[:n]))
	f.bad = f.bad || err != nil
	f.p = f.p[n+1:]
	return t.UnixNano()
}

// when reads what appendWhen wrote.
func (f *fields) when(to *frame) {
	to.seq = Seq(f.uint())
	f.lit(`,"time":"`)
	to.time = f.time()
	f.lit(`,"synced":`)
	to.synced = Seq(f.uint())
	f.lit(`,`)
}

func (f *fields) batch(to *frame) {
	to.kind = kindBatch
	f.when(to)
	if bytes.HasPrefix(f.p, []byte(`"prev":"`)) {
		to.flags = flagOpens
		f.hex(`"prev":"`, to.chain[:])
		f.lit(`",`)
	}
	to.text = f.p
}

func (f *fields) seal(to *frame) {
	to.kind = kindSeal
	f.when(to)
	f.lit(`"frames":`)
	to.count = f.uint()
	f.hex(`,"chain":"`, to.chain[:])
}
