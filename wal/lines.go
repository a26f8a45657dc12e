package wal

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/vlogdb/vlog/internal/batch"
)

// lines is the spelling of the NDJSON codec. Each line is one JSON object of ASCII
// alone, with its fields in this order, and ends in \n; the first is the segment's
// header, the last of a finished segment its seal:
//
//	{"vlog":"segment","format":0,"store":"<32 hex>","epoch":"<16 hex>","first":1,"prev":"<64 hex>","created":"<time>","sum":"<8 hex>"}
//	{"seq":1,"time":"<time>","synced":0,"prev":"<64 hex>","writer":"<32 hex>","n":1,"ops":[…],"sum":"<8 hex>"}
//	{"seq":2,"time":"<time>","synced":0,"ref":"<64 hex>","length":70000000,"sum":"<8 hex>"}
//	{"seq":3,"time":"<time>","synced":2,"flags":0,"b64":"…","sum":"<8 hex>"}
//	{"seal":3,"time":"<time>","synced":3,"frames":3,"chain":"<64 hex>","sum":"<8 hex>"}
//
// A batch is spelled as batch.AppendJSON does it, a reference to a batch object by
// digest and length, any other payload in base64. prev is the chain value before the
// batch and stands only where a group begins; chain is that behind the last one. A
// time is RFC 3339 in UTC with as many digits of a second as it needs.
//
// sum is the CRC-32C of what stands before `,"sum"` in the line; of a batch or seal,
// store, epoch and the line's offset (8 bytes) go before that. A line counts only
// where it is spelled as here, byte for byte.
//
// Lines are not padded and files not filled ahead: an append writes the sector that
// holds the end of the line before again, with the same bytes.
type lines struct{}

func (lines) unit() int64 { return 1 }

func (lines) ahead() bool { return false }

// How lines begin.
const (
	lineHeader = `{"vlog":"segment","format":`
	lineBatch  = `{"seq":`
	lineSeal   = `{"seal":`
	lineSum    = `,"sum":"`
	lineEnd    = "\"}\n"
	sumSize    = len(lineSum) + 8 + len(lineEnd)
)

func (lines) header(h *Header) []byte {
	dst := strconv.AppendInt([]byte(lineHeader), formatVersion, 10)
	dst = hex.AppendEncode(append(dst, `,"store":"`...), h.Store[:])
	dst = appendHex64(append(dst, `","epoch":"`...), h.Epoch)
	dst = strconv.AppendUint(append(dst, `","first":`...), uint64(h.First), 10)
	dst = hex.AppendEncode(append(dst, `,"prev":"`...), h.Chain[:])
	dst = appendTime(append(dst, `","created":"`...), h.Created)
	dst = append(dst, '"')
	return appendSum(dst, batch.Sum(dst))
}

func appendHex64(dst []byte, v uint64) []byte {
	var b [8]byte
	for i := range b {
		b[i] = byte(v >> (56 - 8*i))
	}
	return hex.AppendEncode(dst, b[:])
}

func appendTime(dst []byte, nanos int64) []byte {
	return time.Unix(0, nanos).UTC().AppendFormat(dst, time.RFC3339Nano)
}

// appendSum ends a line.
func appendSum(dst []byte, sum uint32) []byte {
	b := [4]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}
	return append(hex.AppendEncode(append(dst, lineSum...), b[:]), lineEnd...)
}

// texts implements spelling: what is between the head and the sum of each line.
func (lines) texts(records []Record, room [][]byte) [][]byte {
	room = room[:0]
	for i := range records {
		text := records[i].Text
		if text == nil {
			text = appendPayload(nil, records[i].Flags, records[i].Payload)
		}
		room = append(room, text)
	}
	return room
}

// appendPayload spells a payload.
func appendPayload(dst []byte, flags batch.Flags, payload []byte) []byte {
	if flags == batch.FlagRef {
		if ref, err := batch.DecodeRef(payload); err == nil {
			dst = hex.AppendEncode(append(dst, `"ref":"`...), ref.Digest[:])
			return strconv.AppendUint(append(dst, `","length":`...), ref.Length, 10)
		}
	}
	var b batch.Batch
	if flags == 0 && batch.Decode(&b, payload) == nil {
		return batch.AppendJSON(dst, &b)
	}
	dst = strconv.AppendUint(append(dst, `"flags":`...), uint64(flags), 10)
	return append(base64.StdEncoding.AppendEncode(append(dst, `,"b64":"`...), payload), '"')
}

// lineHead is how long a line may be at most, its text aside.
const lineHead = 256

// size implements spelling: an upper bound.
func (lines) size(g *group) (n int64) {
	for _, text := range g.texts {
		n += lineHead + int64(len(text))
	}
	return n
}

// appendGroup implements spelling.
func (lines) appendGroup(dst []byte, g *group, at spot) ([]byte, Chain) {
	base, chain := len(dst), g.chain
	for i := range g.records {
		r := &g.records[i]
		f := frame{kind: kindBatch, seq: g.after + 1 + Seq(i), time: r.Time, synced: g.synced, text: g.texts[i]}
		if i == 0 {
			f.flags, f.chain = flagOpens, chain
		}
		off := at.off + int64(len(dst)-base)
		dst = appendLine(dst, &f, spot{at.salt, off})
		chain = chain.Next(r.Hash)
	}
	return dst, chain
}

// appendLine appends the line of a batch that will stand at a spot.
func appendLine(dst []byte, f *frame, at spot) []byte {
	from := len(dst)
	dst = strconv.AppendUint(append(dst, lineBatch...), uint64(f.seq), 10)
	dst = appendWhen(dst, f)
	if f.opens() {
		dst = append(hex.AppendEncode(append(dst, `"prev":"`...), f.chain[:]), `",`...)
	}
	dst = append(dst, f.text...)
	return appendSum(dst, lineSumOf(dst[from:], at))
}

// appendWhen appends what batches and seals say behind their number.
func appendWhen(dst []byte, f *frame) []byte {
	dst = appendTime(append(dst, `,"time":"`...), f.time)
	dst = strconv.AppendUint(append(dst, `","synced":`...), uint64(f.synced), 10)
	return append(dst, ',')
}

// lineSumOf computes the checksum of a line that stands at a spot; b is what stands before the sum.
func lineSumOf(b []byte, at spot) uint32 {
	var place [8]byte
	for i := range place {
		place[i] = byte(at.off >> (8 * i))
	}
	return batch.SumMore(batch.SumMore(uint32(at.salt), place[:]), b)
}

// sealSize implements spelling: an upper bound.
func (lines) sealSize() int64 { return lineHead }

// appendSeal implements spelling.
func (lines) appendSeal(dst []byte, g *group, count uint64, place sealPlace) []byte {
	f := frame{kind: kindSeal, seq: g.after, time: place.time, synced: g.synced, chain: g.chain, count: count}
	return appendSealLine(dst, &f, spot{place.salt, place.off})
}

func appendSealLine(dst []byte, f *frame, at spot) []byte {
	from := len(dst)
	dst = strconv.AppendUint(append(dst, lineSeal...), uint64(f.seq), 10)
	dst = appendWhen(dst, f)
	dst = strconv.AppendUint(append(dst, `"frames":`...), f.count, 10)
	dst = append(hex.AppendEncode(append(dst, `,"chain":"`...), f.chain[:]), '"')
	return appendSum(dst, lineSumOf(dst[from:], at))
}
