package state

import (
	"encoding/binary"
	"math/bits"

	"github.com/vlogdb/vlog/internal/batch"
)

// Entry is one key with its value and the batch that set it. Key and Value lie
// in the picture's memory: they must not be changed, stay as they are for as long
// as somebody refers to them, and have no room behind them. The zero Entry is
// what stands for "not there".
type Entry struct {
	Key   []byte
	Value []byte
	Seq   batch.Seq
}

// entrySize returns how many bytes writeEntry fills. An entry's bytes, in memory
// and in an image, are three numbers, each the shortest unsigned varint, and what
// two of them measure:
//
//	key length | value length | seq | key | value
func entrySize(key, value []byte, seq batch.Seq) int {
	return uvarintLen(uint64(len(key))) + uvarintLen(uint64(len(value))) + uvarintLen(uint64(seq)) + len(key) + len(value)
}

func uvarintLen(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

// writeEntry fills b, which has entrySize bytes.
func writeEntry(b []byte, e Entry) {
	n := binary.PutUvarint(b, uint64(len(e.Key)))
	n += binary.PutUvarint(b[n:], uint64(len(e.Value)))
	n += binary.PutUvarint(b[n:], uint64(e.Seq))
	n += copy(b[n:], e.Key)
	copy(b[n:], e.Value)
}

// AppendEntry appends the bytes of an entry.
func AppendEntry(dst []byte, e Entry) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(e.Key)))
	dst = binary.AppendUvarint(dst, uint64(len(e.Value)))
	dst = binary.AppendUvarint(dst, uint64(e.Seq))
	return append(append(dst, e.Key...), e.Value...)
}

// FirstEntry returns the entry that b begins with, and its size in bytes. b must be
// good: a part of what Picture.Image yielded. The entry lies in b.
func FirstEntry(b []byte) (e Entry, size int) { return readEntry(b), sizeAt(b) }

// uvarint is binary.Uvarint for bytes that are known to be good, with the length
// of what it read.
func uvarint(b []byte) (v uint64, n int) {
	if b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	return binary.Uvarint(b)
}

// header returns the lengths of key and value and where the seq begins.
func header(b []byte) (key, value, n int) {
	if b[0] < 0x80 && b[1] < 0x80 {
		return int(b[0]), int(b[1]), 2
	}
	k, n := uvarint(b)
	v, m := uvarint(b[n:])
	return int(k), int(v), n + m
}

// readEntry returns the entry that b begins with.
func readEntry(b []byte) Entry {
	key, value, n := header(b)
	seq := uint64(b[n] & 0x7f)
	for shift := 7; b[n] >= 0x80; shift += 7 {
		n++
		seq |= uint64(b[n]&0x7f) << shift
	}
	b = b[n+1:]
	end := key + value
	return Entry{Key: b[:key:key], Value: b[key:end:end], Seq: batch.Seq(seq)}
}

// readKey returns the key of the entry that b begins with.
func readKey(b []byte) []byte {
	key, _, n := header(b)
	for b[n] >= 0x80 {
		n++
	}
	return b[n+1 : n+1+key]
}

// sizeAt returns how many bytes the entry takes that b begins with.
func sizeAt(b []byte) int {
	key, value, n := header(b)
	for b[n] >= 0x80 {
		n++
	}
	return n + 1 + key + value
}
