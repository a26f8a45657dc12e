package state

import (
	"encoding/binary"

	"github.com/vlogdb/vlog/internal/batch"
)

const (
	writerDir    = "writer/"
	writerKeyLen = 2 + len(writerDir) + len(batch.Writer{})
)

// WriterKey returns the key under which Apply keeps the counter of w's newest
// batch: 8 bytes little-endian, with the seq of that batch.
func WriterKey(w batch.Writer) []byte {
	return appendWriterKey(nil, w)
}

func appendWriterKey(dst []byte, w batch.Writer) []byte {
	dst = batch.AppendPrefix(dst, batch.Sys, batch.Main)
	dst = append(dst, writerDir...)
	return append(dst, w[:]...)
}

// Counter returns the counter of the newest batch of w and its seq; zero where w
// wrote none.
func (p *Picture) Counter(w batch.Writer) (counter uint64, seq batch.Seq) {
	var key [writerKeyLen]byte
	e, ok := p.Get(appendWriterKey(key[:0], w))
	if !ok || len(e.Value) != 8 {
		return 0, 0
	}
	return binary.LittleEndian.Uint64(e.Value), e.Seq
}

// last is what an edit knows of the newest writer and has yet to write. Many
// batches of one writer come in a row, so only the last of a row is written.
type last struct {
	known   bool
	dirty   bool
	writer  batch.Writer
	counter uint64
	seq     batch.Seq
}

// note records that w made a batch.
func (e *Edit) note(w batch.Writer, counter uint64) {
	if !e.last.known || e.last.writer != w {
		e.flush()
		e.last = last{known: true, writer: w}
		e.last.counter, e.last.seq = e.now.Counter(w)
	}
	if counter > e.last.counter {
		e.last.counter, e.last.seq, e.last.dirty = counter, e.now.position.Seq, true
	}
}

// flush writes what note left open. Where the slot that is hot belongs to the
// writer, the tree stays as it is.
func (e *Edit) flush() {
	if !e.last.dirty {
		return
	}
	e.last.dirty = false
	var key [writerKeyLen]byte
	var value [8]byte
	binary.LittleEndian.PutUint64(value[:], e.last.counter)
	entry := Entry{Key: appendWriterKey(key[:0], e.last.writer), Value: value[:], Seq: e.last.seq}
	if a := &e.now.arena; a.hot != hotless && string(a.key(hotRef)) == string(entry.Key) {
		r := a.write(entry)
		a.kill(hotRef)
		a.hot = r
		return
	}
	e.heat(entry)
}

// heat puts an entry and makes its slot the hot one.
func (e *Edit) heat(entry Entry) {
	a := &e.now.arena
	if a.hot != hotless {
		key := a.key(hotRef)
		l := e.seek(key)
		pos, _ := l.find(a, key)
		l.slots[pos].ref = a.hot
	}
	e.put(entry)
	l := e.seek(entry.Key)
	pos, _ := l.find(a, entry.Key)
	l.slots[pos].ref, a.hot = hotRef, l.slots[pos].ref
}

// forget makes the tree itself right about writers, before a batch that may
// touch their keys.
func (e *Edit) forget() {
	e.flush()
	e.last = last{}
}

// touchesSys says whether b changes keys of space Sys. Ranges come first and
// points behind, each ascending, so only the first of each can be the first to.
func touchesSys(b *batch.Batch) bool {
	for i := range b.Ops {
		op := &b.Ops[i]
		first := i == 0 || b.Ops[i-1].Kind == batch.DeleteRange
		if first && len(op.Key) > 0 && op.Key[0] == byte(batch.Sys) {
			return true
		}
		if op.Kind != batch.DeleteRange {
			return false
		}
	}
	return false
}
