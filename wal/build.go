package wal

import (
	"fmt"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/vfs"
)

// buildGroup is how many bytes of payloads a Builder writes at once.
const buildGroup = 1 << 20

// Builder writes one finished segment, from its header to its seal, for whoever
// spells a log in another way. It belongs to one goroutine.
type Builder struct {
	f     vfs.File
	spell spelling
	head  Header
	off   int64 // where the next group goes
	held  group // added and not written
	size  int   // bytes of its payloads
	last  Seq   // added
	chain Chain // behind last
	texts [][]byte
	buf   []byte
}

// NewBuilder writes the header of a segment into an empty file, which the caller closes.
func NewBuilder(f vfs.File, codec Codec, h Header) (*Builder, error) {
	b := &Builder{f: f, spell: codec.spelling(), head: h, last: h.First - 1, chain: h.Chain}
	b.held = group{after: b.last, chain: b.chain, synced: b.last}
	head := b.spell.header(&h)
	b.off = int64(len(head))
	_, err := f.WriteAt(head, 0)
	return b, err
}

// Add adds the next batch; its payload is copied. ErrCorrupt where it does not follow,
// by its number or its chain value.
func (b *Builder) Add(e Entry) error {
	r := Record{Payload: append([]byte(nil), e.Payload...), Sum: batch.Sum(e.Payload), Time: e.Time, Flags: e.Flags}
	var err error
	if r.Hash, err = payloadHash(e.Flags, e.Payload); err != nil {
		return err
	}
	if chain := b.chain.Next(r.Hash); e.Seq != b.last+1 || e.Chain != chain {
		return damage(fmt.Sprintf("%v does not follow %v", e.Seq, b.last))
	}
	b.held.records = append(b.held.records, r)
	b.last, b.chain = e.Seq, e.Chain
	if b.size += len(r.Payload); b.size < buildGroup {
		return nil
	}
	return b.flush()
}

// flush writes what is held as one group.
func (b *Builder) flush() error {
	if len(b.held.records) == 0 {
		return nil
	}
	b.texts = b.spell.texts(b.held.records, b.texts)
	b.held.texts = b.texts
	for _, text := range b.texts {
		if len(text) > batch.MaxRecord {
			return batch.TooLarge("line", len(text), batch.MaxRecord)
		}
	}
	b.buf, _ = b.spell.appendGroup(b.buf[:0], &b.held, spot{b.head.salt(), b.off})
	if _, err := b.f.WriteAt(b.buf, b.off); err != nil {
		return err
	}
	b.off += int64(len(b.buf))
	b.held = group{after: b.last, chain: b.chain, synced: b.head.First - 1, records: b.held.records[:0]}
	b.size = 0
	return nil
}

// Finish writes the seal and syncs; the directory is not synced. A segment has at
// least one batch.
func (b *Builder) Finish(now int64) (Kept, error) {
	if b.last < b.head.First {
		return Kept{}, damage("a segment without a batch")
	}
	if err := b.flush(); err != nil {
		return Kept{}, err
	}
	g := &group{after: b.last, chain: b.chain, synced: b.last}
	seal := b.spell.appendSeal(nil, g, uint64(b.last-b.head.First+1), sealPlace{b.head.salt(), b.off, now})
	end, err := sealFile(b.f, seal, b.off)
	return Kept{First: b.head.First, Last: b.last, Epoch: b.head.Epoch, Size: end}, err
}
