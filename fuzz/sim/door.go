package sim

import (
	"fmt"
	"path"
	"sync"
	"time"

	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

// weather is what the disk does in one life of a store.
type weather struct {
	seed  uint64
	sync  time.Duration // what a sync takes about
	hangs int           // one operation of so many takes very long; 0: none
	nth   int           // operation that fails; 0: none
	only  vfs.OpKind    // kind that nth counts; 0: all
	oneIn int           // one operation of so many fails; 0: none
}

// machine is what all disks of one life stop with.
type machine struct {
	crashAt int             // changing operation before which it stops; 0: it does not
	stopped func(op vfs.Op) // called once, when it does
	mu      sync.Mutex      // guards what follows
	changes int
	dead    bool
	wakes   map[time.Time]bool
}

// over says whether the machine has stopped.
func (m *machine) over() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}

// gone is the error of everything once the machine has stopped.
func (m *machine) gone() error {
	if m.over() {
		return fault.ErrIO
	}
	return nil
}

// reaches counts a changing operation and stops the machine where its time has come.
func (m *machine) reaches(op vfs.Op) {
	m.mu.Lock()
	if !m.dead && !op.Kind.Reads() {
		m.changes++
	}
	now := !m.dead && m.crashAt > 0 && m.changes == m.crashAt
	m.dead = m.dead || now
	m.mu.Unlock()
	if now {
		m.stopped(op)
	}
}

// apart makes a wait end when no other one does, so that what happens at one moment
// was begun by one goroutine.
func (m *machine) apart(wait time.Duration) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return 0
	}
	now := time.Now()
	for m.wakes[now.Add(wait)] {
		wait++
	}
	m.wakes[now.Add(wait)] = true
	return wait
}

// sleep waits about so long.
func (m *machine) sleep(wait time.Duration) { time.Sleep(m.apart(wait)) }

// door is a disk as one life of a store has it: operations take their time, fail,
// and all of them do so once the machine has stopped.
type door struct {
	*machine
	mem   *vfs.Mem
	w     weather
	story *story
	name  string

	through func(vfs.FS) vfs.FS

	mu     sync.Mutex // guards what follows
	counts map[string]int
	asked  int
	failed map[string]int // operations that failed, by how
}

func newDoor(m *machine, mem *vfs.Mem, w weather) *door {
	return &door{machine: m, mem: mem, w: w, counts: map[string]int{}, failed: map[string]int{}}
}

// fs returns a file system behind the door.
func (d *door) fs() vfs.FS {
	var disk vfs.FS = d.mem.Reopen()
	if d.through != nil {
		disk = d.through(disk)
	}
	fail := vfs.NewFail(disk, vfs.InjectorFunc(d.fail)).DropOnSync(d.drops)
	return vfs.NewLog(vfs.NewSlow(fail, d.delay), d.record)
}

// calm returns a file system behind the same door on which nothing fails, for those
// who only look.
func (d *door) calm() vfs.FS {
	fail := vfs.NewFail(d.mem.Reopen(), vfs.InjectorFunc(func(vfs.Op) error { return d.gone() }))
	return vfs.NewSlow(fail, d.delay)
}

// troubled says whether anything failed in this life, so that errors are expected.
func (d *door) troubled() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.failed) > 0
}

// diceLocked returns a number for an operation that depends on what it is and on how many
// of its like came before, but not on the order of others.
func (d *door) diceLocked(op vfs.Op) uint64 {
	key := op.Kind.String() + path.Dir(op.Name)
	d.counts[key]++
	return mix(d.w.seed, key, d.counts[key])
}

// delay lets each operation take a time of its own: no two end at one moment.
func (d *door) delay(op vfs.Op) time.Duration {
	d.mu.Lock()
	dice := d.diceLocked(op)
	d.mu.Unlock()
	took := 1 + time.Duration(dice%2000)*time.Nanosecond
	if op.Kind == vfs.OpSync || op.Kind == vfs.OpSyncDir {
		took += d.w.sync/2 + time.Duration(dice%uint64(d.w.sync))
	}
	if d.w.hangs > 0 && dice>>20%uint64(d.w.hangs) == 0 {
		took += time.Second
	}
	return d.apart(took)
}

// fail decides what becomes of an operation.
func (d *door) fail(op vfs.Op) error {
	d.reaches(op)
	if err := d.gone(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.troubleLocked(op)
}

// troubleLocked is the error that an operation gets, if any.
func (d *door) troubleLocked(op vfs.Op) error {
	hit := d.w.oneIn > 0 && mix(d.w.seed, "trouble", d.counts[op.Kind.String()+path.Dir(op.Name)], op.String())%uint64(d.w.oneIn) == 0
	if d.w.nth > 0 && (d.w.only == 0 || d.w.only == op.Kind) {
		d.asked++
		hit = hit || d.asked == d.w.nth
	}
	if !hit {
		return nil
	}
	how, err := troubleOf(op, mix(d.w.seed, "how", op.String()))
	d.failed[how]++
	return err
}

// troubleOf returns one of the ways in which an operation fails.
func troubleOf(op vfs.Op, dice uint64) (how string, err error) {
	cause := []error{fault.ErrIO, fault.ErrNoSpace}[dice%2]
	switch {
	case op.Kind.Reads() || op.Kind == vfs.OpUnlock:
		cause = fault.ErrIO
	case op.Kind == vfs.OpWrite && dice>>1%2 == 0:
		return "half a write, " + fault.KindOf(cause).Code(), vfs.Short(cause)
	}
	return fmt.Sprintf("%v, %s", op.Kind, fault.KindOf(cause).Code()), cause
}

// drops says whether a failed sync marks the pages clean; half the time they stay dirty.
func (d *door) drops(op vfs.Op) bool { return mix(d.w.seed, "drop", op.Name)%2 == 1 }

// record tells the story of changes, and of what fails.
func (d *door) record(op vfs.Op, err error) {
	if d.over() || op.Kind.Reads() && err == nil {
		return
	}
	line := op.String()
	if err != nil {
		line += ": " + err.Error()
	}
	d.story.tell(d.name, line)
}
