package checkpoint

import (
	"encoding/hex"
	"strconv"
	"time"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/state"
)

// lines is the spelling of the NDJSON codec. Each line is one JSON object of ASCII
// alone, with its fields in this order, and ends in \n:
//
//	{"vlog":"checkpoint","format":0,"store":"<32 hex>","seq":1042,"chain":"<64 hex>","time":"<time>","sum":"<8 hex>"}
//	{"k":"users/42","v":{"name":"Alice"},"seq":17}
//	{"space":"doc","tenant":"acme","k64":"/w==","t":"plain text","seq":1042}
//	{"block":0,"entries":2,"bytes":120,"sum":"<8 hex>"}
//	{"end":"checkpoint","blocks":1,"entries":2,"digest":"<64 hex>","sum":"<8 hex>"}
//
// First comes the header. Entries are in key order; key and value are spelled as
// batch.AppendJSONKey and batch.AppendJSONValue do it, seq is the batch that put it.
// Behind the entries of each block stands what they are: how many, and of how many
// bytes. A time is RFC 3339 in UTC with as many digits of a second as it needs.
//
// sum is the CRC-32C of what stands before `,"sum"` in the line; of a block line
// store, seq, the block's number (8 bytes) and the lines of its entries go before
// that. digest is BLAKE3 ("vlog checkpoint v1") of the header, each block line and
// the two counts. A line counts only where it is spelled as here, byte for byte.
type lines struct{ *summer }

// How lines begin and end.
const (
	beginHeader  = `{"vlog":"checkpoint","format":`
	beginBlock   = `{"block":`
	beginFooter  = `{"end":"checkpoint","blocks":`
	beginEntries = `,"entries":`
	beginSeq     = `,"seq":`
	beginSum     = `,"sum":"`
	endSum       = "\"}\n"
	endEntry     = "}\n"
	sumSize      = len(beginSum) + 8 + len(endSum)
)

// About how long lines are, in bytes; of an entry, what the line has beyond the entry.
const (
	headerLine = 250
	entryLine  = 24
	blockLine  = 80
	footerLine = 160
)

// header implements spelling.
func (l lines) header() []byte {
	h := &l.sum.Header
	dst := strconv.AppendUint([]byte(beginHeader), formatVersion, 10)
	dst = hex.AppendEncode(append(dst, `,"store":"`...), h.Store[:])
	dst = strconv.AppendUint(append(dst, `","seq":`...), uint64(h.At.Seq), 10)
	dst = hex.AppendEncode(append(dst, `,"chain":"`...), h.At.Chain[:])
	dst = append(dst, `","time":"`...)
	dst = time.Unix(0, h.At.Time).UTC().AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, '"')
	return l.head(appendSum(dst, batch.Sum(dst)))
}

// appendSum ends a line.
func appendSum(dst []byte, sum uint32) []byte {
	b := [4]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}
	return append(hex.AppendEncode(append(dst, beginSum...), b[:]), endSum...)
}

// summed reports whether a line ends in its sum, as appendSum spells it.
func summed(line []byte) bool {
	n := len(line) - sumSize
	return n > 0 && string(appendSum(line[:n:n], batch.Sum(line[:n]))) == string(line)
}

// block implements spelling.
func (l lines) block(dst, entries []byte) []byte {
	from, n := len(dst), uint64(0)
	for len(entries) > 0 {
		e, size := state.FirstEntry(entries)
		dst = appendEntry(dst, e)
		entries = entries[size:]
		n++
	}
	return append(dst, l.mark(dst[from:], n)...)
}

// mark returns what stands behind the lines of the next block, and counts both.
func (l lines) mark(text []byte, entries uint64) []byte {
	dst := strconv.AppendUint([]byte(beginBlock), l.sum.Blocks, 10)
	dst = strconv.AppendUint(append(dst, beginEntries...), entries, 10)
	dst = strconv.AppendInt(append(dst, `,"bytes":`...), int64(len(text)), 10)
	dst = appendSum(dst, batch.SumMore(l.check(text), dst))
	l.count(dst, len(text))
	return dst
}

// footer implements spelling.
func (l lines) footer(entries uint64) []byte {
	dst := strconv.AppendUint([]byte(beginFooter), l.sum.Blocks, 10)
	dst = strconv.AppendUint(append(dst, beginEntries...), entries, 10)
	digest := l.end(entries)
	dst = hex.AppendEncode(append(dst, `,"digest":"`...), digest[:])
	dst = append(dst, '"')
	dst = appendSum(dst, batch.Sum(dst))
	l.sum.Size += int64(len(dst))
	return dst
}
