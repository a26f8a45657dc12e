package state

import (
	"bytes"
	"iter"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/vlogdb/vlog/internal/batch"
)

// plain is the map that a picture stands for, done in the simplest way: entries in
// a sorted slice, copied for each version.
type plain []Entry

func (m plain) search(key []byte) (int, bool) {
	return slices.BinarySearchFunc(m, key, func(e Entry, k []byte) int { return bytes.Compare(e.Key, k) })
}

func (m plain) bounds(from, to []byte) (int, int) {
	lo, _ := m.search(from)
	hi := len(m)
	if to != nil {
		hi, _ = m.search(to)
	}
	return lo, max(lo, hi)
}

func (m plain) with(e Entry) plain {
	i, found := m.search(e.Key)
	if found {
		m[i] = e
		return m
	}
	return slices.Insert(m, i, e)
}

func (m plain) without(from, to []byte) plain {
	lo, hi := m.bounds(from, to)
	return slices.Delete(m, lo, hi)
}

// apply does what Edit.Apply does.
func (m plain) apply(b *batch.Batch, seq batch.Seq) plain {
	m = slices.Clone(m)
	for _, op := range b.Ops {
		switch op.Kind {
		case batch.Put:
			m = m.with(Entry{bytes.Clone(op.Key), append([]byte{}, op.Value...), seq})
		case batch.Delete:
			m = m.without(op.Key, append(bytes.Clone(op.Key), 0))
		case batch.DeleteRange:
			m = m.without(op.Key, op.End)
		}
	}
	key := WriterKey(b.Writer)
	if b.Counter > m.counter(key) {
		m = m.with(Entry{key, le64(b.Counter), seq})
	}
	return m
}

func (m plain) counter(key []byte) (n uint64) {
	if i, found := m.search(key); found && len(m[i].Value) == 8 {
		for j := 7; j >= 0; j-- {
			n = n<<8 | uint64(m[i].Value[j])
		}
	}
	return n
}

func le64(v uint64) []byte {
	b := make([]byte, 8)
	for i := range b {
		b[i] = byte(v >> (8 * i))
	}
	return b
}

// version is a picture with what must be in it.
type version struct {
	picture *Picture
	want    plain
}

// machine runs edits beside the plain map and keeps old versions.
type machine struct {
	keys  keyMaker
	kept  []version
	edit  *Edit
	now   plain
	seq   batch.Seq
	count uint64

	gathered Run
}

// check is run behind every action.
func (m *machine) check(t *rapid.T) {
	if err := sound(&m.edit.now); err != nil && !m.edit.last.dirty {
		t.Fatal(err)
	}
}

func (m *machine) begin(v version) {
	m.edit, m.now, m.seq = NewEdit(v.picture), v.want, v.picture.Seq()
}

func (m *machine) apply(t *rapid.T) {
	for range rapid.IntRange(1, 3).Draw(t, "batches") {
		m.seq++
		m.count++
		b := m.batch(t)
		m.applyPayload(t, b, Position{Seq: m.seq, Time: int64(m.seq) * 7, Chain: batch.Chain{byte(m.seq)}})
		m.now = m.now.apply(b, m.seq)
	}
}

// applyPayload applies a batch as recovery does: from bytes that are used for
// something else right after.
func (m *machine) applyPayload(t *rapid.T, b *batch.Batch, at Position) {
	payload, err := batch.Append(nil, b)
	if err != nil {
		t.Fatal(err)
	}
	var c batch.Batch
	if err := batch.Decode(&c, payload); err != nil {
		t.Fatal(err)
	}
	m.edit.Apply(&c, at)
	clear(payload)
}

// run applies several batches at once, where they can be a part of a run, as opening does.
func (m *machine) run(t *rapid.T) {
	flush := func() {
		m.edit.ApplyRun(&m.gathered)
		m.gathered.Reset()
	}
	var b batch.Batch
	for range rapid.IntRange(0, 8).Draw(t, "batches") {
		m.seq++
		m.count++
		made := m.batch(t)
		payload, err := batch.Append(nil, made)
		if err != nil {
			t.Fatal(err)
		}
		at := Position{Seq: m.seq, Time: int64(m.seq) * 7, Chain: batch.Chain{byte(m.seq)}}
		taken, err := m.gathered.Add(&b, payload, at)
		if err != nil {
			t.Fatal(err)
		}
		if !taken {
			flush()
			m.edit.Apply(&b, at)
		}
		clear(payload)
		m.now = m.now.apply(made, m.seq)
	}
	flush()
}

// freeze keeps the version that the edit has reached.
func (m *machine) freeze(t *rapid.T) {
	v := version{m.edit.Picture(), slices.Clone(m.now)}
	if v.picture.Seq() != m.seq {
		t.Fatalf("at %v, not %v", v.picture.Seq(), m.seq)
	}
	mustBe(t, v)
	m.kept = append(m.kept, v)
	if len(m.kept) > 5 {
		m.kept = slices.Delete(m.kept, 0, 1)
	}
}

// rewind gives the edit up and goes on from an older version.
func (m *machine) rewind(t *rapid.T) {
	i := rapid.IntRange(0, len(m.kept)-1).Draw(t, "version")
	m.kept = m.kept[:i+1]
	m.begin(m.kept[i])
}

// reload goes on from the image of a version.
func (m *machine) reload(t *rapid.T) {
	v := rapid.SampledFrom(m.kept).Draw(t, "version")
	p := load(t, v.picture, rapid.SampledFrom([]int{1, 100, 5000}).Draw(t, "block"))
	mustBe(t, version{p, v.want})
	if !Same(p, v.picture, nil, nil) {
		t.Fatal("an image is not the same")
	}
	m.kept = []version{{p, v.want}}
	m.begin(m.kept[0])
}

func load(t fatal, p *Picture, size int) *Picture {
	l := NewLoader(p.Position())
	for block := range p.Image(size) {
		if err := l.Add(bytes.Clone(block)); err != nil {
			t.Fatal(err)
		}
	}
	q, err := l.Picture()
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// look compares what is read from a version, old or new, with what must be there.
func (m *machine) look(t *rapid.T) {
	v := rapid.SampledFrom(m.kept).Draw(t, "version")
	from, to := m.keys.bound(t), m.keys.bound(t)
	lo, hi := v.want.bounds(from, to)
	if n := v.picture.Count(from, to); n != hi-lo {
		t.Fatalf("Count(%x, %x) is %d, not %d", from, to, n, hi-lo)
	}
	limit := rapid.IntRange(0, 50).Draw(t, "limit")
	mustYield(t, v.picture.Ascend(from, to), v.want[lo:hi], limit)
	back := slices.Clone(v.want[lo:hi])
	slices.Reverse(back)
	mustYield(t, v.picture.Descend(from, to), back, limit)
	m.get(t, v)
}

func (m *machine) get(t *rapid.T, v version) {
	key := m.keys.key(t)
	e, ok := v.picture.Get(key)
	i, found := v.want.search(key)
	if ok != found || ok && !equal(e, v.want[i]) {
		t.Fatalf("Get(%x) is %v %v", key, e, ok)
	}
}

// compare asks Same and a plain comparison.
func (m *machine) compare(t *rapid.T) {
	a, b := rapid.SampledFrom(m.kept).Draw(t, "a"), rapid.SampledFrom(m.kept).Draw(t, "b")
	from, to := m.keys.bound(t), m.keys.bound(t)
	i, j := a.want.bounds(from, to)
	k, l := b.want.bounds(from, to)
	want := slices.EqualFunc(a.want[i:j], b.want[k:l], func(x, y Entry) bool {
		return x.Seq == y.Seq && bytes.Equal(x.Key, y.Key)
	})
	if Same(a.picture, b.picture, from, to) != want {
		t.Fatalf("Same is %v in %x to %x", !want, from, to)
	}
}

// verify looks at everything kept.
func (m *machine) verify(t *rapid.T) {
	for _, v := range m.kept {
		mustBe(t, v)
	}
}

type fatal interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

func mustBe(t fatal, v version) {
	t.Helper()
	if err := sound(v.picture); err != nil {
		t.Fatal(err)
	}
	if v.picture.Len() != len(v.want) {
		t.Fatalf("%d keys, not %d", v.picture.Len(), len(v.want))
	}
	mustYield(t, v.picture.Ascend(nil, nil), v.want, len(v.want))
}

// mustYield compares the first entries, up to limit.
func mustYield(t fatal, got iter.Seq[Entry], want plain, limit int) {
	t.Helper()
	n := 0
	for e := range got {
		if n >= limit {
			break
		}
		if n >= len(want) || !equal(e, want[n]) {
			t.Fatalf("entry %d is %x at %v", n, e.Key, e.Seq)
		}
		n++
	}
	if n != min(limit, len(want)) {
		t.Fatalf("%d entries, not %d", n, len(want))
	}
}

func equal(a, b Entry) bool {
	if cap(a.Key) != len(a.Key) || cap(a.Value) != len(a.Value) {
		return false // what is appended to it would change what lies behind
	}
	return a.Seq == b.Seq && a.Value != nil && bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value)
}

// batch makes a canonical batch.
func (m *machine) batch(t *rapid.T) *batch.Batch {
	b := &batch.Batch{Writer: batch.Writer{rapid.Byte().Draw(t, "writer") & 3}, Counter: m.count - rapid.Uint64Range(0, min(2, m.count)).Draw(t, "late")}
	b.Ops = m.ranges(t)
	cuts := slices.Clone(b.Ops)
	for _, op := range m.points(t) {
		if op.Kind == batch.Put || !cutBy(cuts, op.Key) {
			b.Ops = append(b.Ops, op)
		}
	}
	if _, err := batch.Append(nil, b); err != nil {
		t.Fatal(err)
	}
	return b
}

func cutBy(ranges []batch.Op, key []byte) bool {
	return slices.ContainsFunc(ranges, func(r batch.Op) bool { return span{r.Key, r.End}.has(key) })
}

func (m *machine) points(t *rapid.T) []batch.Op {
	ops := map[string]batch.Op{}
	for range rapid.IntRange(0, m.keys.points).Draw(t, "points") {
		key := m.keys.key(t)
		op := batch.Op{Kind: batch.Put, Key: key, Value: m.keys.value(t)}
		if rapid.IntRange(0, 9).Draw(t, "delete") < m.keys.deletes {
			op = batch.Op{Kind: batch.Delete, Key: key}
		}
		ops[string(key)] = op
	}
	return sorted(ops)
}

func sorted(ops map[string]batch.Op) []batch.Op {
	var all []batch.Op
	for _, op := range ops {
		all = append(all, op)
	}
	slices.SortFunc(all, func(a, b batch.Op) int { return bytes.Compare(a.Key, b.Key) })
	return all
}

// ranges makes at most two delete-ranges, or drops a whole tenant.
func (m *machine) ranges(t *rapid.T) []batch.Op {
	if rapid.IntRange(0, 3).Draw(t, "ranges") > 0 {
		return nil
	}
	space, tenant := m.keys.tree(t)
	from, to := batch.AppendPrefix(nil, space, tenant), batch.AppendTreeEnd(nil, space, tenant)
	if rapid.IntRange(0, 4).Draw(t, "tenant") == 0 {
		return []batch.Op{{Kind: batch.DeleteRange, Key: from, End: to}}
	}
	var cuts [][]byte
	for range 4 {
		cuts = append(cuts, batch.AppendKey(nil, space, tenant, m.keys.bytes(t)))
	}
	slices.SortFunc(cuts, bytes.Compare)
	cuts = slices.CompactFunc(cuts, bytes.Equal)
	var ops []batch.Op
	for ; len(cuts) >= 2; cuts = cuts[2:] {
		ops = append(ops, batch.Op{Kind: batch.DeleteRange, Key: cuts[0], End: cuts[1]})
	}
	return ops
}

func runModel(t *testing.T, keys keyMaker) {
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{keys: keys}
		m.kept = []version{{Empty(), nil}}
		m.begin(m.kept[0])
		t.Repeat(map[string]func(*rapid.T){
			"":        m.check,
			"apply":   m.apply,
			"apply2":  m.apply,
			"run":     m.run,
			"freeze":  m.freeze,
			"rewind":  m.rewind,
			"reload":  m.reload,
			"look":    m.look,
			"compare": m.compare,
			"verify":  m.verify,
		})
	})
}

func TestModel(t *testing.T) {
	for name, keys := range map[string]keyMaker{
		"few":    {points: 5, deletes: 4, max: 10},
		"grow":   {points: 300, deletes: 1, max: 3000},
		"shrink": {points: 300, deletes: 7, max: 300},
	} {
		t.Run(name, func(t *testing.T) { runModel(t, keys) })
	}
}
