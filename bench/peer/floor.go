package peer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/tidwall/btree"
	"golang.org/x/sys/unix"
)

var refLogPeer = Peer{Name: "ref-log", Kind: Floor, Version: "this tree", Setting: "leader and followers, filled segments of 32 MiB; no recovery", Delays: true, Open: func(dir string, o Options) (Store, error) {
	return newRefLog(dir, o)
}}

var refMapPeer = Peer{Name: "ref-map", Kind: Floor, Version: "this tree", Setting: "ref-log and tidwall/btree under one RWMutex; no recovery", Delays: true, Open: openRefMap}

const refSegment = 32 << 20

// refLog is the plainest log with group commit: whoever finds nobody writing writes what
// has gathered, and hands the lead to one of those who came meanwhile.
type refLog struct {
	logOnly
	dir   string
	delay time.Duration
	ahead chan refFile // the next segment, filled and synced

	mu      sync.Mutex // guards the rest
	buf     []byte
	spare   []byte
	open    *refGroup
	leading bool

	f   *os.File // of the leader
	off int64
}

type refFile struct {
	f   *os.File
	err error
}

// refGroup is what is written together.
type refGroup struct {
	done chan struct{}
	lead chan struct{}
	err  error
}

func newRefGroup() *refGroup {
	return &refGroup{done: make(chan struct{}), lead: make(chan struct{}, 1)}
}

func newRefLog(dir string, o Options) (*refLog, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	l := &refLog{dir: dir, delay: o.Delay, ahead: make(chan refFile, 1), open: newRefGroup()}
	go l.make(0)
	return l, l.roll()
}

// make fills a segment ahead.
func (l *refLog) make(n int) {
	f, err := os.OpenFile(filepath.Join(l.dir, fmt.Sprint(n)), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err == nil {
		_, err = f.WriteAt(make([]byte, refSegment), 0)
	}
	if err == nil {
		err = f.Sync()
	}
	l.ahead <- refFile{f, err}
}

// roll goes on in the next segment.
func (l *refLog) roll() error {
	next := <-l.ahead
	if next.err != nil {
		return next.err
	}
	if l.f != nil {
		next.err = l.f.Close()
	}
	l.f, l.off = next.f, 0
	var n int
	if _, err := fmt.Sscan(filepath.Base(l.f.Name()), &n); err != nil {
		return err
	}
	go l.make(n + 1)
	return next.err
}

func (l *refLog) Put(key, value []byte) error { return l.commit(refFrame(nil, key, value)) }

func (l *refLog) PutAll(pairs []Pair) error {
	var b []byte
	for _, p := range pairs {
		b = refFrame(b, p.Key, p.Value)
	}
	return l.commit(b)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func refFrame(b, key, value []byte) []byte {
	from := len(b)
	b = binary.LittleEndian.AppendUint32(append(b, 0, 0, 0, 0), uint32(len(key))<<16|uint32(len(value)))
	b = append(append(b, key...), value...)
	binary.LittleEndian.PutUint32(b[from:], crc32.Checksum(b[from+4:], castagnoli))
	return b
}

// commit makes bytes durable.
func (l *refLog) commit(b []byte) error {
	l.mu.Lock()
	l.buf = append(l.buf, b...)
	g := l.open
	first := !l.leading
	l.leading = true
	l.mu.Unlock()
	if first {
		g.lead <- struct{}{}
	}
	select {
	case <-g.done:
	case <-g.lead:
		l.write(g)
	}
	return g.err
}

// write writes the open group, and hands the lead on.
func (l *refLog) write(g *refGroup) {
	l.mu.Lock()
	b := l.buf
	l.buf, l.open = l.spare[:0], newRefGroup()
	l.mu.Unlock()
	g.err = l.flush(b)
	close(g.done)
	l.mu.Lock()
	l.spare = b
	l.leading = len(l.buf) > 0
	if l.leading {
		l.open.lead <- struct{}{}
	}
	l.mu.Unlock()
}

func (l *refLog) flush(b []byte) error {
	if l.off+int64(len(b)) > refSegment {
		if err := l.roll(); err != nil {
			return err
		}
	}
	if _, err := l.f.WriteAt(b, l.off); err != nil {
		return err
	}
	l.off += int64(len(b))
	if l.delay > 0 {
		time.Sleep(l.delay)
	}
	return unix.Fdatasync(int(l.f.Fd()))
}

func (l *refLog) Close() error {
	next := <-l.ahead
	return errors.Join(next.err, next.f.Close(), l.f.Close())
}

// refMap is a refLog with an ordered map.
type refMap struct {
	*refLog
	mu   sync.RWMutex
	tree *btree.BTreeG[Pair]
}

func openRefMap(dir string, o Options) (Store, error) {
	l, err := newRefLog(dir, o)
	less := func(a, b Pair) bool { return string(a.Key) < string(b.Key) }
	return &refMap{refLog: l, tree: btree.NewBTreeGOptions(less, btree.Options{NoLocks: true})}, err
}

func clone(b []byte) []byte { return append([]byte(nil), b...) }

func (m *refMap) Put(key, value []byte) error {
	if err := m.refLog.Put(key, value); err != nil {
		return err
	}
	p := Pair{clone(key), clone(value)}
	m.mu.Lock()
	m.tree.Set(p)
	m.mu.Unlock()
	return nil
}

func (m *refMap) PutAll(pairs []Pair) error {
	if err := m.refLog.PutAll(pairs); err != nil {
		return err
	}
	m.mu.Lock()
	for _, p := range pairs {
		m.tree.Set(Pair{clone(p.Key), clone(p.Value)})
	}
	m.mu.Unlock()
	return nil
}

func (m *refMap) Get(key []byte) ([]byte, error) {
	m.mu.RLock()
	p, ok := m.tree.Get(Pair{Key: key})
	m.mu.RUnlock()
	if !ok {
		return nil, ErrNone
	}
	return p.Value, nil
}

func (m *refMap) Scan(fn func(key, value []byte) error) (err error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	m.tree.Scan(func(p Pair) bool {
		err = fn(p.Key, p.Value)
		return err == nil
	})
	return err
}
