package fuzz

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/vfs"
)

// disk is where a sweep begins: what is on it, and what it must still hold.
type disk struct {
	img  *vfs.Image
	want promise
}

// disks are those that sweeps of one codec begin with, by name.
type disks struct {
	codec engine.Codec
	all   map[string]disk
}

func (d *disks) get(name string) disk {
	have, ok := d.all[name]
	if !ok {
		panic("no disk " + name)
	}
	return have
}

// moment is a disk behind one of its operations.
type moment struct {
	op   vfs.Op
	disk *vfs.Disk
	want promise
}

// newDisks makes the disks out of one life of a store.
func newDisks(ctx context.Context, codec engine.Codec) (*disks, error) {
	d := &disks{codec: codec, all: map[string]disk{}}
	d.add("empty", moment{disk: vfs.NewMem(vfs.MemOptions{Track: true}).Snapshot(), want: newWorld(codec).promise()}, vfs.Kept)
	mem := vfs.NewMem(vfs.MemOptions{Track: true})
	w := newWorld(codec)
	var life []moment
	mem.OnOp(func(op vfs.Op) { life = append(life, moment{op, mem.Snapshot(), w.promise()}) })
	if err := workload(ctx, w, func() vfs.FS { return mem.Reopen() }); err != nil {
		return nil, err
	}
	mem.OnOp(nil)
	d.add("clean", moment{disk: mem.Snapshot(), want: w.promise()}, vfs.Kept)
	for name, at := range map[string]func(op vfs.Op) bool{
		"half made":       vfs.OnKind(vfs.OpMkdir),
		"flag raised":     vfs.Both(vfs.OnKind(vfs.OpSync), isOf("log/recover")),
		"renamed":         vfs.Both(vfs.OnKind(vfs.OpRename), isOf("log/backup")),
		"in a checkpoint": vfs.Both(vfs.OnKind(vfs.OpWrite), isOf("log/backup")),
	} {
		m, ok := last(life, at)
		if !ok {
			return nil, fmt.Errorf("the life of a store never comes to %q", name)
		}
		d.add(name, m, vfs.Kept)
	}
	d.add("not synced", notSynced(life), vfs.Kill)
	if err := d.torn(ctx, life); err != nil {
		return nil, err
	}
	return d, errors.Join(d.damaged(), d.placed(ctx))
}

func isOf(name string) func(op vfs.Op) bool {
	return func(op vfs.Op) bool { return classOf(op.Name) == name }
}

// last returns the last moment behind an operation that matches.
func last(life []moment, match func(op vfs.Op) bool) (m moment, ok bool) {
	for _, at := range life {
		if match(at.op) {
			m, ok = at, true
		}
	}
	return m, ok
}

// notSynced returns the moment behind the write of the last batch: its file was opened
// under the name of a spare, and log/durable is written once it is synced.
func notSynced(life []moment) (m moment) {
	var wrote moment
	for _, at := range life {
		switch {
		case at.op.Kind != vfs.OpWrite:
		case classOf(at.op.Name) == "log/durable":
			m = wrote
		default:
			wrote = at
		}
	}
	return m
}

func (d *disks) add(name string, m moment, model vfs.Model) {
	m.disk.Images(model, 1, func(img *vfs.Image) bool {
		d.all[name] = disk{img, m.want}
		return false
	})
}

// torn finds a disk the tail of which opening cuts.
func (d *disks) torn(ctx context.Context, life []moment) error {
	for _, m := range life {
		if m.op.Kind != vfs.OpWrite || classOf(m.op.Name) != "log/spare" {
			continue
		}
		var opened error
		m.disk.Images(vfs.Torn, 20, func(img *vfs.Image) bool {
			db, err := engine.OpenFS(ctx, img.Mem(true), small(d.codec, 300))
			if err != nil {
				opened = err
				return false
			}
			if db.Report().Cut != nil {
				d.all["torn"] = disk{img, m.want}
			}
			opened = db.Close()
			return opened == nil && db.Report().Cut == nil
		})
		if opened != nil {
			return opened
		}
	}
	if d.all["torn"].img == nil {
		return errors.New("no disk is torn")
	}
	return nil
}

// damaged makes a disk that does not open: the newest segment with a changed byte.
func (d *disks) damaged() error {
	from := d.all["clean"]
	mem := from.img.Mem(true)
	entries, err := mem.ReadDir("log")
	if err != nil {
		return err
	}
	name := ""
	for _, e := range entries {
		if isSegment(e.Name) {
			name = "log/" + e.Name
		}
	}
	f, err := mem.Open(name, vfs.ReadWrite)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte("?"), min(600, st.Size/2)) // in a batch, not in what fills a sector
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		d.add("damaged", moment{disk: mem.Snapshot(), want: from.want}, vfs.Kept)
	}
	return err
}

// placed makes backup places: of an older moment, and of all.
func (d *disks) placed(ctx context.Context) error {
	for _, name := range []string{"flag raised", "clean"} {
		from := d.all[name]
		mem, place := from.img.Mem(true), vfs.NewMem(vfs.MemOptions{Track: true})
		if name == "flag raised" { // whole, so that it can be copied
			db, err := engine.OpenFS(ctx, mem.Reopen(), small(d.codec, 301))
			if err != nil {
				return err
			}
			if err := db.Close(); err != nil {
				return err
			}
		}
		if _, err := engine.BackupFS(ctx, mem.Reopen(), place.Reopen(), engine.BackupOptions{Clock: clock}); err != nil {
			return err
		}
		d.add(strings.ReplaceAll("place: "+name, "flag raised", "older"), moment{disk: place.Snapshot(), want: from.want}, vfs.Kept)
	}
	return nil
}
