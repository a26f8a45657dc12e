package state

import (
	"bytes"
	"math"
	"slices"

	"github.com/vlogdb/vlog/internal/batch"
)

// Run gathers batches that follow each other, so that Edit.ApplyRun makes their changes
// in the order of keys: one behind the other then often in the same leaf, which is
// faster than where they come as they came. It keeps its memory for the next batches,
// since the first touch of fresh memory is what costs most. It belongs to one goroutine.
// The zero Run is empty.
type Run struct {
	text []byte // payloads, one behind the other
	ops  []runOp
	room []runOp // for sorting
	rows []row
	at   Position
	base batch.Seq // before the first batch
	skip int       // bytes that all keys share
}

// runOp is one change: where in text it is spelled, and by which batch.
type runOp struct {
	head uint64 // of the key, behind what all keys share
	at   uint32
	seq  uint32 // behind base
}

// row is what batches of one writer in a row leave to be noted.
type row struct {
	writer  batch.Writer
	counter uint64
	seq     batch.Seq
}

// Add decodes a batch into room and takes it, behind those that the run has. False: it
// cannot be a part of this run; room is then valid as long as payload is. A batch that
// deletes ranges, or changes what the engine itself keeps, must be applied in its turn.
// Errors are those of batch.Decode.
func (r *Run) Add(room *batch.Batch, payload []byte, at Position) (taken bool, err error) {
	if err := batch.Decode(room, payload); err != nil {
		return false, err
	}
	if len(r.rows) == 0 {
		r.base = at.Seq - 1
	}
	fits := uint64(len(r.text)+len(payload)) <= math.MaxUint32 && uint64(at.Seq-r.base) <= math.MaxUint32
	ranges := len(room.Ops) > 0 && room.Ops[0].Kind == batch.DeleteRange
	if ranges || !fits || touchesSys(room) {
		return false, nil
	}
	r.take(room, payload, at)
	return true, nil
}

func (r *Run) take(b *batch.Batch, payload []byte, at Position) {
	off := len(r.text) + batch.HeadSize(len(b.Ops))
	r.text = append(r.text, payload...)
	for i := range b.Ops {
		op := &b.Ops[i]
		r.share(op.Key)
		r.ops = append(r.ops, runOp{at: uint32(off), seq: uint32(at.Seq - r.base)})
		off += batch.OpSize(op)
	}
	if n := len(r.rows); n == 0 || r.rows[n-1].writer != b.Writer || r.rows[n-1].counter >= b.Counter {
		r.rows = append(r.rows, row{writer: b.Writer})
	}
	last := &r.rows[len(r.rows)-1]
	last.counter, last.seq = b.Counter, at.Seq
	r.at = at
}

// share takes a key into what all keys share.
func (r *Run) share(key []byte) {
	if len(r.ops) == 0 {
		r.skip = len(key)
		return
	}
	first := r.op(r.ops[0]).Key
	if len(key) < r.skip || string(key[:r.skip]) != string(first[:r.skip]) {
		r.skip = shared(first[:r.skip], key)
	}
}

func (r *Run) op(o runOp) batch.Op { return batch.OpAt(r.text[o.at:]) }

// Size returns how many bytes of batches the run has.
func (r *Run) Size() int { return len(r.text) }

// Reset makes the run empty.
func (r *Run) Reset() {
	*r = Run{text: r.text[:0], ops: r.ops[:0], room: r.room, rows: r.rows[:0]}
}

// ApplyRun does what Apply does for each batch of the run in turn.
func (e *Edit) ApplyRun(r *Run) {
	if len(r.rows) == 0 {
		return
	}
	r.sort()
	for i, o := range r.ops {
		op := r.op(o)
		if i+1 < len(r.ops) && r.ops[i+1].head == o.head && bytes.Equal(r.op(r.ops[i+1]).Key, op.Key) {
			continue // of several changes of one key the last counts
		}
		e.now.position.Seq = r.base + batch.Seq(o.seq)
		e.op(&op)
	}
	e.finger.lift()
	for _, w := range r.rows {
		e.now.position.Seq = w.seq
		e.note(w.writer, w.counter)
	}
	e.now.position = r.at
	e.sweep()
	e.finger.lift()
}

// sort puts the changes in the order of keys, those of one key as they came.
func (r *Run) sort() {
	for i, o := range r.ops {
		r.ops[i].head = headOf(r.op(o).Key, r.skip)
	}
	r.sortHeads()
	for from := 0; from < len(r.ops); {
		to := from + 1
		for to < len(r.ops) && r.ops[to].head == r.ops[from].head {
			to++
		}
		if to-from > 1 {
			slices.SortStableFunc(r.ops[from:to], func(a, b runOp) int { return bytes.Compare(r.op(a).Key, r.op(b).Key) })
		}
		from = to
	}
}

// sortHeads sorts by head, byte by byte from the last, and leaves those that are alike in
// their order.
func (r *Run) sortHeads() {
	if cap(r.room) < len(r.ops) {
		r.room = make([]runOp, cap(r.ops))
	}
	from, to := r.ops, r.room[:len(r.ops)]
	for shift := 0; shift < 64; shift += 8 {
		if starts, apart := r.starts(from, shift); apart {
			for _, o := range from {
				d := byte(o.head >> shift)
				to[starts[d]] = o
				starts[d]++
			}
			from, to = to, from
		}
	}
	r.ops, r.room = from, to
}

// starts returns where those with each value of a byte begin; apart is false where all
// have the same.
func (r *Run) starts(ops []runOp, shift int) (starts [256]int, apart bool) {
	for _, o := range ops {
		starts[byte(o.head>>shift)]++
	}
	sum := 0
	for d, n := range starts {
		apart = apart || n > 0 && n < len(ops)
		starts[d], sum = sum, sum+n
	}
	return starts, apart
}
