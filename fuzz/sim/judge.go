package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/recovery"
)

// cut lowers the promises to what survives the end of the machine.
func (l *ledger) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked = l.durable
}

// judge compares a store that was opened for writing with all that was promised, and
// settles the ledger.
func (l *ledger) judge(f found) error {
	acked, _ := l.promised()
	if f.last < acked {
		return fmt.Errorf("it ends at #%d, and #%d was promised", f.last, acked)
	}
	way, err := l.explain(f)
	if err != nil {
		return err
	}
	l.settle(f.last, way)
	return nil
}

// readDB reads everything a store shows, and all of the log that it keeps.
func readDB(ctx context.Context, db *engine.DB) (f found, err error) {
	err = db.View(ctx, func(_ context.Context, tx *engine.Tx) (err error) {
		f.last = tx.Base()
		f.got, err = whole(tx)
		return err
	})
	f.log = map[uint64][]change{}
	for b, e := range db.Batches(ctx, 0) {
		if e != nil {
			f.torn = e
			break
		}
		f.log[b.Seq] = append([]change{}, changesOf(b)...)
	}
	return f, err
}

// readWhole is readAll where the log must be whole too.
func readWhole(ctx context.Context, fsys vfs.FS) (found, error) {
	f, err := readAll(ctx, fsys)
	return f, errors.Join(err, f.torn)
}

// readAll opens a store read-only and reads everything.
func readAll(ctx context.Context, fsys vfs.FS) (found, error) {
	db, err := engine.OpenFS(ctx, fsys, engine.Options{ReadOnly: true, Clock: time.Now})
	if err != nil {
		return found{}, err
	}
	f, err := readDB(ctx, db)
	return f, errors.Join(err, db.Close())
}

// clean says whether a store is as a clean close leaves it.
func clean(ctx context.Context, fsys vfs.FS) error {
	var bad []error
	_, err := engine.CheckFS(ctx, fsys, engine.CheckOptions{Clock: time.Now}, func(f engine.Finding) { bad = append(bad, fmt.Errorf("check: %+v", f)) })
	return errors.Join(append(bad, err)...)
}

// probe opens a disk that a stop may have left too, for its own sake: it holds what
// was promised, takes a write, and closes clean. After a kill more is promised.
func (w *world) probe(img *vfs.Image, model vfs.Model) {
	w.tally.add("disks probed", 1)
	w.note(img)
	if err := w.probed(img, model); err != nil {
		w.ledger.fail("a disk left by %v: %w", model, err)
	}
}

func (w *world) probed(img *vfs.Image, model vfs.Model) error {
	ctx, mem := context.Background(), img.Mem(true)
	opts := w.options()
	opts.Keep = nil
	db, err := engine.OpenFS(ctx, mem.Reopen(), opts)
	if err != nil {
		return err
	}
	f, err := readDB(ctx, db)
	err = errors.Join(err, f.torn)
	least, durable := w.ledger.promised()
	if model != vfs.Kill {
		least = durable
	}
	if err == nil && f.last < least {
		err = fmt.Errorf("it ends at #%d, and #%d was promised", f.last, least)
	}
	if err == nil {
		_, err = w.ledger.explain(f)
	}
	if err == nil {
		err = db.Put(ctx, []byte("after"), nil)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	return clean(ctx, mem.Reopen())
}

// checkVault looks at the backups behind a stop: the newest finished one or a later
// one is there; before that the place says that it is not finished.
func (w *world) checkVault() {
	f, err := readAll(context.Background(), w.vault.mem.Reopen())
	switch {
	case err != nil && w.vault.least == 0 && (errors.Is(err, engine.ErrNotStore) || errors.Is(err, engine.ErrIncompatible)):
	case err != nil:
		w.ledger.fail("the backup of #%d: %w", w.vault.least, err)
	case f.last < w.vault.least:
		w.ledger.fail("the backup of #%d shows #%d", w.vault.least, f.last)
	}
}

// epilogue damages copies of the store that was closed at last: it opens with all that
// was there, or says what is wrong and touches nothing, and then salvage makes a store
// of it that opens.
func (w *world) epilogue() {
	if w.vault.least > 0 {
		w.restore()
	}
	disk := w.mem.Snapshot()
	for range 4 {
		mem := disk.Pick(vfs.Kept, 0).Mem(true)
		where, err := w.damage(mem)
		if err == nil {
			err = w.damaged(mem)
		}
		if err != nil {
			w.ledger.fail("damage in %s: %w", where, err)
		}
	}
}

// restore makes a store of the backup and compares it.
func (w *world) restore() {
	ctx, mem := context.Background(), vfs.NewMem(vfs.MemOptions{})
	res, err := engine.RestoreFS(ctx, w.vault.mem.Reopen(), mem.Reopen(), engine.RestoreOptions{Clock: time.Now})
	if err != nil {
		w.ledger.fail("restore: %w", err)
		return
	}
	w.tally.add("restores", 1)
	f, err := readWhole(ctx, mem.Reopen())
	if err == nil && f.last != res.Seq {
		err = fmt.Errorf("it shows #%d", f.last)
	}
	if err == nil {
		_, err = w.ledger.explain(f)
	}
	if err != nil {
		w.ledger.fail("restored to #%d: %w", res.Seq, err)
	}
}

// damage changes one bit of one file, or cuts it.
func (w *world) damage(mem *vfs.Mem) (where string, err error) {
	name, err := w.file(mem)
	if err != nil {
		return name, err
	}
	f, err := mem.Open(name, vfs.ReadWrite)
	if err != nil {
		return name, err
	}
	st, err := f.Stat()
	if err != nil || st.Size == 0 {
		return name, errors.Join(err, f.Close())
	}
	at := w.Int64N(st.Size)
	where = fmt.Sprintf("%s at %d of %d", name, at, st.Size)
	w.story.tell("world", "damage in "+where)
	if w.one(5) {
		return where, errors.Join(f.Truncate(at), f.Close())
	}
	b := make([]byte, 1)
	if _, err = f.ReadAt(b, at); err == nil {
		b[0] ^= 1 << w.IntN(8)
		_, err = f.WriteAt(b, at)
	}
	return where, errors.Join(err, f.Close())
}

// file picks a file of the store.
func (w *world) file(mem *vfs.Mem) (string, error) {
	list, err := mem.ReadDir("log")
	if err != nil {
		return "", err
	}
	names := []string{recovery.FormatName, recovery.LockName}
	for _, e := range list {
		if !e.Dir {
			names = append(names, "log/"+e.Name)
		}
	}
	return pick(w.chance, names...), nil
}

// damaged opens a damaged store.
func (w *world) damaged(mem *vfs.Mem) error {
	w.tally.add("damages", 1)
	ctx := context.Background()
	before := mem.Snapshot().Pick(vfs.Kept, 0).Hash()
	db, err := engine.OpenFS(ctx, mem.Reopen(), engine.Options{MustExist: true, Clock: time.Now})
	if err == nil {
		return errors.Join(w.same(ctx, db), db.Close())
	}
	if !errors.Is(err, engine.ErrCorrupt) && !errors.Is(err, engine.ErrForeign) && !errors.Is(err, engine.ErrIncompatible) && !errors.Is(err, engine.ErrNotStore) {
		return err
	}
	if after := mem.Snapshot().Pick(vfs.Kept, 0).Hash(); after != before {
		return fmt.Errorf("opening changed the disk and then said: %w", err)
	}
	w.tally.add("damages refused", 1)
	return w.salvage(ctx, mem)
}

// same says whether a store holds all that the ledger knows.
func (w *world) same(ctx context.Context, db *engine.DB) error {
	f, err := readDB(ctx, db)
	if err != nil {
		return err
	}
	if known := w.ledger.known(); f.last != known {
		return fmt.Errorf("it opens at #%d of #%d", f.last, known)
	}
	_, err = w.ledger.explain(f)
	return err
}

// salvage keeps what can be kept; where the store is not known as one it cannot.
func (w *world) salvage(ctx context.Context, mem *vfs.Mem) error {
	sum, err := recovery.Salvage(ctx, mem.Reopen(), recovery.Options{Now: time.Now, Rand: w.Uint64}, recovery.SalvageOptions{})
	if errors.Is(err, fault.ErrNotStore) || errors.Is(err, fault.ErrIncompatible) || errors.Is(err, fault.ErrCorrupt) {
		return nil // FORMAT itself
	}
	if err != nil {
		return fmt.Errorf("salvage: %w", err)
	}
	w.tally.add("salvages", 1)
	f, err := readWhole(ctx, mem.Reopen())
	if err != nil {
		return fmt.Errorf("salvaged up to #%d: %w", sum.Last, err)
	}
	_, err = w.ledger.explain(f)
	return err
}
