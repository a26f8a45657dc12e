package recovery

import (
	"time"

	"github.com/vlogdb/vlog/internal/batch"
)

// Report is what opening found and did. Nothing is lost in silence: what was cut,
// written again or removed stands here.
type Report struct {
	Created       bool      // the store was made, or its making was finished
	Clean         bool      // nothing had to be repaired
	Checkpoint    batch.Seq // that was loaded; 0 where there is none
	Skipped       []Skipped // newer checkpoints that did not verify
	Promoted      batch.Seq // checkpoint whose promotion was finished; 0: none
	Segments      int       // read
	Replayed      int       // batches applied on top of the checkpoint
	ReplayedBytes int64     // of their payloads
	Last          batch.Seq // newest batch
	LastTime      time.Time // of that batch; zero where there is none
	Cut           *Cut      // torn tail that was cut (or would be, read-only)
	Rewritten     int64     // bytes written again because nothing proved them durable
	Sealed        bool      // the newest segment is ended, or its end made sure of: nobody had closed the store
	Beyond        batch.Seq // read-only: newest batch in the log that is not shown; 0: none
	Removed       []string  // leftovers of a crash: flags, spares, temporary files
	Unknown       []string  // files that no rule names; left alone
	Took          time.Duration
}

// Cut is a torn tail: bytes behind the last good frame that nobody was told about.
type Cut struct {
	File   string
	Offset int64
	Bytes  int64     // from Offset to the last byte that is not zero, as far as kept
	Kept   string    // the copy in error/; empty where nothing was changed
	Whole  bool      // false: only the first 64 MiB were kept
	After  batch.Seq // last good batch
	Why    string
}

// Skipped is a checkpoint that did not verify, and why.
type Skipped struct {
	Seq   batch.Seq
	Cause error
}
