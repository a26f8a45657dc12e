package state

import (
	"bytes"
	"slices"
	"testing"

	"github.com/vlogdb/vlog/internal/batch"
)

// hardKeys are sets of keys that are easy to confuse by their first bytes, their
// length or the zeros behind them.
func hardKeys() map[string][][]byte {
	sets := map[string][][]byte{}
	add := func(name string, key []byte) {
		sets[name] = append(sets[name], batch.AppendKey(nil, batch.KV, batch.Main, key))
	}
	for i := range 300 {
		add("zeros", make([]byte, i))
		add("ff", bytes.Repeat([]byte{0xff}, i))
		add("zeros and one", append(make([]byte, i), 1))
		add("long prefix", append(bytes.Repeat([]byte("p"), 5000), byte(i>>4), byte(i)))
		add("two clusters", append(bytes.Repeat([]byte{byte('a' + i%2)}, 40), byte(i>>8), byte(i)))
		add("zero padded", append([]byte{byte(i >> 8), byte(i)}, make([]byte, i%11)...))
		add("longest", append(bytes.Repeat([]byte{7}, batch.MaxKey-2), byte(i>>8), byte(i)))
		add("doubling", bytes.Repeat([]byte{3}, min(i*i, batch.MaxKey)))
		add("outlier", append(bytes.Repeat([]byte("same head "), i%7), byte(i)))
	}
	for name, keys := range sets {
		slices.SortFunc(keys, bytes.Compare)
		sets[name] = slices.CompactFunc(keys, bytes.Equal)
	}
	return sets
}

func TestHardKeys(t *testing.T) {
	for name, keys := range hardKeys() {
		t.Run(name, func(t *testing.T) {
			up := func(i int) int { return i }
			down := func(i int) int { return len(keys) - 1 - i }
			order := perm(len(keys))
			for _, order := range []func(int) int{up, down, func(i int) int { return order[i] }} {
				tryKeys(t, keys, order)
			}
		})
	}
}

// tryKeys puts keys one by one in an order, then takes them out again.
func tryKeys(t *testing.T, keys [][]byte, order func(int) int) {
	e := NewEdit(Empty())
	for i := range keys {
		key := keys[order(i)]
		put(e, i+1, key, key[:1])
	}
	p := e.Picture()
	mustBeSound(t, p)
	lookUp(t, p, keys)
	lookUp(t, load(t, p, 4096), keys)
	for i := range keys {
		b := &batch.Batch{Counter: 1, Ops: []batch.Op{{Kind: batch.Delete, Key: keys[order(i)]}}}
		e.Apply(b, Position{Seq: batch.Seq(len(keys) + i + 1)})
	}
	q := e.Picture()
	mustBeSound(t, q)
	if q.Len() != 1 || p.Len() != len(keys)+1 {
		t.Errorf("%d keys are left of %d", q.Len(), p.Len())
	}
}

func lookUp(t *testing.T, p *Picture, keys [][]byte) {
	t.Helper()
	base := p.Count(nil, keys[0])
	for i, key := range keys {
		if e, ok := p.Get(key); !ok || !bytes.Equal(e.Key, key) {
			t.Fatalf("key %d is not found", i)
		}
		if n := p.Count(nil, key); n != base+i {
			t.Fatalf("%d keys below key %d", n-base, i)
		}
		next := append(bytes.Clone(key), 0)
		if _, ok := p.Get(next); ok != (i+1 < len(keys) && bytes.Equal(keys[i+1], next)) {
			t.Fatalf("what is behind key %d is found: %v", i, ok)
		}
		for e := range p.Descend(nil, next) {
			if !bytes.Equal(e.Key, key) {
				t.Fatalf("%x is before the end of key %d", e.Key, i)
			}
			break
		}
	}
}

// TestShortBeforeLong: a key is put alone into a leaf before keys that go on with
// zeros behind it, which no head can tell from its end.
func TestShortBeforeLong(t *testing.T) {
	for before := range 2 * leafMax {
		e := NewEdit(Empty())
		for i := range before {
			put(e, 1, kvKey("A%02d", i), nil)
		}
		for i := range leafMax {
			put(e, 1, append(append(kvKey("a"), make([]byte, 6)...), byte(i+1)), nil)
		}
		put(e, 1, kvKey("a"), nil)
		put(e, 1, kvKey("a\x00"), nil)
		p := e.Picture()
		mustBeSound(t, p)
		if _, ok := p.Get(kvKey("a")); !ok || p.Len() != before+leafMax+3 {
			t.Fatalf("behind %d: %d keys, found %v", before, p.Len(), ok)
		}
	}
}

// TestCutUnderTheFinger: the way to the leaf of a change is not used where a cut
// has changed it, whatever it took away.
func TestCutUnderTheFinger(t *testing.T) {
	p := inserted(rowKeys(4000), 1000)
	for from := 1000; from < 1100; from++ {
		for _, n := range []int{10, 100, 2500} {
			e := NewEdit(p)
			e.op(&batch.Op{Kind: batch.Put, Key: rowKey(from)})
			e.op(&batch.Op{Kind: batch.DeleteRange, Key: rowKey(from), End: rowKey(from + n)})
			e.op(&batch.Op{Kind: batch.Put, Key: rowKey(from + 1)})
			mustBeSound(t, &e.now)
			if e.now.Len() != p.Len()-n+1 {
				t.Fatalf("%d rows from %d: %d keys", n, from, e.now.Len())
			}
		}
	}
}

// TestImageBreaks: an image can be left before its end.
func TestImageBreaks(t *testing.T) {
	p, n := inserted(rowKeys(100), 100), 0
	for range p.Image(100) {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("%d blocks", n)
	}
}

// TestEdges: what the ends of ranges mean.
func TestEdges(t *testing.T) {
	e := NewEdit(Empty())
	if p := e.Picture(); p.Len() != 0 || p.Count(nil, nil) != 0 || !Same(p, Empty(), nil, nil) {
		t.Error("the empty picture is not empty")
	}
	a, b := kvKey("a"), kvKey("b")
	put(e, 1, a, nil)
	put(e, 2, b, []byte{1})
	p := e.Picture()
	for _, c := range []struct {
		name     string
		from, to []byte
		want     int
	}{
		{"all", nil, nil, 3},
		{"empty from", []byte{}, nil, 3},
		{"empty to", nil, []byte{}, 0},
		{"up to b", a, b, 1},
		{"from b", b, nil, 1},
		{"backwards", b, a, 0},
		{"same", a, a, 0},
	} {
		n := 0
		for range p.Ascend(c.from, c.to) {
			n++
		}
		for range p.Descend(c.from, c.to) {
			n += 100
		}
		if n != c.want*101 || p.Count(c.from, c.to) != c.want {
			t.Errorf("%s: %d, Count %d, not %d", c.name, n, p.Count(c.from, c.to), c.want)
		}
	}
	if e, ok := p.Get(a); !ok || e.Value == nil || len(e.Value) != 0 {
		t.Errorf("an empty value is %v %v", e, ok)
	}
	if _, ok := p.Get(nil); ok {
		t.Error("no key is found")
	}
}

// TestWriters: the newest counter of each writer counts, a late one does not.
func TestWriters(t *testing.T) {
	e := NewEdit(Empty())
	v, w := batch.Writer{1}, batch.Writer{2}
	for i, b := range []batch.Batch{{Writer: v, Counter: 3}, {Writer: v, Counter: 2}, {Writer: w, Counter: 9}, {Writer: v, Counter: 5}, {Writer: v, Counter: 5}, {Writer: w, Counter: 8}} {
		e.Apply(&b, Position{Seq: batch.Seq(i + 1)})
		if i == 2 {
			mustBeSound(t, e.Picture())
		}
	}
	p := e.Picture()
	mustBeSound(t, p)
	for _, c := range []struct {
		w       batch.Writer
		counter uint64
		seq     batch.Seq
	}{{v, 5, 4}, {w, 9, 3}, {batch.Writer{3}, 0, 0}} {
		if counter, seq := p.Counter(c.w); counter != c.counter || seq != c.seq {
			t.Errorf("writer %v: %d at %v", c.w, counter, seq)
		}
	}
	clear := &batch.Batch{Writer: v, Counter: 6, Ops: []batch.Op{{
		Kind: batch.DeleteRange, Key: batch.AppendPrefix(nil, batch.Sys, batch.Main), End: batch.AppendTreeEnd(nil, batch.Sys, batch.Main),
	}}}
	e.Apply(clear, Position{Seq: 7})
	p = e.Picture()
	mustBeSound(t, p)
	if counter, seq := p.Counter(v); counter != 6 || seq != 7 || p.Len() != 1 {
		t.Errorf("after all were dropped: %d at %v, %d keys", counter, seq, p.Len())
	}
}
