package engine_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/vlogdb/vlog/engine"
)

// place is a key of a tenant.
type place struct{ tenant, key string }

// cell is a value and the batch that put it; 0 for the transaction itself.
type cell struct {
	value string
	seq   uint64
}

// content is one version of a store, done in the simplest way.
type content map[place]cell

// span is a range of a tenant's keys.
type span struct {
	tenant, from, to string
	open             bool // no end
}

func (s span) has(p place) bool {
	return p.tenant == s.tenant && p.key >= s.from && (s.open || p.key < s.to)
}

func (s span) empty() bool { return !s.open && s.from >= s.to }

// spanOf says what a Range means, in the simplest way.
func spanOf(tenant string, r engine.Range) span {
	s := span{tenant: tenant, from: max(string(r.From), string(r.Prefix)), open: true}
	limit := func(to string) {
		if s.open || to < s.to {
			s.to, s.open = to, false
		}
	}
	if r.To != nil {
		limit(string(r.To))
	}
	if p := strings.TrimRight(string(r.Prefix), "\xff"); p != "" {
		limit(p[:len(p)-1] + string([]byte{p[len(p)-1] + 1}))
	}
	return s
}

// in returns the keys of a span, in order or backwards.
func (c content) in(s span, reverse bool) (keys []string) {
	for p := range c {
		if s.has(p) {
			keys = append(keys, p.key)
		}
	}
	slices.Sort(keys)
	if reverse {
		slices.Reverse(keys)
	}
	return keys
}

func (c content) cut(s span) { maps.DeleteFunc(c, func(p place, _ cell) bool { return s.has(p) }) }

// tenants returns those that have keys, main first.
func (c content) tenants() (names []string) {
	for p := range c {
		if !slices.Contains(names, p.tenant) {
			names = append(names, p.tenant)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Compare(strings.TrimPrefix(a, "main"), strings.TrimPrefix(b, "main"))
	})
	return names
}

// sameIn says whether two versions are alike in a span.
func sameIn(a, b content, s span) bool {
	keys := a.in(s, false)
	return slices.Equal(keys, b.in(s, false)) &&
		!slices.ContainsFunc(keys, func(k string) bool { return a[place{s.tenant, k}].seq != b[place{s.tenant, k}].seq })
}

// shadow is what a transaction shows, and which of it it decides by itself.
type shadow struct {
	shows   content
	touched map[place]bool
	cuts    []span
}

func (s shadow) clone() shadow {
	return shadow{maps.Clone(s.shows), maps.Clone(s.touched), slices.Clone(s.cuts)}
}

func (s shadow) decides(p place) bool {
	return s.touched[p] || slices.ContainsFunc(s.cuts, func(c span) bool { return c.has(p) })
}

// modelTx is a transaction beside its model.
type modelTx struct {
	shadow
	tx      *engine.Tx
	base    uint64
	mode    engine.Mode
	changed bool
	keys    map[place]bool
	ranges  []span
	depth   int
}

// conflict says whether what a Deferred transaction read differs between two versions.
func (x *modelTx) conflict(was, now content) bool {
	if x.mode != engine.Deferred {
		return false
	}
	for p := range x.keys {
		a, had := was[p]
		b, has := now[p]
		if had != has || a.seq != b.seq {
			return true
		}
	}
	return slices.ContainsFunc(x.ranges, func(s span) bool { return !sameIn(was, now, s) })
}

// after returns the version that a commit as seq makes.
func (x *modelTx) after(now content, seq uint64) content {
	next := maps.Clone(now)
	for _, s := range x.cuts {
		next.cut(s)
	}
	for p := range x.touched {
		delete(next, p)
	}
	for p, c := range x.shows {
		if c.seq == 0 {
			next[p] = cell{c.value, seq}
		}
	}
	return next
}

var (
	modelTenants = []string{"main", "acme", "z"}
	modelKeys    = []string{"", "\x00", "a", "a\x00", "aa", "ab", "b", "b\xff", "b\xff\xff", "c", "\xff", "\xff\xff"}
)

func drawTenant(t *rapid.T) string { return rapid.SampledFrom(modelTenants).Draw(t, "tenant") }

func drawKey(t *rapid.T) string {
	key := rapid.SampledFrom(modelKeys).Draw(t, "key")
	if key == "b" {
		key += fmt.Sprintf("%04d", rapid.IntRange(0, 300).Draw(t, "number")) // one that fill may have put
	}
	return key
}

// drawEdge returns nil now and then.
func drawEdge(t *rapid.T) []byte {
	if rapid.Bool().Draw(t, "nil") {
		return nil
	}
	return []byte(drawKey(t))
}

func drawRange(t *rapid.T) engine.Range {
	return engine.Range{Prefix: drawEdge(t), From: drawEdge(t), To: drawEdge(t), Reverse: rapid.Bool().Draw(t, "reverse")}
}

func drawValue(t *rapid.T) string {
	return strings.Repeat(rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "value"), rapid.SampledFrom([]int{0, 1, 1, 3, 40, 700}).Draw(t, "length"))
}

// act does one random thing in a transaction.
func (x *modelTx) act(t *rapid.T) {
	tenant := drawTenant(t)
	tx, err := x.tx.Tenant(tenant)
	ok(t, err)
	acts := []func(*rapid.T, *engine.Tx, string){x.get, x.scan, x.count}
	if x.mode != engine.Reading {
		acts = append(acts, x.put, x.put, x.del, x.delRange, x.sub, x.fill)
	}
	rapid.SampledFrom(acts).Draw(t, "act")(t, tx, tenant)
}

func ok(t rapid.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (x *modelTx) put(t *rapid.T, tx *engine.Tx, tenant string) {
	p, value := place{tenant, drawKey(t)}, drawValue(t)
	ok(t, tx.Put([]byte(p.key), []byte(value)))
	x.shows[p], x.touched[p] = cell{value: value}, true
	x.changed = true
}

// fill puts many keys, so that the map has more than one leaf.
func (x *modelTx) fill(t *rapid.T, tx *engine.Tx, tenant string) {
	first, step := rapid.IntRange(0, 200).Draw(t, "first"), rapid.IntRange(1, 3).Draw(t, "step")
	for n := range rapid.IntRange(20, 120).Draw(t, "keys") {
		p, value := place{tenant, fmt.Sprintf("b%04d", first+n*step)}, fmt.Sprint(n)
		ok(t, tx.Put([]byte(p.key), []byte(value)))
		x.shows[p], x.touched[p] = cell{value: value}, true
	}
	x.changed = true
}

func (x *modelTx) del(t *rapid.T, tx *engine.Tx, tenant string) {
	p := place{tenant, drawKey(t)}
	ok(t, tx.Delete([]byte(p.key)))
	delete(x.shows, p)
	x.touched[p], x.changed = true, true
}

func (x *modelTx) delRange(t *rapid.T, tx *engine.Tx, tenant string) {
	r := drawRange(t)
	ok(t, tx.DeleteRange(r))
	if s := spanOf(tenant, r); !s.empty() {
		x.shows.cut(s)
		x.cuts = append(x.cuts, s)
		x.changed = true
	}
}

func (x *modelTx) get(t *rapid.T, tx *engine.Tx, tenant string) {
	p := place{tenant, drawKey(t)}
	want, has := x.shows[p]
	e, err := tx.Entry([]byte(p.key))
	sameEntry(t, p, e, err, want, has)
	if there, err := tx.Has([]byte(p.key)); err != nil || there != has {
		t.Fatalf("has %q: %v %v, want %v", p, there, err, has)
	}
	if !x.decides(p) {
		x.keys[p] = true
	}
}

func sameEntry(t rapid.TB, p place, e engine.Entry, err error, want cell, has bool) {
	t.Helper()
	if errors.Is(err, engine.ErrNotFound) != !has || (has && (err != nil || string(e.Key) != p.key || string(e.Value) != want.value || e.Seq != want.seq)) {
		t.Fatalf("%q is %.20q put by %d, %v; want %.20q by %d, %v", p, e.Value, e.Seq, err, want.value, want.seq, has)
	}
}

func (x *modelTx) count(t *rapid.T, tx *engine.Tx, tenant string) {
	r := drawRange(t)
	s := spanOf(tenant, r)
	n, err := tx.Count(r)
	if want := len(x.shows.in(s, false)); err != nil || n != want {
		t.Fatalf("count %+v: %d %v, want %d", s, n, err, want)
	}
	x.ranges = append(x.ranges, s)
}

// scan goes some way through a range.
func (x *modelTx) scan(t *rapid.T, tx *engine.Tx, tenant string) {
	r, most := drawRange(t), rapid.IntRange(1, 8).Draw(t, "most")
	s := spanOf(tenant, r)
	want := x.shows.in(s, r.Reverse)
	n := 0
	for e, err := range tx.Scan(r) {
		if n == len(want) {
			t.Fatalf("scan %+v: also %q %v", s, e.Key, err)
		}
		p := place{tenant, want[n]}
		sameEntry(t, p, e, err, x.shows[p], true)
		if n++; n == most {
			break
		}
	}
	if n < min(most, len(want)) {
		t.Fatalf("scan %+v: ends after %d of %q", s, n, want)
	}
	if n == most && r.Reverse {
		s.from = want[n-1]
	} else if n == most {
		s.to, s.open = want[n-1]+"\x00", false
	}
	x.ranges = append(x.ranges, s)
}

// sub does some things in a stacked view, and keeps or drops it.
func (x *modelTx) sub(t *rapid.T, tx *engine.Tx, _ string) {
	if x.depth == 3 {
		t.Skip("deep enough")
	}
	before, changed := x.shadow.clone(), x.changed
	end := rapid.SampledFrom([]string{"fold", "fold", "error", "panic"}).Draw(t, "end")
	dropped := errors.New(end)
	err := func() (err error) {
		defer func() {
			if v := recover(); v == end {
				err = dropped
			} else if v != nil {
				panic(v)
			}
		}()
		return tx.Sub(func(*engine.Tx) error {
			x.depth++
			for range rapid.IntRange(0, 4).Draw(t, "acts") {
				x.actInside(t)
			}
			x.depth--
			switch end {
			case "error":
				return dropped
			case "panic":
				panic(end)
			}
			return nil
		})
	}()
	if end == "fold" {
		ok(t, err)
		return
	}
	if err != dropped {
		t.Fatalf("the dropped view gave %v", err)
	}
	x.shadow, x.changed = before, changed
}

// actInside is act without the choice to skip: a skipped action would leave the view
// half way.
func (x *modelTx) actInside(t *rapid.T) {
	tenant := drawTenant(t)
	tx, err := x.tx.Tenant(tenant)
	ok(t, err)
	acts := []func(*rapid.T, *engine.Tx, string){x.get, x.scan, x.count, x.put, x.put, x.del, x.delRange, x.fill}
	if x.depth < 3 {
		acts = append(acts, x.sub)
	}
	rapid.SampledFrom(acts).Draw(t, "act")(t, tx, tenant)
}
