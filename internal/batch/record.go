package batch

import (
	"encoding/binary"
	"hash/crc32"
	"sync"

	"github.com/zeebo/blake3"
)

// Flags tell how the payload of a record is to be read. They are part of the format.
type Flags uint8

// The flags of a record.
const (
	FlagRef        Flags = 1 << 0 // the payload is a Ref to a batch object
	FlagCompressed Flags = 1 << 1 // reserved
	FlagEncrypted  Flags = 1 << 2 // reserved
)

// Record is one batch on its way into a log: canonical bytes with what was
// computed over them outside every lock. The log keeps no reference to Payload
// after Append returned.
type Record struct {
	Payload []byte
	Hash    Digest // of Payload
	Sum     uint32 // CRC-32C of Payload
	Time    int64  // nanoseconds since 1970 UTC; orders nothing
	Flags   Flags
	Frees   bool   // the batch only deletes: a log that is short of space keeps some back for such
	Text    []byte // the batch as AppendJSON spells it, for a log of lines; nil: the log does it, under its locks
}

// Entry is one batch as it is read from a log. Payload is valid until the next
// entry is asked for.
type Entry struct {
	Seq     Seq
	Time    int64
	Flags   Flags
	Chain   Chain // behind this batch
	Payload []byte
}

// NewRecord returns the record of a payload. It is pure and runs in the caller.
func NewRecord(payload []byte) Record {
	return Record{Payload: payload, Hash: Hash(payload), Sum: Sum(payload)}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Sum returns the CRC-32C of p.
func Sum(p []byte) uint32 { return crc32.Checksum(p, castagnoli) }

// The contexts of the derived hashes; part of the format.
const (
	hashContext  = "vlog batch v1"
	chainContext = "vlog chain v1"
)

var (
	hashers  = sync.Pool{New: func() any { return blake3.NewDeriveKey(hashContext) }}
	chainers = sync.Pool{New: func() any { return blake3.NewDeriveKey(chainContext) }}
)

// Hash returns the digest of a batch's canonical bytes.
func Hash(payload []byte) (d Digest) {
	derive(&hashers, d[:0], payload, nil)
	return d
}

// Next returns the chain value behind a batch, from the one before it and the
// batch's hash.
func (c Chain) Next(h Digest) (next Chain) {
	derive(&chainers, next[:0], c[:], h[:])
	return next
}

func derive(pool *sync.Pool, dst, a, b []byte) {
	h := pool.Get().(*blake3.Hasher)
	h.Reset()
	h.Write(a) // a hash never fails to write
	h.Write(b)
	h.Sum(dst)
	pool.Put(h)
}

// Ref stands in a record for a batch too large for it: a batch object, durable
// before the record.
type Ref struct {
	Digest Digest
	Length uint64 // bytes
}

// AppendRef appends the payload of a record with FlagRef.
func AppendRef(dst []byte, r Ref) []byte {
	return binary.LittleEndian.AppendUint64(append(dst, r.Digest[:]...), r.Length)
}

// DecodeRef reads the payload of a record with FlagRef; fault.ErrCorrupt where it
// is not one.
func DecodeRef(p []byte) (r Ref, err error) {
	if len(p) != RefLen {
		return r, corrupt("a reference of %d bytes, not %d", len(p), RefLen)
	}
	copy(r.Digest[:], p)
	r.Length = binary.LittleEndian.Uint64(p[32:])
	if r.Length == 0 || r.Length > MaxRecord {
		return r, corrupt("a batch object of %d bytes", r.Length)
	}
	return r, nil
}

// SumMore continues a CRC-32C over p.
func SumMore(sum uint32, p []byte) uint32 { return crc32.Update(sum, castagnoli, p) }
