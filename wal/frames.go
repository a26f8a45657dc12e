package wal

import (
	"fmt"

	"github.com/vlogdb/vlog/internal/batch"
)

// frames is the spelling of the binary codec. See the package comment for its bytes.
type frames struct{}

func (frames) unit() int64 { return sector }

func (frames) ahead() bool { return true }

func (frames) header(h *Header) []byte { return h.encode() }

func (frames) readHeader(w *window) (Header, int64, error) {
	b, err := w.at(0, HeaderSize)
	if err != nil {
		return Header{}, 0, err
	}
	h, err := decodeHeader(b)
	return h, HeaderSize, err
}

// texts implements spelling: payloads stand in the file as they are.
func (frames) texts([]Record, [][]byte) [][]byte { return nil }

func (frames) size(g *group) int64 {
	n := int64(chainSize)
	for i := range g.records {
		n += frameHead + alignUp(int64(len(g.records[i].Payload)), frameAlign)
	}
	return alignUp(n, sector)
}

// appendGroup implements spelling. The group is padded to whole sectors.
func (frames) appendGroup(dst []byte, g *group, at spot) ([]byte, Chain) {
	base := len(dst)
	chain := g.chain
	for i := range g.records {
		r := &g.records[i]
		f := frame{kind: kindBatch, flags: byte(r.Flags), length: uint32(len(r.Payload)), seq: g.after + 1 + Seq(i), time: r.Time, synced: g.synced, sum: r.Sum}
		if i == 0 {
			f.flags |= flagOpens
			f.chain = chain
		}
		dst = appendZeros(dst, base, frameAlign)
		dst = appendFrame(dst, &f, at.salt, at.off+int64(len(dst)-base))
		dst = append(dst, r.Payload...)
		chain = chain.Next(r.Hash)
	}
	return appendZeros(dst, base, sector), chain
}

func (frames) sealSize() int64 { return sector }

// appendSeal implements spelling: the seal behind count frames; g.after is the last seq.
func (frames) appendSeal(dst []byte, g *group, count uint64, place sealPlace) []byte {
	body := sealPayload(count, g.chain)
	f := frame{kind: kindSeal, flags: flagOpens, length: sealBody, seq: g.after, time: place.time, synced: g.synced, sum: batch.Sum(body), chain: g.chain}
	base := len(dst)
	dst = appendFrame(dst, &f, place.salt, place.off)
	dst = append(dst, body...)
	return appendZeros(dst, base, sector)
}

// find looks for the next header: in the same group at the next multiple of 8,
// else at the next sector.
func (frames) find(r *reader) (f frame, off int64, err error) {
	b, err := r.win.at(r.pos, sector+openHead)
	if err != nil {
		return f, 0, err
	}
	inGroup, atSector := alignUp(r.pos, frameAlign), alignUp(r.pos, sector)
	if f, ok := r.headerIn(b, inGroup); ok && !f.opens() && r.count > 0 {
		return f, inGroup, nil
	}
	if f, ok := r.headerIn(b, atSector); ok && f.opens() {
		return f, atSector, nil
	}
	return frame{why: "no frame"}, inGroup, nil
}

// headerIn decodes the header at off, b being what follows r.pos, and looks at
// the padding before it.
func (r *reader) headerIn(b []byte, off int64) (frame, bool) {
	gap := min(off-r.pos, int64(len(b)))
	f, ok := decodeFrame(b[gap:], r.salt, off)
	if ok {
		r.pad(b[:gap], r.pos)
	}
	return f, ok
}

func (frames) body(r *reader, f *frame, off int64) (payload []byte, why string, err error) {
	switch left := r.win.size - off - f.head(); {
	case f.length > batch.MaxRecord:
		return nil, fmt.Sprintf("payload of %d bytes", f.length), nil
	case uint64(f.length) > uint64(left):
		return nil, fmt.Sprintf("payload of %d bytes runs over the end of the file", f.length), nil
	case f.kind == kindSeal && f.length != sealBody:
		return nil, fmt.Sprintf("seal of %d bytes", f.length), nil
	}
	payload, err = r.win.at(off+f.head(), int64(f.length))
	if err == nil && batch.Sum(payload) != f.sum {
		why = "payload does not match its checksum"
	}
	return payload, why, err
}

// behind implements spelling. Stale frames of another epoch, and what is no header
// at all, make no tail: files are filled ahead and used again.
func (frames) behind(r *reader, found func(*frame, int64)) (tail bool, err error) {
	for off := alignUp(r.pos, frameAlign); off < r.win.size; {
		b, err := r.win.at(off, windowSize)
		if err != nil {
			return tail, r.wrap(err, off)
		}
		ends := off+int64(len(b)) == r.win.size
		last := int64(len(b)) - openHead
		if ends {
			last = int64(len(b)) - frameHead
		}
		i := int64(0)
		for ; i <= last; i += frameAlign {
			if b[i] != 'v' || b[i+1] != 'F' {
				continue
			}
			if f, ok := decodeFrame(b[i:], r.salt, off+i); ok {
				tail = true
				found(&f, off+i)
			}
		}
		if ends {
			break
		}
		off += i
	}
	return tail, nil
}
