package batch

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"
)

// AppendJSON appends the form of a batch for people, without braces around it: what a
// line of the NDJSON codec holds of it. It is a spelling of the same facts, exact both ways, and never hashed: hash
// and chain are those of the canonical bytes.
//
//	"writer":"<32 hex>","n":7,"ops":[…]
//
//	{"op":"put","k":"users/42","v":{"name":"Alice"}}
//	{"op":"put","space":"doc","tenant":"acme","k64":"/w==","t":"plain text"}
//	{"op":"put","k":"raw","b64":"AAE="}
//	{"op":"del","k":"users/42"}
//	{"op":"del-range","k":"users/","end":"users0"}
//
// Fields stand in this order. Space kv and tenant main are left out, and so is the
// end of a range that reaches the end of its tree. A key or end that is text (see
// isText) is spelled as such, else in base64. A value is spelled verbatim (v) where
// it is compact JSON (see isCompact), else as text (t), else in base64 (b64).
// b must be canonical. The result is ASCII and has no line end.
func AppendJSON(dst []byte, b *Batch) []byte {
	dst = append(dst, `"writer":"`...)
	dst = hex.AppendEncode(dst, b.Writer[:])
	dst = append(dst, `","n":`...)
	dst = strconv.AppendUint(dst, b.Counter, 10)
	dst = append(dst, `,"ops":[`...)
	for i := range b.Ops {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendJSONOp(dst, &b.Ops[i])
	}
	return append(dst, ']')
}

func appendJSONOp(dst []byte, op *Op) []byte {
	dst = append(dst, `{"op":"`...)
	dst = append(dst, op.Kind.String()...)
	dst = append(dst, '"')
	dst = AppendJSONKey(dst, op.Key)
	switch op.Kind {
	case Put:
		dst = AppendJSONValue(dst, op.Value)
	case DeleteRange:
		if n := PrefixLen(op.End); n > 0 {
			dst = appendEither(dst, "end", op.End[n:])
		}
	}
	return append(dst, '}')
}

// AppendJSONKey appends the fields that spell a full key, a comma before each.
func AppendJSONKey(dst, full []byte) []byte {
	n := PrefixLen(full)
	if space := Space(full[0]); space != KV {
		dst = append(append(append(dst, `,"space":"`...), space.String()...), '"')
	}
	if tenant := full[1 : n-1]; len(tenant) > 0 {
		dst = append(append(append(dst, `,"tenant":"`...), tenant...), '"')
	}
	return appendEither(dst, "k", full[n:])
}

// appendEither appends bytes under a name where they are text, else in base64
// under the name with 64 behind it.
func appendEither(dst []byte, name string, p []byte) []byte {
	dst = append(append(dst, `,"`...), name...)
	if isText(p) {
		return appendText(append(dst, `":`...), p)
	}
	return appendBase64(append(dst, `64":`...), p)
}

// AppendJSONValue appends the field that spells a value, a comma before it.
func AppendJSONValue(dst, value []byte) []byte {
	switch {
	case isCompact(value):
		return append(append(dst, `,"v":`...), value...)
	case isText(value):
		return appendText(append(dst, `,"t":`...), value)
	}
	return appendBase64(append(dst, `,"b64":`...), value)
}

func appendBase64(dst, p []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(dst, '"'), p), '"')
}

// isText reports whether p is spelled as text: UTF-8 without control characters
// but for tab and line ends.
func isText(p []byte) bool {
	for _, c := range p {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0x7f {
			return false
		}
	}
	return utf8.Valid(p)
}

const hexDigits = "0123456789abcdef"

// appendText appends a JSON string of ASCII alone: what is not gets a \u escape, or
// two above U+FFFF.
func appendText(dst, p []byte) []byte {
	dst = append(dst, '"')
	for len(p) > 0 {
		c := p[0]
		if c < utf8.RuneSelf {
			dst = appendASCII(dst, c)
			p = p[1:]
			continue
		}
		r, n := utf8.DecodeRune(p)
		p = p[n:]
		if r > 0xffff {
			r -= 0x10000
			dst = appendEscape(dst, 0xd800+r>>10)
			r = 0xdc00 + r&0x3ff
		}
		dst = appendEscape(dst, r)
	}
	return append(dst, '"')
}

func appendASCII(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	return append(dst, c)
}

func appendEscape(dst []byte, r rune) []byte {
	return append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

func kindOf(name string) Kind {
	for k := Put; k <= DeleteRange; k++ {
		if k.String() == name {
			return k
		}
	}
	return 0
}

// parseSpace is Space.String backwards, for spaces that have no name too.
func parseSpace(name string) (Space, bool) {
	for s := Sys; s <= Comm; s++ {
		if s.String() == name {
			return s, true
		}
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(name, unnamed), 10, 8)
	s := Space(n)
	return s, err == nil && s.String() == name
}
