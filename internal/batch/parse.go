package batch

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// ParseJSON makes b the batch that a text spells as AppendJSON does; what b refers to
// is of text or of the batch alone. It is made for that one spelling and takes few
// others: whether it was that is for the caller to see, by spelling b again, and that b
// is canonical is checked by Append. Errors: fault.ErrIncompatible for an op or space of
// the future, else fault.ErrCorrupt. What is allocated is bounded by the length of text.
func ParseJSON(b *Batch, text []byte) error {
	p := parser{scanner: scanner{p: text}, room: make([]byte, 0, len(text))}
	if !p.lit(`"writer":"`) || !p.hex(b.Writer[:]) || !p.lit(`","n":`) || !p.uint(&b.Counter) || !p.lit(`,"ops":[`) {
		return p.bad("writer, n and ops")
	}
	b.Ops = b.Ops[:0]
	for !p.lit(`]`) {
		if len(b.Ops) > 0 && !p.lit(`,`) {
			return p.bad("a comma")
		}
		op, err := p.op()
		if err != nil {
			return err
		}
		b.Ops = append(b.Ops, op)
	}
	if p.i != len(p.p) {
		return p.bad("the end")
	}
	return nil
}

// ParseJSONPut makes op the put whose key and value are spelled as AppendJSONKey and
// AppendJSONValue do it, where text begins with that, and returns what stands behind. It
// is as lenient as ParseJSON, with the same errors. Key and value lie in text, in room,
// which is overwritten, or where room is too small in bytes of their own.
func ParseJSONPut(op *Op, text, room []byte) (rest []byte, err error) {
	p := parser{scanner: scanner{p: text}, room: room[:0]}
	prefix, err := p.tree()
	if err != nil {
		return nil, err
	}
	op.Kind, op.End = Put, nil
	if op.Key, err = p.key(prefix, "k"); err != nil {
		return nil, err
	}
	if op.Value, err = p.putValue(); err != nil {
		return nil, err
	}
	return text[p.i:], nil
}

// parser reads what is spelled in one way.
type parser struct {
	scanner
	room []byte // for what does not stand in the text as it is; where it grows, slices of it stay what they are
}

func (p *parser) bad(want string) error { return corrupt("%s expected at byte %d", want, p.i) }

func (p *parser) lit(text string) bool { return p.word(text) }

func (p *parser) hex(dst []byte) bool {
	n := 2 * len(dst)
	if len(p.p)-p.i < n {
		return false
	}
	_, err := hex.Decode(dst, p.p[p.i:p.i+n])
	p.i += n
	return err == nil
}

func (p *parser) uint(to *uint64) bool {
	from := p.i
	if !p.digits() {
		return false
	}
	v, err := strconv.ParseUint(string(p.p[from:p.i]), 10, 64)
	*to = v
	return err == nil
}

func (p *parser) op() (op Op, err error) {
	if !p.lit(`{"op":"`) {
		return op, p.bad("an op")
	}
	name, ok := p.plain()
	if op.Kind = kindOf(string(name)); !ok || op.Kind == 0 {
		return op, unknown("op %q", name)
	}
	prefix, err := p.tree()
	if err != nil {
		return op, err
	}
	if op.Key, err = p.key(prefix, "k"); err != nil {
		return op, err
	}
	switch op.Kind {
	case Put:
		op.Value, err = p.putValue()
	case DeleteRange:
		op.End, err = p.end(prefix)
	}
	if err == nil && !p.lit(`}`) {
		err = p.bad("the end of the op")
	}
	return op, err
}

// plain goes over a string without escapes, whose first quote is behind, and its end.
func (p *parser) plain() ([]byte, bool) {
	n := bytes.IndexByte(p.p[p.i:], '"')
	if n < 0 {
		return nil, false
	}
	text := p.p[p.i : p.i+n]
	p.i += n + 1
	return text, true
}

// tree returns what full keys of the op begin with.
func (p *parser) tree() (prefix []byte, err error) {
	space, tenant := KV, Main
	if p.lit(`,"space":"`) {
		name, _ := p.plain()
		var ok bool
		if space, ok = parseSpace(string(name)); !ok {
			return nil, unknown("space %q", name)
		}
	}
	if p.lit(`,"tenant":"`) {
		name, _ := p.plain()
		if tenant = string(name); CheckTenant(tenant) != nil {
			return nil, corrupt("tenant %q", tenant)
		}
	}
	return p.keep(func(dst []byte) []byte { return AppendPrefix(dst, space, tenant) }), nil
}

// keep returns what fn appends, in room that stays.
func (p *parser) keep(fn func(dst []byte) []byte) []byte {
	from := len(p.room)
	p.room = fn(p.room)
	return p.room[from:len(p.room):len(p.room)]
}

// key returns the full key that the field of a name, or of that with 64, spells.
func (p *parser) key(prefix []byte, name string) ([]byte, error) {
	text, b64 := p.field(name)
	if !text && !b64 {
		return nil, p.bad(name)
	}
	ok := false
	key := p.keep(func(dst []byte) []byte {
		dst = append(dst, prefix...)
		if b64 {
			dst, ok = p.base64(dst)
		} else {
			dst, ok = p.unescape(dst)
		}
		return dst
	})
	if !ok {
		return nil, p.bad("the text of " + name)
	}
	return key, nil
}

// field goes over the name of a field and the quote behind it.
func (p *parser) field(name string) (text, b64 bool) {
	if !p.lit(`,"`) || !p.lit(name) {
		return false, false
	}
	b64 = p.lit("64")
	return p.lit(`":"`) && !b64, b64
}

// end returns the end of a range.
func (p *parser) end(prefix []byte) ([]byte, error) {
	if p.i < len(p.p) && p.p[p.i] == ',' {
		return p.key(prefix, "end")
	}
	return p.keep(func(dst []byte) []byte { return append(append(dst, prefix[:len(prefix)-1]...), endOfTree) }), nil
}

// putValue returns a value; one that stands there verbatim is not copied.
func (p *parser) putValue() (value []byte, err error) {
	ok := false
	switch {
	case p.lit(`,"v":`):
		from := p.i
		ok = p.value(0)
		value = p.p[from:p.i:p.i]
	case p.lit(`,"t":"`):
		value = p.keep(func(dst []byte) []byte { dst, ok = p.unescape(dst); return dst })
	case p.lit(`,"b64":"`):
		value = p.keep(func(dst []byte) []byte { dst, ok = p.base64(dst); return dst })
	}
	if !ok {
		return nil, p.bad("v, t or b64")
	}
	return value, nil
}

func (p *parser) base64(dst []byte) ([]byte, bool) {
	text, ok := p.plain()
	if !ok {
		return dst, false
	}
	out, err := base64.StdEncoding.Strict().AppendDecode(dst, text)
	return out, err == nil
}

// unescape appends the string whose first quote is behind, and goes over its end.
func (p *parser) unescape(dst []byte) ([]byte, bool) {
	for p.i < len(p.p) {
		n := bytes.IndexAny(p.p[p.i:], `"\`)
		if n < 0 {
			return dst, false
		}
		dst = append(dst, p.p[p.i:p.i+n]...)
		p.i += n + 1
		if p.p[p.i-1] == '"' {
			return dst, true
		}
		var ok bool
		if dst, ok = p.escaped(dst); !ok {
			return dst, false
		}
	}
	return dst, false
}

// escaped appends what stands behind a backslash.
func (p *parser) escaped(dst []byte) ([]byte, bool) {
	if p.i >= len(p.p) {
		return dst, false
	}
	c := p.p[p.i]
	p.i++
	switch c {
	case '"', '\\':
		return append(dst, c), true
	case 'n':
		return append(dst, '\n'), true
	case 'r':
		return append(dst, '\r'), true
	case 't':
		return append(dst, '\t'), true
	case 'u':
		r, ok := p.unit()
		if ok && utf16.IsSurrogate(r) && p.lit(`\u`) {
			low, _ := p.unit()
			r = utf16.DecodeRune(r, low)
		}
		return utf8.AppendRune(dst, r), ok
	}
	return dst, false
}

// unit reads the four digits of an escape.
func (p *parser) unit() (rune, bool) {
	var b [2]byte
	ok := p.hex(b[:])
	return rune(b[0])<<8 | rune(b[1]), ok
}
