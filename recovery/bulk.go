package recovery

import (
	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/wal"
)

// bulk applies what is read from the log in runs of many batches, beside the reading:
// while one run is applied the next one is read. Until end was called the edit is its.
type bulk struct {
	edit *state.Edit
	now  *state.Run      // is filled
	free *state.Run      // the other one, unless it is being applied
	busy chan *state.Run // gives it back; nil where nothing is being applied
}

// runSize is how many bytes of batches are applied at once. The larger, the more of them
// lie beside each other in the tree, and the more memory is touched for them.
const runSize = 2 << 20

func newBulk(e *state.Edit) *bulk {
	return &bulk{edit: e, now: &state.Run{}, free: &state.Run{}}
}

// take takes one batch, decoding it into room.
func (b *bulk) take(room *batch.Batch, e wal.Entry) error {
	at := state.Position{Seq: e.Seq, Time: e.Time, Chain: e.Chain}
	taken, err := b.now.Add(room, e.Payload, at)
	switch {
	case err != nil:
		return err
	case !taken:
		b.end()
		b.edit.Apply(room, at)
	case b.now.Size() >= runSize:
		b.hand()
	}
	return nil
}

// hand has the present run applied by a goroutine, once that before was.
func (b *bulk) hand() {
	b.wait()
	run, back := b.now, make(chan *state.Run, 1)
	b.now, b.free, b.busy = b.free, nil, back
	go func() {
		b.edit.ApplyRun(run)
		run.Reset()
		back <- run
	}()
}

func (b *bulk) wait() {
	if b.busy != nil {
		b.free, b.busy = <-b.busy, nil
	}
}

// end applies all that was taken.
func (b *bulk) end() {
	b.wait()
	b.edit.ApplyRun(b.now)
	b.now.Reset()
}
