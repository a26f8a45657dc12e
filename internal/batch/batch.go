package batch

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Kind is what an op does. The numbers are part of the format.
type Kind uint8

// The kinds of op.
const (
	Put         Kind = 1
	Delete      Kind = 2
	DeleteRange Kind = 3
)

// String returns the kind's name.
func (k Kind) String() string {
	switch k {
	case Put:
		return "put"
	case Delete:
		return "del"
	case DeleteRange:
		return "del-range"
	}
	return "unknown"
}

// Op is one change. Key is a full key (see AppendKey). Value is what a put
// stores; End is where a delete-range ends, itself not deleted.
type Op struct {
	Kind  Kind
	Key   []byte
	Value []byte
	End   []byte
}

// Batch is all changes of one transaction. Ops are canonical: first the
// delete-ranges, ascending, disjoint and not touching, then puts and deletes,
// strictly ascending by key. A range never undoes a put of the same batch, so a put
// may lie inside one; a delete may not, for it would change nothing.
type Batch struct {
	Writer  Writer
	Counter uint64
	Ops     []Op
}

// Frees reports whether the batch only deletes, and something at all.
func (b *Batch) Frees() bool {
	return len(b.Ops) > 0 && !slices.ContainsFunc(b.Ops, func(op Op) bool { return op.Kind == Put })
}

const encoding = 1

// Append appends the canonical bytes of b. fault.ErrTooLarge for a key above
// MaxKey; fault.ErrCorrupt for ops that are not canonical, which is a fault of the
// caller.
func Append(dst []byte, b *Batch) ([]byte, error) {
	dst = append(dst, encoding, 0)
	dst = append(dst, b.Writer[:]...)
	dst = binary.LittleEndian.AppendUint64(dst, b.Counter)
	dst = binary.AppendUvarint(dst, uint64(len(b.Ops)))
	var order orderer
	for i := range b.Ops {
		op := &b.Ops[i]
		if err := CheckLength(op); err != nil {
			return nil, err
		}
		if err := order.next(b.Ops[:i], op); err != nil {
			return nil, err
		}
		dst = appendOp(dst, op)
	}
	return dst, nil
}

func appendOp(dst []byte, op *Op) []byte {
	dst = append(dst, byte(op.Kind))
	dst = appendBytes(dst, op.Key)
	switch op.Kind {
	case Put:
		return appendBytes(dst, op.Value)
	case DeleteRange:
		return appendBytes(dst, op.End)
	}
	return dst
}

func appendBytes(dst, p []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(p))), p...)
}

// Size returns how many bytes Append would write, without allocating.
func Size(b *Batch) int {
	n := HeadSize(len(b.Ops))
	for i := range b.Ops {
		n += OpSize(&b.Ops[i])
	}
	return n
}

// HeadSize returns how many bytes a batch takes beside its ops.
func HeadSize(ops int) int { return headLen + uvarintLen(uint64(ops)) }

// OpSize returns how many bytes one op takes.
func OpSize(op *Op) int {
	n := 1 + uvarintLen(uint64(len(op.Key))) + len(op.Key)
	switch op.Kind {
	case Put:
		n += uvarintLen(uint64(len(op.Value))) + len(op.Value)
	case DeleteRange:
		n += uvarintLen(uint64(len(op.End))) + len(op.End)
	}
	return n
}

func uvarintLen(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

// Decode reads canonical bytes into b, reusing b.Ops. Keys and values alias p,
// which must not change while b is in use. An unknown encoding, flag or op is
// fault.ErrIncompatible, everything else that is not canonical fault.ErrCorrupt;
// b is then not usable. What is allocated is bounded by the length of p.
func Decode(b *Batch, p []byte) error {
	if len(p) < headLen {
		return corrupt("%d bytes, at least %d", len(p), headLen)
	}
	if p[0] != encoding {
		return unknown("encoding %d", p[0])
	}
	if p[1] != 0 {
		return unknown("flags %#x", p[1])
	}
	copy(b.Writer[:], p[2:])
	b.Counter = binary.LittleEndian.Uint64(p[18:])
	return decodeOps(b, cursor{p: p[headLen:]})
}

func decodeOps(b *Batch, c cursor) error {
	count, err := c.uvarint()
	if err != nil {
		return err
	}
	if count > uint64(len(c.p))/minOp {
		return corrupt("%d ops in %d bytes", count, len(c.p))
	}
	b.Ops = b.Ops[:0]
	var order orderer
	for range count {
		op, err := c.op()
		if err != nil {
			return err
		}
		if err := order.next(b.Ops, &op); err != nil {
			return err
		}
		b.Ops = append(b.Ops, op)
	}
	if len(c.p) != 0 {
		return corrupt("%d bytes behind the last op", len(c.p))
	}
	return nil
}

// cursor reads fields from what is left.
type cursor struct{ p []byte }

func (c *cursor) uvarint() (uint64, error) {
	if len(c.p) > 0 && c.p[0] < 0x80 {
		v := uint64(c.p[0])
		c.p = c.p[1:]
		return v, nil
	}
	v, n := binary.Uvarint(c.p)
	if n <= 0 || (n > 1 && c.p[n-1] == 0) {
		return 0, corrupt("a length is not a shortest varint")
	}
	c.p = c.p[n:]
	return v, nil
}

func (c *cursor) bytes() ([]byte, error) {
	n, err := c.uvarint()
	if err != nil {
		return nil, err
	}
	if n > uint64(len(c.p)) {
		return nil, corrupt("a length of %d, %d bytes left", n, len(c.p))
	}
	b := c.p[:n:n]
	c.p = c.p[n:]
	return b, nil
}

func (c *cursor) op() (op Op, err error) {
	if len(c.p) == 0 {
		return op, corrupt("ends inside the ops")
	}
	op.Kind = Kind(c.p[0])
	c.p = c.p[1:]
	if op.Kind < Put || op.Kind > DeleteRange {
		return op, unknown("op %d", op.Kind)
	}
	if op.Key, err = c.bytes(); err != nil {
		return op, err
	}
	switch op.Kind {
	case Put:
		op.Value, err = c.bytes()
	case DeleteRange:
		op.End, err = c.bytes()
	}
	return op, err
}

// OpAt returns the op that p begins with, which must be part of canonical bytes: they
// were decoded before.
func OpAt(p []byte) Op {
	op, err := (&cursor{p: p}).op()
	if err != nil {
		panic("batch: no op stands there: " + err.Error())
	}
	return op
}

// orderer checks that ops come in canonical order.
type orderer struct {
	points bool   // the ranges are over
	last   []byte // end of the last range, or key of the last point
	ranges []Op   // those that the points have not passed
}

// next takes an op and all those before it.
func (o *orderer) next(before []Op, op *Op) error {
	if op.Kind == DeleteRange {
		return o.nextRange(op)
	}
	if op.Kind != Put && op.Kind != Delete {
		return corrupt("op %d", op.Kind)
	}
	if !o.points {
		o.points, o.last, o.ranges = true, nil, before
	}
	if _, err := checkKey(op.Key); err != nil {
		return err
	}
	if bytes.Compare(o.last, op.Key) >= 0 {
		return corrupt("keys do not ascend")
	}
	o.last = op.Key
	if op.Kind == Delete && o.deleted(op.Key) {
		return corrupt("a delete inside a delete-range")
	}
	return nil
}

// nextRange also refuses ranges that touch: they have a shorter spelling.
func (o *orderer) nextRange(op *Op) error {
	if o.points {
		return corrupt("a range behind a put or delete")
	}
	if err := checkRange(op.Key, op.End); err != nil {
		return err
	}
	if bytes.Compare(o.last, op.Key) >= 0 {
		return corrupt("ranges overlap or touch")
	}
	o.last = op.End
	return nil
}

// deleted says whether a range has key. Keys must ascend: ranges before it are
// passed for good.
func (o *orderer) deleted(key []byte) bool {
	for len(o.ranges) > 0 && bytes.Compare(o.ranges[0].End, key) <= 0 {
		o.ranges = o.ranges[1:]
	}
	return len(o.ranges) > 0 && bytes.Compare(o.ranges[0].Key, key) <= 0
}
