package checkpoint

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// Keep says how far back a store reaches: it is a setting of the store, a key
// like any other. Exactly one field is set; the zero value is not valid.
type Keep struct {
	Checkpoints int           `json:"checkpoints,omitempty"` // the newest n, at least 1
	Batches     uint64        `json:"batches,omitempty"`     // the newest n
	For         time.Duration `json:"for,omitempty"`         // those younger than this
	All         bool          `json:"all,omitempty"`         // every batch
}

// DefaultKeep is what a new store has: the second checkpoint is also what opening
// falls back on where the newest is damaged.
func DefaultKeep() Keep { return Keep{Checkpoints: 2} }

// KeepKey returns the full key of the setting.
func KeepKey() []byte { return batch.AppendKey(nil, batch.Sys, batch.Main, []byte("keep")) }

// Check returns nil where exactly one field is set to something that can be kept.
func (k Keep) Check() error {
	n := 0
	for _, set := range []bool{k.Checkpoints > 0, k.Batches > 0, k.For > 0, k.All} {
		if set {
			n++
		}
	}
	if n != 1 || k.Checkpoints < 0 || k.For < 0 {
		return &fault.Error{Op: "keep", Err: fault.ErrBadName, Detail: "not exactly one positive setting", Hint: "set one of Checkpoints (1 or more), Batches, For, All"}
	}
	return nil
}

// Encode returns the value stored under KeepKey.
func (k Keep) Encode() ([]byte, error) { return json.Marshal(k) }

// KeepOf returns the setting that a picture holds.
func KeepOf(p *state.Picture) (Keep, error) {
	e, ok := p.Get(KeepKey())
	if !ok {
		return DefaultKeep(), nil
	}
	var k Keep
	err := json.Unmarshal(e.Value, &k)
	if err == nil {
		err = k.Check()
	}
	if err != nil {
		return k, &fault.Error{Op: "keep", At: fault.Place{Seq: uint64(e.Seq)}, Err: fault.ErrIncompatible, Detail: "the store's setting is not known", Cause: err}
	}
	return k, nil
}

// List returns the seqs of the checkpoints in a store, newest first.
func List(fsys vfs.FS) ([]batch.Seq, error) {
	entries, err := fsys.ReadDir(wal.Dir)
	if err != nil {
		return nil, err
	}
	var seqs []batch.Seq
	for _, e := range entries {
		if seq, ok := ParseName(e.Name); ok {
			seqs = append(seqs, seq)
		}
	}
	slices.SortFunc(seqs, func(a, b batch.Seq) int { return cmp.Compare(b, a) })
	return seqs, nil
}

// Floor is what a Keep asks for at one moment.
type Floor struct {
	Keep Keep
	Last batch.Seq // newest batch
	Now  int64     // nanoseconds since 1970
	Soon *Header   // a checkpoint that counts although it is not written yet; nil: none
}

// reached says whether a checkpoint, the nth newest verifying one, lies at or below the floor.
func (f Floor) reached(c Header, nth int) bool {
	switch {
	case f.Keep.All:
		return false
	case f.Keep.Batches > 0:
		return f.Keep.Batches <= uint64(f.Last) && uint64(c.At.Seq) <= uint64(f.Last)-f.Keep.Batches
	case f.Keep.For > 0:
		since := f.Now - int64(f.Keep.For)
		return since < f.Now && c.At.Time <= since // else it is before the first moment there is
	}
	return nth >= f.Keep.Checkpoints
}

// Base returns the newest verifying checkpoint at or below the floor: segments
// that end at or before it and checkpoints before it may go. It is 0, and nothing
// may go, where there is none. known are checkpoints that need no reading.
func Base(fsys vfs.FS, store wal.StoreID, floor Floor, known map[batch.Seq]Header) (batch.Seq, error) {
	seqs, err := List(fsys)
	if err != nil || floor.Keep.All {
		return 0, err
	}
	nth := 0
	if floor.Soon != nil {
		if nth++; floor.reached(*floor.Soon, nth) {
			return floor.Soon.At.Seq, nil
		}
	}
	for _, seq := range seqs {
		h, ok, err := header(fsys, store, seq, known)
		if err != nil {
			return 0, err
		}
		if !ok {
			continue
		}
		if nth++; floor.reached(h, nth) {
			return seq, nil
		}
	}
	return 0, nil
}

// header returns the header of a checkpoint that verifies; ok is false where it
// does not, which is for `vlog check` to tell and here only means that it is no base.
func header(fsys vfs.FS, store wal.StoreID, seq batch.Seq, known map[batch.Seq]Header) (Header, bool, error) {
	if h, ok := known[seq]; ok {
		return h, true, nil
	}
	sum, err := Verify(fsys, Name(seq), store)
	if err == nil {
		return sum.Header, sum.At.Seq == seq, nil
	}
	if errors.Is(err, fault.ErrCorrupt) || errors.Is(err, fault.ErrForeign) || errors.Is(err, fault.ErrIncompatible) {
		return Header{}, false, nil
	}
	return Header{}, false, err
}

// DropCheckpoints removes the checkpoints below base; the directory is not synced.
func DropCheckpoints(fsys vfs.FS, base batch.Seq) (n int, err error) {
	seqs, err := List(fsys)
	if err != nil {
		return 0, err
	}
	for _, seq := range slices.Backward(seqs) {
		if seq >= base {
			break
		}
		if err := fsys.Remove(Name(seq)); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
