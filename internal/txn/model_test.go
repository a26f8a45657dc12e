package txn

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
)

// full returns a key of tenant main.
func full(key string) []byte { return batch.AppendKey(nil, batch.KV, batch.Main, []byte(key)) }

// end is behind every key of tenant main.
var end = string(batch.AppendTreeEnd(nil, batch.KV, batch.Main))

// cell is a value and the batch that put it; 0 for the transaction itself.
type cell struct {
	value string
	seq   batch.Seq
}

// content is a version of the map, done in the simplest way, by full key.
type content map[string]cell

func (c content) cut(from, to string) {
	maps.DeleteFunc(c, func(k string, _ cell) bool { return from <= k && k < to })
}

// in returns the keys of a range, in order.
func (c content) in(from, to string) (keys []string) {
	for k := range c {
		if from <= k && (to == "" || k < to) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// apply does to a picture and to the plain map what a batch says.
func apply(p *state.Picture, c content, ops []batch.Op) (*state.Picture, content) {
	e, seq := state.NewEdit(p), p.Seq()+1
	e.Apply(&batch.Batch{Counter: uint64(seq), Ops: ops}, state.Position{Seq: seq})
	c = maps.Clone(c)
	for _, op := range ops {
		switch op.Kind {
		case batch.Put:
			c[string(op.Key)] = cell{string(op.Value), seq}
		case batch.Delete:
			delete(c, string(op.Key))
		case batch.DeleteRange:
			c.cut(string(op.Key), string(op.End))
		}
	}
	return e.Picture(), c
}

// view is what one stacked view adds: what the transaction shows, and which keys
// it decides by itself.
type view struct {
	shows   content
	touched map[string]bool
	cuts    [][2]string
}

func (v view) clone() view {
	return view{maps.Clone(v.shows), maps.Clone(v.touched), slices.Clone(v.cuts)}
}

func (v view) decides(key string) bool {
	return v.touched[key] || slices.ContainsFunc(v.cuts, func(c [2]string) bool { return c[0] <= key && key < c[1] })
}

// machine drives a Tx beside the plain model.
type machine struct {
	tx      *Tx
	base    *state.Picture
	was     content
	views   []view // the newest last
	keys    map[string]bool
	ranges  [][2]string
	counter int
}

func newMachine(t *rapid.T) *machine {
	p, c := state.Empty(), content{}
	for range rapid.IntRange(0, 4).Draw(t, "batches") {
		p, c = apply(p, c, drawOps(t))
	}
	return &machine{tx: New(p, true, 1<<20), base: p, was: c, views: []view{{maps.Clone(c), map[string]bool{}, nil}}, keys: map[string]bool{}}
}

func (m *machine) top() *view { return &m.views[len(m.views)-1] }

// few keys, so that everything meets; some are prefixes of others.
var names = []string{"", "\x00", "a", "a\x00", "aa", "ab", "b", "b\xff", "b\xff\xff", "c", "cc", "d", "\xff", "\xff\xff"}

func drawKey(t *rapid.T) string { return string(full(rapid.SampledFrom(names).Draw(t, "key"))) }

// drawRange returns a range, often empty or backwards; to may be the end of the tree.
func drawRange(t *rapid.T) (from, to string) {
	from, to = drawKey(t), drawKey(t)
	if rapid.IntRange(0, 3).Draw(t, "open") == 0 {
		to = end
	}
	return from, to
}

// drawOps returns canonical ops, made with a transaction of its own.
func drawOps(t *rapid.T) []batch.Op {
	tx := New(state.Empty(), false, 1<<20)
	for i := range rapid.IntRange(1, 4).Draw(t, "ops") {
		key := []byte(drawKey(t))
		switch rapid.IntRange(0, 5).Draw(t, "op") {
		case 0:
			must(t, tx.Delete(key))
		case 1:
			from, to := drawRange(t)
			must(t, tx.DeleteRange([]byte(from), []byte(to)))
		default:
			must(t, tx.Put(key, fmt.Appendf(nil, "batch-%d", i)))
		}
	}
	return tx.Ops()
}

func must(t rapid.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (m *machine) put(t *rapid.T) {
	key := drawKey(t)
	m.counter++
	value := fmt.Sprint("v", m.counter)
	if rapid.IntRange(0, 3).Draw(t, "empty") == 0 {
		value = ""
	}
	k, v := []byte(key), []byte(value)
	must(t, m.tx.Put(k, v))
	for i := range v {
		v[i] = '!' // the transaction must have copied it
	}
	m.top().shows[key], m.top().touched[key] = cell{value: value}, true
	k[len(k)-1]++
}

func (m *machine) del(t *rapid.T) {
	key := drawKey(t)
	must(t, m.tx.Delete([]byte(key)))
	delete(m.top().shows, key)
	m.top().touched[key] = true
}

func (m *machine) delRange(t *rapid.T) {
	from, to := drawRange(t)
	f, e := []byte(from), []byte(to)
	must(t, m.tx.DeleteRange(f, e))
	f[len(f)-1], e[len(e)-1] = f[len(f)-1]+1, e[len(e)-1]+1 // the transaction must have copied them
	m.top().shows.cut(from, to)
	m.top().cuts = append(m.top().cuts, [2]string{from, to})
}

func (m *machine) get(t *rapid.T) {
	key := drawKey(t)
	k := []byte(key)
	e, ok := m.tx.Get(k)
	k[len(k)-1]++
	want, has := m.top().shows[key]
	if ok != has || (ok && (string(e.Key) != key || string(e.Value) != want.value || e.Seq != want.seq)) {
		t.Fatalf("get %q: %q %v %v, want %+v %v", key, e.Value, e.Seq, ok, want, has)
	}
	if !m.top().decides(key) {
		m.keys[key] = true
	}
}

// scan goes through a range, at most some entries far, and changes the transaction
// meanwhile, which the loop must not see.
func (m *machine) scan(t *rapid.T) {
	from, to := drawRange(t)
	down, most := rapid.Bool().Draw(t, "down"), rapid.IntRange(0, 8).Draw(t, "most")
	want := m.top().shows.in(from, to)
	if from >= to {
		want = nil
	}
	if down {
		slices.Reverse(want)
	}
	shows := maps.Clone(m.top().shows)
	next, change := m.sequence(from, to, down), rapid.IntRange(0, 3).Draw(t, "change")
	var got []string
	for e := range next {
		if len(got) == most {
			got = append(got, string(e.Key)) // the entry that broke the loop off was seen too
			break
		}
		got = append(got, string(e.Key))
		if c := shows[string(e.Key)]; c.value != string(e.Value) || c.seq != e.Seq {
			t.Fatalf("scan: %q is %q %v, want %+v", e.Key, e.Value, e.Seq, c)
		}
		m.maybeChange(t, change)
	}
	m.noteScan(from, to, down, got, len(want) > most)
	if w := want[:min(len(want), most+1)]; !slices.Equal(got, w) {
		t.Fatalf("scan %q to %q down %v: %q, want %q", from, to, down, got, w)
	}
}

func (m *machine) maybeChange(t *rapid.T, kind int) {
	switch kind {
	case 0:
		m.put(t)
	case 1:
		m.delRange(t)
	}
}

func (m *machine) sequence(from, to string, down bool) iter.Seq[state.Entry] {
	if down {
		return m.tx.Descend([]byte(from), []byte(to))
	}
	return m.tx.Ascend([]byte(from), []byte(to))
}

// noteScan records what a scan counts as having read.
func (m *machine) noteScan(from, to string, down bool, got []string, broken bool) {
	if broken && down {
		from = got[len(got)-1]
	} else if broken {
		to = got[len(got)-1] + "\x00"
	}
	m.ranges = append(m.ranges, [2]string{from, to})
}

func (m *machine) push(*rapid.T) {
	m.tx.Push()
	m.views = append(m.views, m.top().clone())
}

func (m *machine) fold(t *rapid.T) {
	if len(m.views) == 1 {
		t.Skip("nothing stacked")
	}
	m.tx.Fold()
	m.views = append(m.views[:len(m.views)-2], *m.top())
}

func (m *machine) drop(t *rapid.T) {
	if len(m.views) == 1 {
		t.Skip("nothing stacked")
	}
	m.tx.Drop()
	m.views = m.views[:len(m.views)-1]
}

// conflict says whether what was read differs in a later version.
func (m *machine) conflict(now content) bool {
	for k := range m.keys {
		a, had := m.was[k]
		b, has := now[k]
		if had != has || a.seq != b.seq {
			return true
		}
	}
	for _, r := range m.ranges {
		a, b := m.was.in(r[0], r[1]), now.in(r[0], r[1])
		if r[0] >= r[1] {
			continue
		}
		if !slices.Equal(a, b) || slices.ContainsFunc(a, func(k string) bool { return m.was[k].seq != now[k].seq }) {
			return true
		}
	}
	return false
}

// later compares Check with the model, on a version some batches ahead.
func (m *machine) later(t *rapid.T) {
	p, c := m.base, m.was
	for range rapid.IntRange(0, 2).Draw(t, "later") {
		p, c = apply(p, c, drawOps(t))
	}
	err := m.tx.Reads().Check(m.base, p)
	if got, want := errors.Is(err, fault.ErrConflict), m.conflict(c); got != want || (err != nil && !got) {
		t.Fatalf("check: %v, want a conflict: %v (read %v %q)", err, want, m.keys, m.ranges)
	}
}

// check compares depth, whether anything changed, and the bound on the size.
func (m *machine) check(t *rapid.T) {
	if m.tx.Depth() != len(m.views)-1 {
		t.Fatalf("depth %d, want %d", m.tx.Depth(), len(m.views)-1)
	}
	if v := m.top(); !m.tx.Changed() && !same(v.shows, m.was) {
		t.Fatal("it says that nothing changed")
	}
}

func same(a, b content) bool { return maps.Equal(a, b) }

// end takes the ops, which must be canonical and turn the base into what the
// transaction showed, in as many bytes as it counted.
func (m *machine) end(t *rapid.T) {
	size, shows := m.tx.now.bytes(), m.top().shows
	b := &batch.Batch{Ops: m.tx.Ops()}
	payload, err := batch.Append(nil, b)
	must(t, err)
	if len(payload) != size {
		t.Fatalf("the batch has %d bytes, the transaction counted %d", len(payload), size)
	}
	_, got := apply(m.base, m.was, b.Ops)
	for k, c := range shows {
		if c.seq == 0 {
			shows[k] = cell{c.value, m.base.Seq() + 1}
		}
	}
	if !same(got, shows) {
		t.Fatalf("the ops make %v, the transaction showed %v", got, shows)
	}
}

// TestModel drives a transaction with stacked views beside a plain map.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(t)
		t.Repeat(map[string]func(*rapid.T){
			"put": m.put, "put again": m.put, "delete": m.del, "delete range": m.delRange, "get": m.get, "scan": m.scan, "scan again": m.scan,
			"push": m.push, "fold": m.fold, "drop": m.drop, "later": m.later, "": m.check,
		})
		m.end(t)
	})
}

func TestReadsFold(t *testing.T) {
	p, c := state.Empty(), content{}
	put := func(key string) []batch.Op { return []batch.Op{{Kind: batch.Put, Key: full(key)}} }
	for _, key := range []string{"a", "m", "z"} {
		p, c = apply(p, c, put(key))
	}
	for name, tc := range map[string]struct {
		more      func(tx *Tx) // behind as many reads of keys from b to y as are kept apart
		conflicts []string     // keys whose change must count
		none      []string     // keys whose change must not
	}{
		"at the limit":     {func(*Tx) {}, []string{"b00000"}, []string{"a", "b", "m", "z"}},
		"one key more":     {func(tx *Tx) { tx.Get(full("y")) }, []string{"b00000", "m", "y"}, []string{"a", "b", "y\x00", "z"}},
		"one range more":   {func(tx *Tx) { scanAll(tx, full("c"), full("y")) }, []string{"b00000", "m", "x"}, []string{"a", "y", "z"}},
		"key behind":       {func(tx *Tx) { tx.Get(full("m")); tx.Get(full("y")) }, []string{"m", "y"}, []string{"a", "z"}},
		"range behind":     {func(tx *Tx) { tx.Get(full("m")); scanAll(tx, full("a"), full("n")) }, []string{"a", "m"}, []string{"o", "z"}},
		"range to the end": {func(tx *Tx) { tx.Get(full("m")); scanAll(tx, full("m"), nil) }, []string{"m", "z"}, []string{"a"}},
		"end, then a key":  {func(tx *Tx) { scanAll(tx, full("m"), nil); tx.Get(full("a")) }, []string{"a", "z"}, []string{""}},
	} {
		t.Run(name, func(t *testing.T) {
			tx := New(p, true, 1<<20)
			for i := range maxReads {
				tx.Get(full(fmt.Sprintf("b%05d", i)))
			}
			tc.more(tx)
			for _, key := range append(tc.conflicts, tc.none...) {
				later, _ := apply(p, c, put(key))
				err := tx.Reads().Check(p, later)
				if want := slices.Contains(tc.conflicts, key); errors.Is(err, fault.ErrConflict) != want {
					t.Errorf("a change of %q: %v, want a conflict: %v", key, err, want)
				}
			}
			if n := len(tx.reads.keys) + len(tx.reads.ranges); n > maxReads {
				t.Errorf("%d reads are kept", n)
			}
		})
	}
}

func scanAll(tx *Tx, from, to []byte) {
	for range tx.Ascend(from, to) {
		continue
	}
}

func TestLimits(t *testing.T) {
	tx := New(state.Empty(), false, 4*batch.MaxKey)
	long := bytes.Repeat([]byte("k"), batch.MaxKey)
	must(t, tx.Put(full(string(long)), nil))
	before := tx.now.bytes()
	for name, err := range map[string]error{
		"key":         tx.Put(full(string(long)+"k"), nil),
		"delete":      tx.Delete(full(string(long) + "k")),
		"range":       tx.DeleteRange(full(string(long)+"k"), []byte(end)),
		"end":         tx.DeleteRange(full("a"), full(string(long)+"k")),
		"far end":     tx.DeleteRange(full("a"), full(string(long)+string(long))),
		"batch":       tx.Put(full("a"), make([]byte, 4*batch.MaxKey)),
		"batch range": New(state.Empty(), false, 100).DeleteRange(full("a"), full(string(long))),
	} {
		if !errors.Is(err, fault.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if tx.now.bytes() != before || len(tx.Ops()) != 1 {
		t.Error("what was refused changed the transaction")
	}
	must(t, tx.DeleteRange(full(string(long)), []byte(end)))
	must(t, tx.DeleteRange(full("a"), full(string(long))))
	if _, err := batch.Append(nil, &batch.Batch{Ops: tx.Ops()}); err != nil {
		t.Error(err)
	}
}

// TestPutAgain: what is replaced takes no room any more.
func TestPutAgain(t *testing.T) {
	tx := New(state.Empty(), false, 1000)
	for range 10 {
		must(t, tx.Put(full("a"), make([]byte, 600)))
	}
	must(t, tx.Delete(full("a")))
	must(t, tx.Put(full("b"), make([]byte, 600)))
	if err := tx.Put(full("c"), make([]byte, 600)); !errors.Is(err, fault.ErrTooLarge) {
		t.Errorf("two values of 600 bytes in 1000: %v", err)
	}
}

func TestUntracked(t *testing.T) {
	p, c := apply(state.Empty(), content{}, []batch.Op{{Kind: batch.Put, Key: full("a")}})
	tx := New(p, false, 1000)
	tx.Get(full("a"))
	scanAll(tx, full(""), nil)
	later, _ := apply(p, c, []batch.Op{{Kind: batch.Delete, Key: full("a")}})
	if err := tx.Reads().Check(p, later); err != nil || !tx.Reads().Empty() {
		t.Errorf("an untracked transaction conflicts: %v", err)
	}
	tracked := New(p, true, 1000)
	tracked.Get(full("a"))
	err := tracked.Reads().Check(p, later)
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || e.Err != fault.ErrConflict || e.Detail != "kv main a has changed" {
		t.Errorf("the conflict is told as %v", err)
	}
}

// TestScanPanics: what was gone through before a panic counts as read.
func TestScanPanics(t *testing.T) {
	p, c := state.Empty(), content{}
	for _, key := range []string{"a", "b", "c"} {
		p, c = apply(p, c, []batch.Op{{Kind: batch.Put, Key: full(key)}})
	}
	tx := New(p, true, 1000)
	func() {
		defer func() { recover() }()
		for range tx.Ascend(full(""), nil) {
			panic("in the loop")
		}
	}()
	for key, want := range map[string]bool{"": true, "a": true, "b": false} {
		later, _ := apply(p, c, []batch.Op{{Kind: batch.Put, Key: full(key)}})
		if got := tx.Reads().Check(p, later) != nil; got != want {
			t.Errorf("a change of %q conflicts: %v, want %v", key, got, want)
		}
	}
}

// TestReadsInsideLoop: a loop under way counts as far as it went, in both directions,
// and nothing is added to what was handed out.
func TestReadsInsideLoop(t *testing.T) {
	p, c := state.Empty(), content{}
	for _, key := range []string{"a", "b", "c"} {
		p, c = apply(p, c, []batch.Op{{Kind: batch.Put, Key: full(key)}})
	}
	for down, conflicting := range map[bool]string{false: "a", true: "c"} {
		tx := New(p, true, 1000)
		scan := tx.Ascend
		if down {
			scan = tx.Descend
		}
		var reads *Reads
		n := 0
		for range scan(full(""), nil) {
			if n++; n == 1 {
				reads = tx.Reads()
			}
		}
		for _, key := range []string{"a", "b", "c"} {
			later, _ := apply(p, c, []batch.Op{{Kind: batch.Put, Key: full(key)}})
			if got := reads.Check(p, later) != nil; got != (key == conflicting) {
				t.Errorf("backwards %v: a change of %q conflicts: %v", down, key, got)
			}
		}
	}
}
