package txn

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/vlogdb/vlog/internal/batch"
)

// fresh is puts and deletes as they came. The zero fresh is none.
type fresh struct {
	ops   []batch.Op
	text  []byte // room for keys and values
	size  int    // bytes of ops, as if no key came twice
	mixed bool   // the keys did not come strictly ascending
	over  bool   // there will be none: somebody has asked
}

// How much room is asked for at a time, in bytes.
const (
	textLeast = 512
	textMost  = 64 << 10
)

// add copies an op.
func (f *fresh) add(op *batch.Op) {
	f.size += batch.OpSize(op)
	key, value := f.keep(op.Key, op.Value)
	if n := len(f.ops); n > 0 && bytes.Compare(f.ops[n-1].Key, key) >= 0 {
		f.mixed = true
	}
	if op.Kind != batch.Put {
		value = nil
	}
	f.ops = append(f.ops, batch.Op{Kind: op.Kind, Key: key, Value: value})
}

func (f *fresh) keep(key, value []byte) (k, v []byte) {
	n := len(key) + len(value)
	if cap(f.text)-len(f.text) < n {
		f.text = make([]byte, 0, max(n, min(max(2*cap(f.text), textLeast), textMost)))
	}
	at := len(f.text)
	f.text = append(append(f.text, key...), value...)
	mid := at + len(key)
	return f.text[at:mid:mid], f.text[mid:len(f.text):len(f.text)]
}

// sorted returns the ops in the order of keys, of several for one key the last.
func (f *fresh) sorted() []batch.Op {
	if !f.mixed {
		return f.ops
	}
	order := f.order()
	ops := make([]batch.Op, 0, len(order))
	for i, o := range order {
		if i+1 < len(order) && order[i+1].head == o.head && bytes.Equal(f.ops[order[i+1].at].Key, f.ops[o.at].Key) {
			continue
		}
		ops = append(ops, f.ops[o.at])
	}
	return ops
}

// headed is the place of an op with the first bytes of its key behind what all share,
// which nearly always decide.
type headed struct {
	head uint64
	at   int
}

func (f *fresh) order() []headed {
	skip := len(f.ops[0].Key)
	for i := range f.ops {
		skip = shared(f.ops[0].Key[:skip], f.ops[i].Key)
	}
	all := make([]headed, len(f.ops))
	for i := range f.ops {
		var head [8]byte
		copy(head[:], f.ops[i].Key[skip:])
		all[i] = headed{binary.BigEndian.Uint64(head[:]), i}
	}
	slices.SortFunc(all, func(a, b headed) int {
		if a.head != b.head {
			return cmp.Compare(a.head, b.head)
		}
		return cmp.Or(bytes.Compare(f.ops[a.at].Key, f.ops[b.at].Key), cmp.Compare(a.at, b.at))
	})
	return all
}

// shared returns how many leading bytes a and b have in common.
func shared(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
