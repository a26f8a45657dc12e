package vfs

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/vlogdb/vlog/internal/fault"
)

// MemOptions says what a Mem keeps.
type MemOptions struct {
	// Track keeps apart what is durable and what a power cut may take, which
	// Images and Crash need. Without it everything counts as durable at once.
	Track bool
}

// Mem is an FS in memory: the store of tests, and of those who want no files.
// All methods may be called at once from any goroutine.
type Mem struct {
	d      *memDisk
	closed bool // guarded by d.mu
}

var _ FS = (*Mem)(nil)

// memDisk is the disk that one or more Mems have open.
type memDisk struct {
	track bool
	boot  int

	mu   sync.RWMutex // guards the rest, and every node
	root *node
	room int64     // bytes that the disk holds, in blocks; 0 has no end
	ops  []entryOp // changes of names not yet durable, in order; frozen Disks share it: append only
	ids  int       // of the last node made
	n    int       // changing operations so far
	past int       // changing operations of the Mem that this one was a crash of
	hook func(Op)

	hints map[*memHints]struct{} // who wants to be told of changes
}

// NewMem returns an empty file system in memory.
func NewMem(opts MemOptions) *Mem {
	return &Mem{d: &memDisk{track: opts.Track, boot: 1, root: newDirNode(0)}}
}

// Reopen returns another door to the same disk, as a second OpenOS of one
// directory would: it sees the same files and the same locks, and works also
// after m was closed.
func (m *Mem) Reopen() *Mem { return &Mem{d: m.d} }

// Ops returns the number of changing operations done so far: create, write,
// truncate, sync, rename, remove, mkdir, syncdir. Failed ones do not count.
func (m *Mem) Ops() int {
	m.d.mu.RLock()
	defer m.d.mu.RUnlock()
	return m.d.n
}

// SetCapacity makes the disk hold so many bytes, in blocks of 4096; 0 is no limit.
// A write that needs more is ErrNoSpace and writes nothing. What is there stays.
func (m *Mem) SetCapacity(bytes int64) {
	m.d.mu.Lock()
	defer m.d.mu.Unlock()
	m.d.room = bytes
}

// fits says whether a file may grow to a size.
func (d *memDisk) fits(n *node, size int64) error {
	grow := blocks(size) - blocks(n.file.now.size)
	if d.room == 0 || grow <= 0 || d.root.used()+grow <= d.room/pageSize {
		return nil
	}
	return fault.ErrNoSpace
}

func blocks(size int64) int64 { return (size + pageSize - 1) / pageSize }

// used returns how many blocks are in use below a node.
func (n *node) used() (sum int64) {
	if !n.dir {
		return blocks(n.file.now.size)
	}
	for _, child := range n.names.now.m {
		sum += child.used()
	}
	return sum
}

// OnOp has fn called after each changing operation, by the goroutine that made
// it and with no lock held. Op.N counts as Ops does. Nil ends it.
func (m *Mem) OnOp(fn func(op Op)) {
	m.d.mu.Lock()
	defer m.d.mu.Unlock()
	m.d.hook = fn
}

// DropDirty does to a file what the system does when a sync of it fails: its
// unsynced writes stay readable, a later Sync succeeds without making them
// durable, and a power cut takes them. Writing the bytes again and syncing helps.
//
// For a directory it does nothing: names go through the journal of the file
// system, and the next SyncDir that succeeds has them all.
func (m *Mem) DropDirty(name string) error {
	m.d.mu.Lock()
	defer m.d.mu.Unlock()
	n, err := m.find(name)
	if err == nil && !n.dir && m.d.track {
		n.file.drop()
	}
	return fail("dropdirty", name, err)
}

// Path returns "memory".
func (m *Mem) Path() string { return "memory" }

// Present returns nil: the root of a memory disk goes nowhere.
func (m *Mem) Present() error { return nil }

// Boot returns a name that every power cut changes and a kill does not.
func (m *Mem) Boot() string { return fmt.Sprintf("memory-boot-%d", m.d.boot) }

// Close closes this door; the disk stays as it is.
func (m *Mem) Close() error {
	m.d.mu.Lock()
	defer m.d.mu.Unlock()
	if m.closed {
		return fail("close", ".", fault.ErrClosed)
	}
	m.closed = true
	return nil
}

// run carries out a changing operation and, where it succeeded, counts and reports it.
func (d *memDisk) run(op Op, do func() error) error {
	d.mu.Lock()
	err := do()
	var report func()
	if err == nil {
		report = d.countLocked(op)
	}
	d.mu.Unlock()
	if err != nil {
		return fail(op.Kind.String(), op.Name, err)
	}
	report()
	return nil
}

// countLocked counts an operation and returns what to call without the lock.
func (d *memDisk) countLocked(op Op) (report func()) {
	d.n++
	op.N = d.n
	d.hintLocked(op)
	hook := d.hook
	return func() {
		if hook != nil {
			hook(op)
		}
	}
}

// stamp is what a change that begins now is numbered with; 0 where nothing is tracked.
func (d *memDisk) stamp() int {
	if !d.track {
		return 0
	}
	return d.past + d.n + 1
}

// nextID returns the number of a new node.
func (d *memDisk) nextID() int {
	d.ids++
	return d.ids
}

// find returns what name leads to.
func (m *Mem) find(name string) (*node, error) {
	if m.closed {
		return nil, fault.ErrClosed
	}
	if err := checkName(name); err != nil {
		return nil, err
	}
	n := m.d.root
	if name == "." {
		return n, nil
	}
	for part := range strings.SplitSeq(name, "/") {
		if !n.dir {
			return nil, fault.ErrNotRegular
		}
		next, ok := n.names.now.m[part]
		if !ok {
			return nil, fault.ErrNotFound
		}
		n = next
	}
	return n, nil
}

// findDir returns the directory that name leads to.
func (m *Mem) findDir(name string) (*node, error) {
	n, err := m.find(name)
	if err == nil && !n.dir {
		err = fault.ErrNotRegular
	}
	return n, err
}

// findSlot returns the place of name in its directory, and what stands there.
func (m *Mem) findSlot(name string) (slot, error) {
	if err := checkEntry(name); err != nil {
		return slot{}, err
	}
	dir, err := m.findDir(path.Dir(name))
	if err != nil {
		return slot{}, err
	}
	base := path.Base(name)
	return slot{dir: dir, name: base, node: dir.names.now.m[base]}, nil
}

// apply changes names; the change is kept while it may still be lost.
func (d *memDisk) apply(slots ...slot) {
	for _, s := range slots {
		if old := s.dir.names.now.m[s.name]; old != nil {
			old.links--
		}
		if s.node != nil {
			s.node.links++
		}
		s.dir.names.now = s.dir.names.now.with(s.name, s.node)
	}
	if d.track {
		d.ops = append(d.ops, entryOp{slots: slots})
	}
}

// settle makes the pending changes of the names in dir durable. One that also
// concerns another directory is durable there too, being one step; then older
// changes of that name must not come after it.
func (d *memDisk) settle(dir *node) {
	var rest []entryOp
	for _, op := range d.ops {
		if !op.touches(dir) {
			rest = append(rest, op)
			continue
		}
		for _, s := range op.slots {
			s.dir.names.durable = s.dir.names.durable.with(s.name, s.node)
			for i := range rest {
				rest[i] = rest[i].without(s)
			}
		}
	}
	d.ops = slices.DeleteFunc(rest, func(o entryOp) bool { return len(o.slots) == 0 })
}
