package checkpoint

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/wal"
)

// Names inside a store; the five of the protocol come from docs/CRASH.md.
const (
	Backup       = wal.Dir + "/backup"
	Recover      = wal.Dir + "/recover"
	Truncate     = wal.Dir + "/truncate"
	TruncateFlag = wal.Dir + "/truncate_flag"
	ErrorDir     = wal.Dir + "/error"
	prefix       = "checkpoint-"
	digits       = 20
)

// Name returns the path of the checkpoint of a seq.
func Name(seq batch.Seq) string {
	return fmt.Sprintf("%s/%s%0*d", wal.Dir, prefix, digits, uint64(seq))
}

// ParseName returns the seq that a base name states; ok is false where it is not
// the name of a checkpoint.
func ParseName(base string) (seq batch.Seq, ok bool) {
	num, found := strings.CutPrefix(base, prefix)
	if !found || len(num) != digits {
		return 0, false
	}
	n, err := strconv.ParseUint(num, 10, 64)
	return batch.Seq(n), err == nil && n > 0
}
