package wal

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

// Options of a local log. Store, Rand and Now are required; zero sizes mean the defaults.
type Options struct {
	Store       StoreID
	Codec       Codec         // of the store
	SegmentSize int64         // bytes at which a segment is finished
	MaxRecord   int           // bytes of one payload
	Spares      int           // files kept ahead or for reuse; 0 keeps none
	Grow        int64         // bytes of zeros written ahead of the end of a file that was not prepared
	Reserve     int64         // bytes of them kept for batches that only delete; at most an eighth of a segment
	Rand        func() uint64 // epochs
	Now         func() int64  // nanoseconds since 1970, for headers only
	Logger      *slog.Logger  // nil is silent

	ballast int64 // bytes kept in a file of their own, where Reserve cannot be kept in the segment
}

// Defaults of a local log, in bytes.
const (
	DefaultSegmentSize = 32 << 20
	minSegmentSize     = 2 << 10
	maxGroup           = 4 << 20
)

func (o Options) withDefaults() Options {
	if o.SegmentSize == 0 {
		o.SegmentSize = DefaultSegmentSize
	}
	o.SegmentSize = max(o.SegmentSize, minSegmentSize)
	o.Reserve = min(o.Reserve, o.SegmentSize/8)
	if !o.Codec.spelling().ahead() {
		if o.Reserve > 0 {
			o.ballast = o.Reserve + o.sealRoom()
		}
		o.Spares, o.Grow, o.Reserve = 0, 0, 0
	}
	if o.MaxRecord == 0 {
		o.MaxRecord = batch.DefaultMaxBatch
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Start is where a local log goes on: what recovery found and made sure of.
type Start struct {
	Segments []Kept // sealed, ascending
	Last     Seq    // of the log or of the checkpoint, all durable
	Chain    Chain  // behind Last
}

// Kept is a sealed segment.
type Kept struct {
	First, Last Seq
	Epoch       uint64
	Size        int64 // bytes
}

// Local is the log in a directory. It begins a segment with the first append.
type Local struct {
	fs    vfs.FS
	opts  Options
	spell spelling
	boot  [16]byte

	// turn is held by whoever appends, syncs, trims, prepares files or closes; it
	// is a semaphore and not a mutex because it is held across disk operations.
	turn    chan struct{}
	active  *active  // guarded by turn; nil until the next append
	after   Seq      // last appended; guarded by turn
	chain   Chain    // behind after; guarded by turn
	mark    vfs.File // log/durable; guarded by turn; nil where it could not be kept
	ballast ballast  // guarded by turn
	buf     []byte   // guarded by turn
	texts   [][]byte // guarded by turn

	// upkeep is held by whoever trims, making by whoever prepares a file, which may
	// take seconds; Close takes both.
	upkeep, making chan struct{}

	mu      sync.Mutex     // guards what follows; never held across disk operations
	kept    []Kept         // sealed segments
	open    Kept           // the active one; First 0 where there is none
	durable Seq            // last durable
	dchain  Chain          // behind durable
	more    chan struct{}  // closed and replaced when durable moves or the log ends
	failed  error          // first failure, ends writing
	closed  bool           // takes no more work
	over    bool           // closed, and nothing more will become durable
	readers map[uint64]int // readers of a segment, by epoch
	spares  []string       // ready to be used
	spareN  int            // last number given
}

// active is the segment being written.
type active struct {
	f     vfs.File
	spare string // its name until it is entered
	name  string
	head  Header
	salt  salt
	off   int64 // where the next group goes
	size  int64 // of the file as prepared
	count uint64
	dirty bool // written and not synced
}

// Resume returns a log that goes on behind start. The directory must be as
// recovery leaves it: only sealed segments. It writes log/durable.
func Resume(fsys vfs.FS, opts Options, start Start) (*Local, error) {
	l := &Local{fs: fsys, opts: opts.withDefaults(), spell: opts.Codec.spelling(), boot: BootID(fsys.Boot()), turn: make(chan struct{}, 1), upkeep: make(chan struct{}, 1), making: make(chan struct{}, 1),
		after: start.Last, chain: start.Chain, kept: start.Segments, durable: start.Last, dchain: start.Chain,
		more: make(chan struct{}), readers: map[uint64]int{}}
	f, err := fsys.Open(DurableName, vfs.Create)
	if err != nil {
		return nil, err
	}
	l.mark = f
	if err := l.writeMark(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return l, nil
}

// take waits for the turn. A log that failed or was closed gives it out no more.
func (l *Local) take(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := l.ended(); err != nil {
		<-l.turn
		return err
	}
	return nil
}

func (l *Local) give() { <-l.turn }

// Err returns nil while the log takes work, else why not: ErrClosed, or ErrPoisoned
// with its cause.
func (l *Local) Err() error { return l.ended() }

// ended returns why no more work is taken, or nil.
func (l *Local) ended() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.whyLocked(l.closed)
}

func (l *Local) whyLocked(closed bool) error {
	if closed {
		return &fault.Error{Op: "log", Err: fault.ErrClosed}
	}
	if l.failed != nil {
		return &fault.Error{Op: "log", Err: fault.ErrPoisoned, Cause: l.failed}
	}
	return nil
}

// Fail ends writing because of a failure elsewhere in the directory: nothing more
// is written, not even a seal.
func (l *Local) Fail(cause error) { l.fail(cause) }

// fail ends writing; the first cause is kept.
func (l *Local) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed == nil {
		l.failed = err
	}
	l.wakeLocked()
}

func (l *Local) wakeLocked() {
	close(l.more)
	l.more = make(chan struct{})
}

// Limits implements Log.
func (l *Local) Limits() Limits { return Limits{Record: l.opts.MaxRecord, Group: maxGroup} }

// Bounds implements Log.
func (l *Local) Bounds(context.Context) (first, last Seq, chain Chain, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.firstLocked(), l.durable, l.dchain, nil
}

func (l *Local) firstLocked() Seq {
	if len(l.kept) > 0 {
		return l.kept[0].First
	}
	if l.open.First != 0 {
		return l.open.First
	}
	return l.durable + 1
}

// Stats counts what lies in the log's directory, checkpoints aside.
type Stats struct {
	Segments int   // sealed ones and the one being written
	Bytes    int64 // that they use
	Spares   int
}

// Stats returns how much the log holds.
func (l *Local) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Stats{Segments: len(l.kept), Spares: len(l.spares)}
	for _, k := range l.kept {
		s.Bytes += k.Size
	}
	if l.open.First != 0 {
		s.Segments++
		s.Bytes += l.open.Size
	}
	return s
}

// Close syncs and seals what was written and removes the spares and log/durable,
// so that only sealed segments stay. After a failed write or sync nothing is
// written any more and Close returns that failure.
func (l *Local) Close() error {
	for _, held := range []chan struct{}{l.turn, l.making, l.upkeep} {
		held <- struct{}{}
		defer func() { <-held }()
	}
	l.mu.Lock()
	was, failed := l.closed, l.failed
	l.closed = true
	l.mu.Unlock()
	if was {
		return &fault.Error{Op: "close log", Err: fault.ErrClosed}
	}
	defer l.end()
	if failed != nil {
		return errors.Join(&fault.Error{Op: "close log", Err: fault.ErrPoisoned, Cause: failed}, l.drop())
	}
	if err := l.finish(); err != nil {
		return errors.Join(err, l.drop())
	}
	return l.tidy()
}

// end tells followers, behind the last batch that became durable, that there will
// be no other.
func (l *Local) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	l.wakeLocked()
}

// drop closes the files without writing.
func (l *Local) drop() (err error) {
	if l.active != nil {
		err = l.active.f.Close()
		l.active = nil
	}
	if l.mark != nil {
		err = errors.Join(err, l.mark.Close())
		l.mark = nil
	}
	return err
}

// tidy removes what a clean close does not leave.
func (l *Local) tidy() error {
	err := l.drop()
	l.mu.Lock()
	names := append([]string{DurableName}, l.spares...)
	l.spares = nil
	l.mu.Unlock()
	if l.ballast.name != "" {
		names = append(names, l.ballast.name)
	}
	for _, name := range names {
		if e := l.fs.Remove(name); !errors.Is(e, fault.ErrNotFound) {
			err = errors.Join(err, e)
		}
	}
	return errors.Join(err, l.fs.SyncDir(Dir))
}
