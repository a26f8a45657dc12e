package wal

import (
	"strconv"
	"strings"
)

// Names inside a store.
const (
	Dir         = "log"
	DurableName = Dir + "/durable"
	sparePrefix = "spare-"
)

// SpareName returns the path of a file made ahead.
func SpareName(n int) string { return Dir + "/" + sparePrefix + strconv.Itoa(n) }

// ParseSpare reports whether a base name is that of a spare.
func ParseSpare(base string) bool {
	num, found := strings.CutPrefix(base, sparePrefix)
	n, err := strconv.Atoi(num)
	return found && err == nil && n > 0 && strconv.Itoa(n) == num
}
