package wal

import (
	"fmt"
	"strconv"
	"strings"
)

// Codec is how the batches of a log are spelled in its files. It is chosen when a
// store is made; chain values are the same under each. The zero Codec is Binary.
type Codec uint8

// The codecs. Binary is the fast one. NDJSON is for whoever reads the log with cat,
// grep and jq: one line of JSON for each batch.
const (
	Binary Codec = iota
	NDJSON
)

// String returns the codec's name, as FORMAT has it.
func (c Codec) String() string {
	if c == NDJSON {
		return "ndjson"
	}
	return "binary"
}

// ParseCodec returns the codec of a name; ok is false where there is none.
func ParseCodec(name string) (c Codec, ok bool) {
	for _, c := range []Codec{Binary, NDJSON} {
		if c.String() == name {
			return c, true
		}
	}
	return 0, false
}

// extension ends the names of segments.
func (c Codec) extension() string {
	if c == NDJSON {
		return ".ndjson"
	}
	return ".vlog"
}

// digits is how long the number in a segment's name is.
const digits = 20

// SegmentName returns the path of the segment that begins with a seq.
func (c Codec) SegmentName(first Seq) string {
	return fmt.Sprintf("%s/%0*d%s", Dir, digits, uint64(first), c.extension())
}

// ParseSegment returns the first seq that a base name states, and the codec; ok is
// false where it is not the name of a segment.
func ParseSegment(base string) (first Seq, c Codec, ok bool) {
	num, found := strings.CutSuffix(base, Binary.extension())
	if !found {
		c = NDJSON
		num, found = strings.CutSuffix(base, c.extension())
	}
	if !found || len(num) != digits {
		return 0, 0, false
	}
	n, err := strconv.ParseUint(num, 10, 64)
	if err != nil || n == 0 {
		return 0, 0, false
	}
	return Seq(n), c, true
}

// spelling is what differs between the codecs. The reader, which follows seqs and
// chain values, and everything that appends, seals and mends is the same for all.
type spelling interface {
	// unit is what a group begins at a multiple of, in bytes; what is written again
	// is written in whole units.
	unit() int64
	// ahead says whether files may be filled with zeros ahead of their end, and used again.
	ahead() bool

	header(h *Header) []byte
	// readHeader returns the header and where it ends.
	readHeader(w *window) (h Header, size int64, err error)

	// texts returns how the records are spelled, one each; nil where that is how they are.
	texts(records []Record, room [][]byte) [][]byte
	// size is how many bytes at most a group takes.
	size(g *group) int64
	// appendGroup appends a group that will stand at off and returns the chain value behind it.
	appendGroup(dst []byte, g *group, at spot) ([]byte, Chain)
	// sealSize is how many bytes a seal takes at most.
	sealSize() int64
	appendSeal(dst []byte, g *group, count uint64, place sealPlace) []byte

	// find looks for the frame behind r.pos. Where none stands there f.why says so and
	// off is where it should be.
	find(r *reader) (f frame, off int64, err error)
	// body returns the payload of a frame that fits; why is not empty where it does not check out.
	body(r *reader, f *frame, off int64) (payload []byte, why string, err error)
	// lastSeal returns the seal that stands at the end of the file, with its count and
	// the chain value behind it; a frame of no kind where none does.
	lastSeal(r *reader) (frame, error)
	// behind calls found for every good header from r.pos on, with its offset, and says
	// whether there is a tail: something behind the last good frame that has to be cut.
	behind(r *reader, found func(f *frame, off int64)) (tail bool, err error)
}

// spot is where in a file something is put.
type spot struct {
	salt salt
	off  int64
}

func (c Codec) spelling() spelling {
	if c == NDJSON {
		return lines{}
	}
	return frames{}
}
