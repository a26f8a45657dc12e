package batch

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
)

// JSON reads the JSON form of a batch by package json alone: the plain reader that
// ParseJSON is held against.
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
