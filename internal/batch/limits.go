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
	EmptySize = headLen + 10      // at least what a batch without an op takes
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
