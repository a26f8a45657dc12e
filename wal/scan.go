package wal

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

// Segment is what reading a segment found.
type Segment struct {
	Name     string // path inside the store
	Codec    Codec
	Header   Header
	Start    int64  // behind the header
	Size     int64  // of the file
	End      int64  // behind the last good frame, or behind the seal
	Frames   uint64 // good ones
	Last     Seq    // of the last good frame; Header.First-1 where there is none
	LastTime int64
	ChainEnd Chain // behind the last good frame
	Synced   Seq   // every batch up to here was durable, as headers and seal say
	Sealed   bool
	seal     int64 // offset of the seal
	Bad      *Bad  // where the frames stop checking out; nil at a clean end
	Stray    int64 // offset of the first padding that is not zero; 0 where all is
	groups   []groupMark
}

// groupMark is where a group begins that no frame behind it proves durable.
type groupMark struct {
	first Seq
	off   int64
}

// From returns the offset of the group that holds the first frame behind proven,
// or 0 where every frame is proven.
func (s *Segment) From(proven Seq) int64 {
	if proven >= s.Last {
		return 0
	}
	off := s.Start
	for _, g := range s.groups {
		if g.first <= proven+1 {
			off = g.off
		}
	}
	return off
}

// Bad is a place where a frame of this segment should stand and none checks out,
// although headers of its epoch stand there or behind it.
type Bad struct {
	Offset int64
	Want   Seq // the seq that should stand there
	Why    string
	// Denied says that a frame or seal stands there which checks out by itself and was
	// written behind other batches than those before it. No crash leaves that: a batch
	// was changed, with its checksum.
	Denied bool
}

// Space returns the offset at which another group or the seal would stand.
func (s *Segment) Space() int64 { return alignUp(s.End, s.Codec.spelling().unit()) }

// ErrStop is what a Visit returns so that Scan ends before that frame as if it did
// not check out.
var ErrStop = errors.New("stop")

// Visit is called with each good frame in order; off is where its header stands.
type Visit func(e Entry, off int64) error

// ReadHeader reads and checks the header of a segment: ErrForeign where it
// belongs to another store, ErrCorrupt where it is damaged or the file was
// renamed, ErrIncompatible where it comes from the future.
func ReadHeader(fsys vfs.FS, name string, store StoreID) (Header, error) {
	f, err := fsys.Open(name, vfs.ReadOnly)
	if err != nil {
		return Header{}, err
	}
	r, err := newLiveReader(f, name, store)
	return r.header, errors.Join(err, f.Close())
}

// Place is a segment in a store.
type Place struct {
	FS    vfs.FS
	Name  string // path inside the store
	Store StoreID
}

// Scan reads a whole segment and calls visit, which may be nil, for each good
// frame. Damage and torn tails are told in the result; the error is for what
// stops reading: the header, the disk, a frame of the future, visit's own error, or
// the context, which is looked at once per MiB.
func Scan(ctx context.Context, at Place, visit Visit) (*Segment, error) {
	return at.scan(ctx, false, visit)
}

// scan is Scan; live says that another process may be writing the file, and end it.
func (at Place) scan(ctx context.Context, live bool, visit Visit) (*Segment, error) {
	f, err := at.FS.Open(at.Name, vfs.ReadOnly)
	if err != nil {
		return nil, err
	}
	r, err := unread(f, at.Name, 0)
	if err == nil {
		r.win.ctx, r.win.live = ctx, live
		err = r.begin(at.Store)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	seg, err := scanFrames(r, visit)
	return seg, errors.Join(err, f.Close())
}

func scanFrames(r *reader, visit Visit) (*Segment, error) {
	seg := &Segment{Name: r.name, Header: r.header, Size: r.win.size, Codec: r.codec, Start: r.pos, End: r.pos, Last: r.header.First - 1, ChainEnd: r.header.Chain}
	for {
		more, err := r.step()
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		if r.frame.kind == kindSeal {
			seg.took(r)
			return seg, nil
		}
		if visit != nil {
			err = visit(r.entry(), r.off)
		}
		if err == errEnough {
			seg.took(r)
			return seg, nil
		}
		if errors.Is(err, ErrStop) {
			seg.Bad = &Bad{Offset: r.off, Want: r.frame.seq, Why: "its batch cannot be read"}
			return seg, nil
		}
		if err != nil {
			return nil, err
		}
		seg.took(r)
	}
	return seg, seg.lookBehind(r)
}

// took adds the frame that r stands on.
func (s *Segment) took(r *reader) {
	s.End, s.Stray = r.pos, r.stray
	if r.frame.kind == kindSeal {
		s.Sealed, s.seal = true, r.off
		s.Synced = max(s.Synced, r.frame.seq)
		return
	}
	s.Frames++
	s.Last, s.LastTime, s.ChainEnd = r.frame.seq, r.frame.time, r.chain
	s.Synced = max(s.Synced, r.frame.synced)
	if r.frame.opens() {
		s.mark(r)
	}
}

// mark notes a group and forgets those that are proven by now, but for the last
// of them, which may reach beyond what is proven.
func (s *Segment) mark(r *reader) {
	n := 0
	for n+1 < len(s.groups) && s.groups[n+1].first <= s.Synced {
		n++
	}
	s.groups = append(s.groups[n:], groupMark{r.frame.seq, r.off})
}

// lookBehind looks for headers of this epoch from where r stopped: none means
// that the log simply ends here. Good headers tell what was durable, also where
// their payloads are gone.
func (s *Segment) lookBehind(r *reader) error {
	tail, err := r.spell.behind(r, func(f *frame, _ int64) {
		s.Synced = max(s.Synced, f.synced)
		if f.kind == kindSeal {
			s.Synced = max(s.Synced, f.seq)
		}
	})
	if tail {
		s.Bad = &Bad{Offset: r.badAt, Want: r.next, Why: r.why, Denied: r.denied}
	}
	return err
}

// reader walks the frames of one segment.
type reader struct {
	name   string
	codec  Codec
	spell  spelling
	win    window
	header Header
	salt   salt

	pos   int64 // behind the last good frame
	next  Seq   // that should come
	chain Chain // before next
	count uint64

	frame   frame // the last good one
	off     int64 // of its header
	payload []byte
	room    []byte // reused for payloads that are not in the file as they are
	again   []byte // reused for lines that are spelled again to see whether they are spelled so

	badAt  int64 // where a frame was missed, and why
	why    string
	denied bool  // what stands there was written behind other batches
	stray  int64 // first padding byte that is not zero
}

// newReader reads the header of a segment. With a limit other than 0 nothing
// behind that offset is looked at: there the file may be written or cut meanwhile.
func newReader(f vfs.File, name string, store StoreID, limit int64) (*reader, error) {
	r, err := unread(f, name, limit)
	if err != nil {
		return r, err
	}
	return r, r.begin(store)
}

// newLiveReader is newReader for a file that another process may be writing, and end.
func newLiveReader(f vfs.File, name string, store StoreID) (*reader, error) {
	r, err := unread(f, name, 0)
	if err != nil {
		return r, err
	}
	r.win.live = true
	return r, r.begin(store)
}

// unread is a reader that has read nothing yet.
func unread(f vfs.File, name string, limit int64) (*reader, error) {
	codec := Binary
	if strings.HasSuffix(name, NDJSON.extension()) {
		codec = NDJSON
	}
	r := &reader{name: name, codec: codec, spell: codec.spelling()}
	st, err := f.Stat()
	if err != nil {
		return r, err
	}
	r.win = window{r: f, size: st.Size}
	if limit > 0 {
		r.win.size = min(limit, st.Size)
	}
	return r, nil
}

// begin reads the header.
func (r *reader) begin(store StoreID) (err error) {
	if r.header, r.pos, err = r.spell.readHeader(&r.win); err != nil {
		return r.wrap(err, 0)
	}
	r.salt = r.header.salt()
	r.next, r.chain = r.header.First, r.header.Chain
	return r.belongs(store)
}

// belongs checks that the segment is of this store and has its own name.
func (r *reader) belongs(store StoreID) error {
	if r.header.Store != store {
		return r.wrap(&fault.Error{Err: fault.ErrForeign, Detail: fmt.Sprintf("segment of store %x", r.header.Store)}, 0)
	}
	if want := r.codec.SegmentName(r.header.First); want != r.name {
		return r.wrap(damage(fmt.Sprintf("the segment that belongs at %s", want)), 0)
	}
	return nil
}

// wrap says where: path and offset.
func (r *reader) wrap(err error, off int64) error {
	if i, ok := err.(*interrupted); ok {
		return i.cause
	}
	e, ok := err.(*fault.Error)
	if !ok {
		return &fault.Error{Op: "read", At: fault.Place{Path: r.name, Offset: off, Seq: uint64(r.next)}, Err: fault.ErrIO, Cause: err}
	}
	at := *e
	at.At.Path = r.name
	if at.At.Offset == 0 {
		at.At.Offset = off
	}
	if at.Op == "" {
		at.Op = "read segment"
	}
	return &at
}

// entry returns the frame that r stands on.
func (r *reader) entry() Entry {
	return Entry{Seq: r.frame.seq, Time: r.frame.time, Flags: recordFlags(&r.frame), Chain: r.chain, Payload: r.payload}
}

func recordFlags(f *frame) batch.Flags { return batch.Flags(f.flags & flagsRecord) }

// step goes to the next frame. It returns false where none checks out; why and
// badAt then say what was missed.
func (r *reader) step() (bool, error) {
	f, off, err := r.spell.find(r)
	if err != nil {
		return false, r.wrap(err, r.pos)
	}
	if f.why != "" {
		return r.missed(off, f.why)
	}
	if err := f.known(); err != nil {
		return false, r.wrap(err, off)
	}
	if why := r.misfit(&f); why != "" {
		r.denied = true
		return r.missed(off, why)
	}
	body, why, err := r.spell.body(r, &f, off)
	if err != nil {
		return false, r.wrap(err, off)
	}
	if why != "" {
		return r.missed(off, why)
	}
	return r.take(f, off, body)
}

func (r *reader) missed(off int64, why string) (bool, error) {
	r.badAt, r.why = off, why
	return false, nil
}

// pad notes the first padding byte that is not zero; off is where b stands.
func (r *reader) pad(b []byte, off int64) {
	for i := range b {
		if b[i] != 0 && r.stray == 0 {
			r.stray = off + int64(i)
		}
	}
}

// misfit says why a good header does not belong here; empty where it does.
func (r *reader) misfit(f *frame) string {
	switch {
	case f.kind == kindBatch && f.seq != r.next:
		return fmt.Sprintf("frame of %v", f.seq)
	case f.kind == kindSeal && f.seq != r.next-1:
		return fmt.Sprintf("seal of %v", f.seq)
	case f.opens() && f.chain != r.chain:
		return "chain value does not match"
	}
	return ""
}

// take makes f the frame that r stands on.
func (r *reader) take(f frame, off int64, body []byte) (bool, error) {
	if f.kind == kindSeal {
		if alignUp(off+f.size, r.spell.unit()) > r.win.size {
			return r.missed(off, "seal is not whole")
		}
		if !r.sealFits(body) {
			r.denied = true
			return r.missed(off, "seal does not match the frames")
		}
	} else {
		hash, err := payloadHash(batch.Flags(f.flags&flagsRecord), body)
		if err != nil {
			return false, r.wrap(err, off)
		}
		r.chain = r.chain.Next(hash)
		r.next++
		r.count++
	}
	r.frame, r.off, r.payload, r.pos = f, off, body, off+f.size
	if f.kind == kindSeal {
		return r.behindSeal()
	}
	return true, nil
}

// behindSeal goes to the end of the seal's unit.
func (r *reader) behindSeal() (bool, error) {
	end := alignUp(r.pos, r.spell.unit())
	b, err := r.win.at(r.pos, end-r.pos)
	if err != nil {
		return false, r.wrap(err, r.pos)
	}
	r.pad(b, r.pos)
	r.pos = end
	return true, nil
}

func (r *reader) sealFits(body []byte) bool {
	want := sealPayload(r.count, r.chain)
	return string(want) == string(body)
}

// payloadHash returns what a payload adds to the chain: its own hash, or that of
// the batch object which it refers to.
func payloadHash(flags batch.Flags, payload []byte) (batch.Digest, error) {
	if flags&batch.FlagRef == 0 {
		return batch.Hash(payload), nil
	}
	ref, err := batch.DecodeRef(payload)
	return ref.Digest, err
}
