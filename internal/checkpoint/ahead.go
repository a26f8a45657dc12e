package checkpoint

import (
	"encoding/binary"
	"sync"
)

// aheadReader is a chunkReader that reads a few blocks at once, each in a goroutine, and
// yields them in order. What takes time is the first touch of the memory that they go
// into, and that can be done beside each other.
type aheadReader struct {
	*chunkReader
	coming []*coming // in order
	last   *coming   // the last one that was begun with
	over   bool      // no block comes behind that
	all    sync.WaitGroup
}

// coming is a block on its way.
type coming struct {
	off     int64 // of its head
	number  uint64
	head    [blockHead]byte
	entries []byte
	err     error
	done    chan struct{} // closed when entries or err are there
}

const (
	blocksAhead = 4
	worthAhead  = 8 << 20 // a smaller file has been read before goroutines have begun
)

// block implements reading.
func (r *aheadReader) block() ([]byte, error) {
	for !r.over && len(r.coming) < blocksAhead {
		r.begin()
	}
	if len(r.coming) == 0 {
		r.at = r.off
		return nil, nil
	}
	b := r.coming[0]
	r.coming = r.coming[1:]
	<-b.done
	r.at = b.off
	if b.err != nil {
		return nil, b.err
	}
	r.want.count(b.head[:], len(b.entries))
	r.off = b.end()
	return b.entries, nil
}

// size returns how many bytes the head says.
func (b *coming) size() int64 { return int64(binary.LittleEndian.Uint32(b.head[:])) }

func (b *coming) end() int64 { return b.off + blockHead + b.size() }

// begin begins with the next block. What is wrong with it is told in its turn.
func (r *aheadReader) begin() {
	b := &coming{off: r.off, head: r.next, done: make(chan struct{})}
	if r.last != nil {
		b.off, b.number = r.last.end(), r.last.number+1
		b.err = r.read(b.head[:], b.off)
	}
	r.last = b
	switch n := b.size(); {
	case b.err != nil:
	case n == 0: // the footer begins so
		r.over = true
		return
	case n > r.size-b.off-blockHead-footerSize:
		b.err = damage("block of %d bytes runs over the end of the file", n)
	default:
		r.coming = append(r.coming, b)
		r.all.Go(func() { r.fetch(b) })
		return
	}
	r.over = true
	r.coming = append(r.coming, b)
	close(b.done)
}

// fetch reads the entries of a block.
func (r *aheadReader) fetch(b *coming) {
	defer close(b.done)
	b.entries = make([]byte, b.size())
	b.err = r.read(b.entries, b.off+blockHead)
	if b.err == nil && r.want.checkOf(b.number, b.entries) != binary.LittleEndian.Uint32(b.head[4:]) {
		b.err = damage("block does not match its checksum")
	}
}

// stop waits for what is under way.
func (r *aheadReader) stop() { r.all.Wait() }
