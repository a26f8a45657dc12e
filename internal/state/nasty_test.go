package state

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/vlogdb/vlog/internal/batch"
)

// nasty runs short batches over few keys that are easy to confuse, from a seed: of
// bytes that are 0, 1 or 0xff alone, prefixes of each other, up to 12 bytes behind
// starts that many of them share.
type nasty struct {
	rand *rand.Rand
	pool [][]byte // ascending
	edit *Edit
	now  plain
	seq  batch.Seq
	kept []version
}

// seeds is how many there are; a second of time.
const seeds = 80

// starts are as long as a head, a little shorter and longer, and much longer.
var starts = []int{0, 0, 1, 6, 7, 8, 9, 10, 17, 40, 300}

func newNasty(seed uint64) *nasty {
	n := &nasty{rand: rand.New(rand.NewPCG(seed, 1)), edit: NewEdit(Empty())}
	bits := []byte{0, 1, 0xff}
	some := starts[n.rand.IntN(len(starts)):] // not all seeds have all
	for range 60 + n.rand.IntN(700) {
		key := kvKey("")
		key = append(key, bytes.Repeat([]byte{bits[n.rand.IntN(3)]}, some[n.rand.IntN(len(some))])...)
		for range n.rand.IntN(13) {
			key = append(key, bits[n.rand.IntN(3)])
		}
		n.pool = append(n.pool, key)
	}
	slices.SortFunc(n.pool, bytes.Compare)
	n.pool = slices.CompactFunc(n.pool, bytes.Equal)
	return n
}

func (n *nasty) key() []byte { return n.pool[n.rand.IntN(len(n.pool))] }

// cuts returns at most one delete-range, mostly a short one.
func (n *nasty) cuts() []batch.Op {
	if n.rand.IntN(3) > 0 {
		return nil
	}
	i := n.rand.IntN(len(n.pool) - 1)
	j := min(i+1+n.rand.IntN(1<<n.rand.IntN(10)), len(n.pool)-1)
	return []batch.Op{{Kind: batch.DeleteRange, Key: n.pool[i], End: n.pool[j]}}
}

// points puts and deletes keys side by side, as heads that are equal lie, or any.
func (n *nasty) points(puts float64, cuts []batch.Op) []batch.Op {
	ops := map[string]batch.Op{}
	at, near := n.rand.IntN(len(n.pool)), n.rand.IntN(2) == 0
	for i := range n.rand.IntN(60) {
		key := n.key()
		if near {
			key = n.pool[(at+i)%len(n.pool)]
		}
		if n.rand.Float64() < puts {
			ops[string(key)] = batch.Op{Kind: batch.Put, Key: key, Value: key[:n.rand.IntN(len(key))]}
		} else if !cutBy(cuts, key) {
			ops[string(key)] = batch.Op{Kind: batch.Delete, Key: key}
		}
	}
	return sorted(ops)
}

func (n *nasty) step(t *testing.T, puts float64) {
	n.seq++
	cuts := n.cuts()
	b := &batch.Batch{Writer: batch.Writer{byte(n.rand.IntN(2))}, Counter: uint64(n.seq), Ops: append(cuts, n.points(puts, cuts)...)}
	if _, err := batch.Append(nil, b); err != nil {
		t.Fatal(err)
	}
	if n.rand.IntN(2) == 0 { // an edit is right in any order, only slower
		n.rand.Shuffle(len(b.Ops), func(i, j int) { b.Ops[i], b.Ops[j] = b.Ops[j], b.Ops[i] })
	}
	n.edit.Apply(b, Position{Seq: n.seq})
	n.now = n.now.apply(b, n.seq)
}

// look freezes, compares everything with the plain map, and goes on from there,
// from its image, or from an older version.
func (n *nasty) look(t *testing.T) {
	t.Helper()
	v := version{n.edit.Picture(), slices.Clone(n.now)}
	mustBe(t, v)
	n.each(t, v)
	n.kept = append(n.kept, v)
	switch n.rand.IntN(8) {
	case 0:
		v.picture = load(t, v.picture, 1+n.rand.IntN(3000))
		n.each(t, v)
		n.begin(v)
	case 1:
		v = n.kept[n.rand.IntN(len(n.kept))]
		mustBe(t, v)
		n.begin(v)
	}
}

func (n *nasty) begin(v version) {
	n.edit, n.now, n.seq = NewEdit(v.picture), v.want, v.picture.Seq()
}

// each asks for every key of the pool, and for what is right behind it.
func (n *nasty) each(t *testing.T, v version) {
	t.Helper()
	low, below := n.key(), 0
	below, _ = v.want.search(low)
	for _, key := range n.pool {
		i, found := v.want.search(key)
		if e, ok := v.picture.Get(key); ok != found || ok && !equal(e, v.want[i]) {
			t.Fatalf("Get(%x) is %v %v", key, e, ok)
		}
		next := append(bytes.Clone(key), 0)
		if _, ok := v.picture.Get(next); ok != has(v.want, next) {
			t.Fatalf("Get(%x) is %v", next, ok)
		}
		if c := v.picture.Count(low, key); c != max(i-below, 0) {
			t.Fatalf("Count(%x, %x) is %d, not %d", low, key, c, max(i-below, 0))
		}
		mustYield(t, v.picture.Ascend(key, nil), v.want[i:], 2)
		back := slices.Clone(v.want[max(i-2, 0):i])
		slices.Reverse(back)
		mustYield(t, v.picture.Descend(nil, key), back, 2)
	}
}

func has(m plain, key []byte) bool {
	_, found := m.search(key)
	return found
}

// TestNastyKeys goes through many seeds, the same each time.
func TestNastyKeys(t *testing.T) {
	for seed := range uint64(seeds) {
		n := newNasty(seed)
		for i := range 40 {
			n.step(t, []float64{1, 0.8, 0.3, 0.6}[i/10])
			if i%3 == 0 {
				n.look(t)
			}
		}
		for _, v := range n.kept {
			mustBe(t, v)
		}
		for i, a := range n.kept {
			n.compare(t, a, n.kept[n.rand.IntN(i+1)])
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// compare asks Same about ranges from and to keys of the pool.
func (n *nasty) compare(t *testing.T, a, b version) {
	for range 10 {
		from, to := n.key(), n.key()
		i, j := a.want.bounds(from, to)
		k, l := b.want.bounds(from, to)
		want := slices.EqualFunc(a.want[i:j], b.want[k:l], func(x, y Entry) bool {
			return x.Seq == y.Seq && bytes.Equal(x.Key, y.Key)
		})
		if Same(a.picture, b.picture, from, to) != want {
			t.Fatalf("Same is %v in %x to %x", !want, from, to)
		}
	}
}

// TestNastyPools: the pools are what they are meant to be, else the test above
// shows nothing: keys that are prefixes of the next, and heads that are equal.
func TestNastyPools(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(seeds) {
		n := newNasty(seed)
		for i, key := range n.pool[1:] {
			if bytes.HasPrefix(key, n.pool[i]) {
				seen["prefix of the next"]++
			}
			if headOf(key, 2) == headOf(n.pool[i], 2) {
				seen["equal heads"]++
			}
			if shared(key, n.pool[i]) > 40 {
				seen["long starts"]++
			}
		}
	}
	for _, what := range []string{"prefix of the next", "equal heads", "long starts"} {
		if seen[what] < 1000 {
			t.Errorf("%s: %v", what, maps.Clone(seen))
		}
	}
}
