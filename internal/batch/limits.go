package batch

import (
	"fmt"

	"github.com/vlogdb/vlog/internal/fault"
)

// Every limit of a batch, in bytes.
const (
	MaxTenant = 64                // a tenant's name
	MaxKey    = 32 << 10          // the bytes of a key, without space and tenant
	MaxPrefix = 1 + MaxTenant + 1 // space, tenant and their end
	MaxRecord = 1 << 30           // the payload of a record, whatever MaxBatch says
	headLen   = 1 + 1 + 16 + 8    // encoding, flags, writer, counter
	RefLen    = 32 + 8            // a record that refers to a batch object
	minOp     = 1 + 1 + 2         // the shortest op: code, key length, space and end of tenant
)

// DefaultMaxBatch is the largest batch where the options do not say otherwise.
const DefaultMaxBatch = 64 << 20

func corrupt(format string, args ...any) error {
	return &fault.Error{Op: "decode batch", Err: fault.ErrCorrupt, Detail: fmt.Sprintf(format, args...)}
}

func unknown(format string, args ...any) error {
	return &fault.Error{Op: "decode batch", Err: fault.ErrIncompatible, Detail: fmt.Sprintf(format, args...)}
}

// CheckLength returns fault.ErrTooLarge where a key of op is above MaxKey. What
// counts is the key's own bytes, whatever the tenant; the end of a range is a key.
func CheckLength(op *Op) error {
	n := PrefixLen(op.Key)
	if own := len(op.Key) - n; own > MaxKey {
		return TooLarge("key", own, MaxKey)
	}
	if own := len(op.End) - n; op.Kind == DeleteRange && own > MaxKey {
		return TooLarge("end of a range", own, MaxKey)
	}
	return nil
}

// TooLarge returns fault.ErrTooLarge for something of n bytes above a limit.
func TooLarge(what string, n, limit int) error {
	detail := fmt.Sprintf("%s of %d bytes, at most %d", what, n, limit)
	return &fault.Error{Op: "write", Err: fault.ErrTooLarge, Detail: detail, Hint: smaller(what)}
}

// smaller says what to do about something that is too large; empty where the
// sentinel's own hint is as good.
func smaller(what string) string {
	switch what {
	case "key":
		return "use a shorter key; this limit is fixed"
	case "end of a range":
		return "end the range at a shorter key; this limit is fixed"
	case "batch":
		return "split the transaction, or raise Options.MaxBatch"
	case "line":
		return "split the transaction: the NDJSON codec spells each as one line; this limit is fixed"
	case "record":
		return "split the batch, or raise MaxRecord in the options of the log"
	case "documentation":
		return "shorten it; this limit is fixed"
	}
	return ""
}
