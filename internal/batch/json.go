package batch

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// JSON is the form of a batch for people: what a line of the NDJSON codec holds of
// it. It is a spelling of the same facts, exact both ways, and never hashed: hash
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
type JSON struct {
	Writer  string   `json:"writer"`
	Counter uint64   `json:"n"`
	Ops     []JSONOp `json:"ops"`
}

// JSONOp is one op of a JSON. Pointers are nil where a field is left out.
type JSONOp struct {
	Op     string          `json:"op"`
	Space  *string         `json:"space"`
	Tenant *string         `json:"tenant"`
	K      *string         `json:"k"`
	K64    *string         `json:"k64"`
	V      json.RawMessage `json:"v"`
	T      *string         `json:"t"`
	B64    *string         `json:"b64"`
	End    *string         `json:"end"`
	End64  *string         `json:"end64"`
}

// AppendJSON appends the fields of b's JSON, without the braces around them. b must
// be canonical. The result is ASCII and has no line end.
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

// Batch makes b the batch that j spells; what b refers to belongs to b. Whether j is
// spelled as AppendJSON spells it is for the caller to see, by spelling b again; that
// b is canonical is checked by Append. Errors: fault.ErrIncompatible for an op or
// space of the future, else fault.ErrCorrupt.
func (j *JSON) Batch(b *Batch) error {
	w, err := hex.DecodeString(j.Writer)
	if err != nil || len(w) != len(b.Writer) {
		return corrupt("writer %q", j.Writer)
	}
	copy(b.Writer[:], w)
	b.Counter, b.Ops = j.Counter, b.Ops[:0]
	for i := range j.Ops {
		op, err := j.Ops[i].op()
		if err != nil {
			return err
		}
		b.Ops = append(b.Ops, op)
	}
	return nil
}

func (o *JSONOp) op() (op Op, err error) {
	if op.Kind = kindOf(o.Op); op.Kind == 0 {
		return op, unknown("op %q", o.Op)
	}
	if op.Key, err = o.FullKey(); err != nil {
		return op, err
	}
	switch op.Kind {
	case Put:
		op.Value, err = o.Value()
	case DeleteRange:
		op.End, err = o.end(op.Key)
	}
	return op, err
}

func kindOf(name string) Kind {
	for k := Put; k <= DeleteRange; k++ {
		if k.String() == name {
			return k
		}
	}
	return 0
}

// FullKey returns the full key that the op's fields spell.
func (o *JSONOp) FullKey() ([]byte, error) {
	space, tenant := KV, Main
	if o.Space != nil {
		var ok bool
		if space, ok = parseSpace(*o.Space); !ok {
			return nil, unknown("space %q", *o.Space)
		}
	}
	if o.Tenant != nil {
		if tenant = *o.Tenant; CheckTenant(tenant) != nil {
			return nil, corrupt("tenant %q", tenant)
		}
	}
	key, err := either("k", o.K, o.K64)
	if err != nil {
		return nil, err
	}
	return AppendKey(nil, space, tenant, key), nil
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

// either returns the bytes of the one of two fields that is there.
func either(name string, text, b64 *string) ([]byte, error) {
	switch {
	case text != nil && b64 == nil:
		return []byte(*text), nil
	case text == nil && b64 != nil:
		return fromBase64(*b64)
	}
	return nil, corrupt("not one of %s and %s64", name, name)
}

func fromBase64(s string) ([]byte, error) {
	p, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, corrupt("%q is not base64", s)
	}
	return p, nil
}

// Value returns the value that the op's fields spell.
func (o *JSONOp) Value() ([]byte, error) {
	switch {
	case o.V != nil && o.T == nil && o.B64 == nil:
		return o.V, nil
	case o.V == nil && o.T != nil && o.B64 == nil:
		return []byte(*o.T), nil
	case o.V == nil && o.T == nil && o.B64 != nil:
		return fromBase64(*o.B64)
	}
	return nil, corrupt("not one of v, t and b64")
}

// end returns the end of a range that begins at from.
func (o *JSONOp) end(from []byte) ([]byte, error) {
	prefix := from[:PrefixLen(from)]
	if o.End == nil && o.End64 == nil {
		end := append([]byte(nil), prefix...)
		end[len(end)-1] = endOfTree
		return end, nil
	}
	key, err := either("end", o.End, o.End64)
	if err != nil {
		return nil, err
	}
	return append(prefix[:len(prefix):len(prefix)], key...), nil
}
