package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// TestPromoteTrace: p1 to p6, three times, so that there is something to drop.
func TestPromoteTrace(t *testing.T) { codecs(t, promoteTrace) }

func promoteTrace(t *testing.T, codec wal.Codec) {
	var trace vfs.Trace
	fsys := vfs.NewLog(dirOnly(t), trace.Record)
	p := promoter(fsys, codec, new([]wal.Seq))
	p.Trim = func(_ context.Context, before wal.Seq) error {
		trace.Note(fmt.Sprint("trim below ", before))
		return nil
	}
	for _, seq := range []batch.Seq{10, 20, 30} {
		trace.Note(fmt.Sprint("-- promote ", seq))
		res, err := p.Run(t.Context(), picture(t, seq, content{"k": "v"}))
		check(t, err)
		base, dropped := max(seq, 10)-10, 0
		if seq == 30 {
			dropped = 1
		}
		if res.Base != base || res.Dropped != dropped || res.At.Seq != seq {
			t.Errorf("%+v", res)
		}
	}
	golden(t, "promote."+codec.String()+".trace", trace.String())
	if got := slices.Sorted(maps.Keys(disk(t, fsys))); !slices.Equal(got, []string{"checkpoint-00000000000000000020", "checkpoint-00000000000000000030"}) {
		t.Errorf("left %v", got)
	}
	if p.Known[30].At.Seq != 30 {
		t.Error("the new checkpoint is not known")
	}
}

// TestPromoteFails lets each operation of a promotion fail once. Before p4 a full
// disk leaves the store as it was and usable; every other failure means that
// nobody knows, and says so.
func TestPromoteFails(t *testing.T) { codecs(t, promoteFails) }

func promoteFails(t *testing.T, codec wal.Codec) {
	other := errors.New("broken")
	for name, cause := range map[string]error{"full": fault.ErrNoSpace, "full in the middle": vfs.Short(fault.ErrNoSpace), "broken": other} {
		n, renames := 1, 0
		for (promotion{codec, name, cause}).failsAt(t, n, &renames) {
			n++
		}
		if n < 18 || renames != 1 {
			t.Errorf("%d operations, %d renames", n-1, renames)
		}
	}
}

// promotion is one that fails for a cause.
type promotion struct {
	codec wal.Codec
	name  string
	cause error
}

func (p promotion) failsAt(t *testing.T, n int, renames *int) bool {
	t.Helper()
	codec, name, cause := p.codec, p.name, p.cause
	m := dirOnly(t)
	put(t, m, codec, 5)
	put(t, m, codec, 10)
	before := disk(t, m)
	var hit vfs.Op
	early := true // the operation that failed comes before p4
	nth := vfs.Nth(n, cause)
	fail := vfs.NewFail(m, vfs.InjectorFunc(func(op vfs.Op) error {
		if hit.N == 0 && op.Kind == vfs.OpRename {
			early = false
		}
		err := nth.Fail(op)
		if err != nil {
			hit = op
		}
		return err
	}))
	var trimmed []wal.Seq
	new20 := picture(t, 20, content{"k": "w"})
	by := promoter(fail, codec, &trimmed)
	_, err := by.Run(t.Context(), new20)
	if hit.N == 0 {
		check(t, err)
		return false
	}
	if hit.Kind == vfs.OpRename {
		*renames++
	}
	what := fmt.Sprintf("%s at %v", name, hit)
	_, unsure := errors.AsType[*Unsure](err)
	unmade := hit.Kind == vfs.OpCreate && hit.Name == Backup
	harmless := early && (unmade || errors.Is(err, fault.ErrNoSpace))
	switch {
	case err == nil:
		t.Errorf("%s: nobody was told", what)
	case unsure == harmless:
		t.Errorf("%s: unsure %v: %v", what, unsure, err)
	case early && !maps.Equal(disk(t, m), before):
		t.Errorf("%s: left %v", what, slices.Sorted(maps.Keys(disk(t, m))))
	case early && len(trimmed) > 0:
		t.Errorf("%s: trimmed %v", what, trimmed)
	}
	if harmless {
		_, err := by.Run(t.Context(), new20)
		check(t, err)
		if got := disk(t, m); len(got) != 2 || len(trimmed) != 1 || trimmed[0] != 11 {
			t.Errorf("%s: tried again: %d files, trimmed %v", what, len(got), trimmed)
		}
	}
	return true
}

// TestPromoteUndoFails: where taking back fails too, nobody knows.
func TestPromoteUndoFails(t *testing.T) { codecs(t, promoteUndoFails) }

func promoteUndoFails(t *testing.T, codec wal.Codec) {
	m := dirOnly(t)
	fail := vfs.NewFail(m, vfs.When(vfs.OnKind(vfs.OpSync, vfs.OpRemove), vfs.Always(fault.ErrNoSpace)))
	_, err := promoter(fail, codec, new([]wal.Seq)).Run(t.Context(), picture(t, 20, nil))
	if _, ok := errors.AsType[*Unsure](err); !ok || !errors.Is(err, fault.ErrNoSpace) {
		t.Errorf("%v", err)
	}
}

// TestPromoteWithoutDescriptors: where no file can be opened nothing was begun, and
// nothing need be taken back, which could not be done either.
func TestPromoteWithoutDescriptors(t *testing.T) { codecs(t, promoteWithoutDescriptors) }

func promoteWithoutDescriptors(t *testing.T, codec wal.Codec) {
	m := dirOnly(t)
	none := errors.New("too many open files")
	_, err := promoter(vfs.NewFail(m, vfs.Always(none)), codec, new([]wal.Seq)).Run(t.Context(), picture(t, 20, nil))
	if _, unsure := errors.AsType[*Unsure](err); unsure || !errors.Is(err, none) {
		t.Errorf("%v", err)
	}
	_, err = promoter(m, codec, new([]wal.Seq)).Run(t.Context(), picture(t, 20, nil))
	check(t, err)
}

// TestPromoteCancelled leaves the store as it was.
func TestPromoteCancelled(t *testing.T) { codecs(t, promoteCancelled) }

func promoteCancelled(t *testing.T, codec wal.Codec) {
	m := dirOnly(t)
	ctx, cancel := context.WithCancel(t.Context())
	p := promoter(m, codec, new([]wal.Seq))
	p.Pace = func(int) error { cancel(); return context.Cause(ctx) }
	_, err := p.Run(ctx, picture(t, 20, nil))
	if _, unsure := errors.AsType[*Unsure](err); unsure || !errors.Is(err, context.Canceled) || len(disk(t, m)) != 0 {
		t.Errorf("%v, left %v", err, disk(t, m))
	}
	p.Pace = nil
	_, err = p.Run(t.Context(), picture(t, 20, nil))
	check(t, err)
}

// TestPromoteReadsBack: what was written must be what is read, before anything
// depends on it.
func TestPromoteReadsBack(t *testing.T) { codecs(t, promoteReadsBack) }

func promoteReadsBack(t *testing.T, codec wal.Codec) {
	m := dirOnly(t)
	fsys := vfs.NewLog(m, func(op vfs.Op, _ error) {
		if op.Kind == vfs.OpSync && op.Name == Backup {
			spoil(t, m, Backup)
		}
	})
	_, err := promoter(fsys, codec, new([]wal.Seq)).Run(t.Context(), picture(t, 20, nil))
	if _, unsure := errors.AsType[*Unsure](err); !unsure || !errors.Is(err, fault.ErrCorrupt) || len(disk(t, m)) != 0 {
		t.Errorf("%v, left %v", err, disk(t, m))
	}
}

// TestPromoteKeeps: a setting that this version does not know promotes nothing.
func TestPromoteKeeps(t *testing.T) {
	m := dirOnly(t)
	_, err := promoter(m, wal.Binary, new([]wal.Seq)).Run(t.Context(), set(t, `{"versions":3}`))
	if wantKind(t, err, fault.ErrIncompatible); len(disk(t, m)) != 0 {
		t.Error("something was written")
	}
}
