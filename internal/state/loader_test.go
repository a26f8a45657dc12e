package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/vlogdb/vlog/fuzz/cost"
	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
)

// entryBytes spells an entry out, with lengths that need not be true.
func entryBytes(key, value string, seq uint64) []byte {
	b := binary.AppendUvarint(nil, uint64(len(key)))
	b = binary.AppendUvarint(b, uint64(len(value)))
	b = binary.AppendUvarint(b, seq)
	return append(append(b, key...), value...)
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestHostileBlocks(t *testing.T) {
	good := entryBytes("\x01\x00a", "v", 1)
	for name, blocks := range map[string][][]byte{
		"descends":               {join(good, entryBytes("\x01\x00", "v", 1))},
		"twice":                  {join(good, good)},
		"twice in two blocks":    {good, good},
		"no seq":                 {entryBytes("\x01\x00a", "v", 0)},
		"a later seq":            {entryBytes("\x01\x00a", "v", 8)},
		"a huge seq":             {entryBytes("\x01\x00a", "v", 1<<63)},
		"no key":                 {entryBytes("", "v", 1)},
		"a short key":            {entryBytes("\x01", "v", 1)},
		"no tenant":              {entryBytes("\x01abc", "v", 1)},
		"main spelled out":       {entryBytes("\x01main\x00a", "v", 1)},
		"a bad tenant":           {entryBytes("\x01A\x00a", "v", 1)},
		"a bad tenant behind":    {join(good, entryBytes("\x01.a\x00a", "v", 1))},
		"a long key":             {entryBytes("\x01\x00"+string(make([]byte, batch.MaxKey+1)), "v", 1)},
		"a long key of a tenant": {entryBytes("\x01ab\x00"+string(make([]byte, batch.MaxKey+1)), "v", 1)},
		"half an entry":          {good[:len(good)-1]},
		"half a header":          {good[:2]},
		"half a varint":          {{0x80}},
		"a long varint":          {join([]byte{0x83, 0x00}, good[1:])},
		"an endless varint":      {bytes.Repeat([]byte{0xff}, 40)},
		"key beyond the end":     {join(binary.AppendUvarint(nil, 1<<40), []byte{0, 1})},
		"key behind the end":     {join([]byte{9, 0, 1}, []byte("\x01\x00a"))},
		"value beyond the end":   {join([]byte{3}, binary.AppendUvarint(nil, 1<<62), []byte{1}, []byte("\x01\x00a"))},
		"lengths that overflow":  {join(binary.AppendUvarint(nil, 1<<63), binary.AppendUvarint(nil, 1<<63), []byte{1, 1, 0})},
		"an entry in two blocks": {good[:4], good[4:]},
	} {
		l := NewLoader(Position{Seq: 7})
		var err error
		for _, block := range blocks {
			err = l.Add(block)
		}
		if !errors.Is(err, fault.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := l.Picture(); !errors.Is(err, fault.ErrCorrupt) {
			t.Errorf("%s: Picture: %v", name, err)
		}
	}
}

// TestLoaderIsUsed: a loader gives one picture.
func TestLoaderIsUsed(t *testing.T) {
	l := NewLoader(Position{Seq: 7, Time: 5})
	longest := entryBytes("\x01\x00a"+string(make([]byte, batch.MaxKey-1)), "v", 7)
	for _, block := range [][]byte{nil, entryBytes("\x01\x00a", "v", 7), longest, {}} {
		if err := l.Add(block); err != nil {
			t.Fatal(err)
		}
	}
	p, err := l.Picture()
	if err != nil || p.Len() != 2 || p.Seq() != 7 || p.Time() != 5 {
		t.Errorf("%v %v", p, err)
	}
	mustBeSound(t, p)
	if _, err := l.Picture(); err == nil {
		t.Error("a second picture")
	}
}

// TestLoadSizes: every number of leaves and nodes is put together rightly.
func TestLoadSizes(t *testing.T) {
	for _, n := range []int{0, 1, 2, leafLoad, leafLoad + 1, leafLoad - 1, leafLoad*nodeLoad - 1, leafLoad * nodeLoad, leafLoad*nodeLoad + 1, 100_000} {
		p := load(t, inserted(benchKeys(n, false), 5000), 1<<14)
		mustBeSound(t, p)
		if leaves, twigs := parts(p.Len(), leafLoad), parts(p.leaves, nodeLoad); p.leaves != leaves || p.twigs != twigs {
			t.Errorf("%d keys in %d leaves and %d twigs, not %d and %d", p.Len(), p.leaves, p.twigs, leaves, twigs)
		}
		e := NewEdit(p)
		put(e, 1<<30, kvKey("new"), nil)
		mustBeSound(t, e.Picture())
		mustBeSound(t, p)
	}
}

// parts returns how many parts of at most size make n, at least one.
func parts(n, size int) int { return max((n+size-1)/size, 1) }

// FuzzLoader feeds blocks of any bytes. What is taken must be a sound picture
// whose image is the same bytes.
func FuzzLoader(f *testing.F) {
	p := inserted(benchKeys(40, false), 7)
	for block := range p.Image(1 << 20) {
		f.Add(bytes.Clone(block), uint16(len(block)/2))
	}
	f.Add([]byte{}, uint16(0))
	f.Add(entryBytes("\x01\x00a", "v", 1), uint16(9))
	f.Add(join(entryBytes("\x01\x00", "", 1), entryBytes("\x01\x00\x00", "", 2), entryBytes("\x01a\x00k", "v", 300)), uint16(5))
	f.Fuzz(func(t *testing.T, image []byte, cut uint16) {
		n := min(int(cut), len(image))
		l := NewLoader(Position{Seq: 1 << 20})
		var p *Picture
		var taken bool
		var err error
		cost.Within(t, 64*len(image)+8<<20, func() {
			taken = l.Add(bytes.Clone(image[:n])) == nil && l.Add(bytes.Clone(image[n:])) == nil
			p, err = l.Picture()
		})
		if !taken {
			if !errors.Is(err, fault.ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		mustBeSound(t, p)
		var again []byte
		for block := range p.Image(100) {
			again = append(again, block...)
		}
		if !bytes.Equal(again, image) {
			t.Fatal("the image is another one")
		}
	})
}
