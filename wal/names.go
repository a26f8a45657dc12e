package wal

import (
	"fmt"
	"strconv"
	"strings"
)

// Names inside a store.
const (
	Dir         = "log"
	DurableName = Dir + "/durable"
	extension   = ".vlog"
	sparePrefix = "spare-"
	digits      = 20
)

// SegmentName returns the path of the segment that begins with a seq.
func SegmentName(first Seq) string {
	return fmt.Sprintf("%s/%0*d%s", Dir, digits, uint64(first), extension)
}

// ParseSegment returns the first seq that a base name states; ok is false where
// it is not the name of a segment.
func ParseSegment(base string) (first Seq, ok bool) {
	num, found := strings.CutSuffix(base, extension)
	if !found || len(num) != digits {
		return 0, false
	}
	n, err := strconv.ParseUint(num, 10, 64)
	if err != nil || n == 0 {
		return 0, false
	}
	return Seq(n), true
}

// SpareName returns the path of a file made ahead.
func SpareName(n int) string { return Dir + "/" + sparePrefix + strconv.Itoa(n) }

// ParseSpare reports whether a base name is that of a spare.
func ParseSpare(base string) bool {
	num, found := strings.CutPrefix(base, sparePrefix)
	n, err := strconv.Atoi(num)
	return found && err == nil && n > 0 && strconv.Itoa(n) == num
}
