package engine

import (
	"context"

	"github.com/vlogdb/vlog/internal/committer"
)

// Pending is a transaction that was submitted: it has its place in order and will
// be written. It may be waited for from any goroutine, more than once.
type Pending struct {
	p     committer.Pending
	empty *txCore // changed nothing: only what it read has to become durable
}

// Wait returns the transaction's number once it is on disk, or in the log under a
// SyncPolicy that does not sync each commit (0 where it changed nothing), or why
// it is not. The context ends only the waiting: the error is then
// ErrAmbiguous, and Wait may be called again.
func (p *Pending) Wait(ctx context.Context) (uint64, error) {
	if p.empty != nil {
		return 0, p.empty.settle(ctx)
	}
	seq, err := p.p.Wait(ctx)
	return uint64(seq), err
}
