package vlogtest

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/vlogdb/vlog/engine"
)

// oddKeys are keys that a careless store mixes up, in order.
var oddKeys = []string{
	"", "\x00", "\x00\x00", "\x01", " ", ".", "..", "../x", "/", "CON", "a", "a\x00", "a/b", "con", "e\u0301", "key", "\u00e9",
	"\xfe\xff", "\xff", "\xff\x00", "\xff\xff", "\xff\xff\xff",
}

func (d *dbTest) keys() {
	db := d.open(engine.Options{})
	acme, err := db.Tenant("acme")
	d.check(err)
	for _, s := range []engine.Scope{db.Scope, acme} {
		d.check(s.Update(d.Context(), func(ctx context.Context, tx *engine.Tx) error {
			for i, key := range oddKeys {
				if err := tx.Put([]byte(key), []byte(oddValue(i))); err != nil {
					return err
				}
			}
			d.oddKeys("in the transaction", tx.Entry, tx.Scan(engine.Range{}))
			return nil
		}))
	}
	look := func(what string) {
		for _, s := range []engine.Scope{db.Scope, acme} {
			d.oddKeys(what+" "+s.Name(), func(key []byte) (engine.Entry, error) { return s.Entry(d.Context(), key) }, s.Scan(d.Context(), engine.Range{}))
		}
	}
	look("committed in")
	if d.place.Volatile {
		return
	}
	d.check(db.Close())
	db = d.open(engine.Options{})
	acme, err = db.Tenant("acme")
	d.check(err)
	look("reopened in")
}

// oddValue is empty for every other key: an empty value is not a missing key.
func oddValue(i int) string { return strings.Repeat("v", i%2*i) }

func (d *dbTest) oddKeys(what string, get func(key []byte) (engine.Entry, error), scan iter.Seq2[engine.Entry, error]) {
	d.Helper()
	for i, key := range oddKeys {
		e, err := get([]byte(key))
		if err != nil || string(e.Key) != key || string(e.Value) != oddValue(i) {
			d.Errorf("%s: %q is %q %v", what, key, e.Value, err)
		}
		d.want(what+": a missing key", second(get([]byte(key+"?"))), engine.ErrNotFound)
	}
	var got []string
	for e, err := range scan {
		d.check(err)
		got = append(got, string(e.Key))
	}
	if !slices.Equal(got, oddKeys) {
		d.Errorf("%s: a scan gives %q", what, got)
	}
}

// bytes: what is put is copied, deleted means missing, and an entry says which
// batch put it.
func (d *dbTest) bytes() {
	ctx, db := d.Context(), d.open(engine.Options{})
	key, value := []byte("key"), []byte("value")
	d.check(db.Update(ctx, func(_ context.Context, tx *engine.Tx) error {
		err := tx.Put(key, value)
		copy(key, "xxx")
		copy(value, "xxxxx")
		return err
	}))
	d.holds("put", db.Scope, "key=value")
	first, err := db.Entry(ctx, []byte("key"))
	d.check(err)
	d.put(db.Scope, "other=")
	again, err := db.Entry(ctx, []byte("key"))
	d.check(err)
	other, err := db.Entry(ctx, []byte("other"))
	d.check(err)
	if first.Seq == 0 || again.Seq != first.Seq || other.Seq != first.Seq+1 {
		d.Errorf("put by batches %d, %d, %d", first.Seq, again.Seq, other.Seq)
	}
	kept := again.Value
	d.check(db.Put(ctx, []byte("key"), []byte("VALUE")))
	d.check(db.Delete(ctx, []byte("other")))
	d.check(db.Delete(ctx, []byte("never there")))
	if string(kept) != "value" {
		d.Errorf("bytes handed out changed to %q", kept)
	}
	d.want("deleted", second(db.Get(ctx, []byte("other"))), engine.ErrNotFound)
	has, err := db.Has(ctx, []byte("other"))
	d.check(err)
	if has {
		d.Error("a deleted key is there")
	}
	d.check(db.DeleteRange(ctx, engine.Range{}))
	d.holds("everything deleted", db.Scope)
}

// rangeKeys and edges meet in every way that a range can.
var (
	rangeKeys = []string{"", "a", "a\x00", "aa", "ab", "b", "b\xff", "b\xff\xff", "ba", "c", "\xff", "\xff\xff", "\xff\xff\xff"}
	edges     = []string{"nil", "", "a", "a\x00", "ab", "b", "b\xff", "bb", "c", "\xff", "\xff\xff", "\xff\xff\xff\xff"}
)

// edge returns an edge's bytes; the first is nil.
func edge(i int) []byte {
	if i == 0 {
		return nil
	}
	return []byte(edges[i])
}

// inRange is what a Range means, said in the simplest way.
func inRange(keys []string, r engine.Range) (in []string) {
	for _, k := range keys {
		key := []byte(k)
		if bytes.HasPrefix(key, r.Prefix) && bytes.Compare(key, r.From) >= 0 && (r.To == nil || bytes.Compare(key, r.To) < 0) {
			in = append(in, k)
		}
	}
	slices.Sort(in)
	if r.Reverse {
		slices.Reverse(in)
	}
	return in
}

// allRanges yields every combination of edges.
func allRanges(yield func(engine.Range) bool) {
	for p := range edges {
		for f := range edges {
			for t := range edges {
				for _, reverse := range []bool{false, true} {
					if !yield(engine.Range{Prefix: edge(p), From: edge(f), To: edge(t), Reverse: reverse}) {
						return
					}
				}
			}
		}
	}
}

// ranges compares Scan, Count and DeleteRange with what a range means, on the DB,
// on a picture, and on a transaction whose changes lie over it.
func (d *dbTest) ranges() {
	ctx, db := d.Context(), d.open(engine.Options{})
	acme, err := db.Tenant("acme")
	d.check(err)
	d.put(acme, "a=foreign", "\xff=foreign")
	for i, key := range rangeKeys {
		d.put(db.Scope, key+"=old")
		if i%3 == 0 {
			d.put(db.Scope, key+"!=gone in the transaction")
		}
	}
	tx := d.begin(db, engine.Deferred)
	defer tx.Rollback()
	d.check(tx.DeleteRange(engine.Range{From: []byte("b")}))
	for i, key := range rangeKeys {
		d.check(tx.Delete([]byte(key + "!")))
		if i%2 == 0 || key >= "b" {
			d.check(tx.Put([]byte(key), []byte("new")))
		}
	}
	present := slices.Clone(rangeKeys)
	for i, key := range rangeKeys {
		if i%3 == 0 {
			present = append(present, key+"!")
		}
	}
	for r := range allRanges {
		d.sameKeys(r, db.Scan(ctx, r), present)
		d.sameCount(r, inRange(present, r), func() (int, error) { return db.Count(ctx, r) })
		d.sameKeys(r, tx.Scan(r), rangeKeys)
		d.sameCount(r, inRange(rangeKeys, r), func() (int, error) { return tx.Count(r) })
		d.deleteRange(tx, r)
	}
}

func (d *dbTest) sameKeys(r engine.Range, seq iter.Seq2[engine.Entry, error], keys []string) {
	d.Helper()
	var got []string
	for e, err := range seq {
		d.check(err)
		got = append(got, string(e.Key))
	}
	if want := inRange(keys, r); !slices.Equal(got, want) {
		d.Fatalf("range %q %q %q reverse %v: %q, want %q", r.Prefix, r.From, r.To, r.Reverse, got, want)
	}
}

func (d *dbTest) sameCount(r engine.Range, want []string, count func() (int, error)) {
	d.Helper()
	if n, err := count(); err != nil || n != len(want) {
		d.Fatalf("range %q %q %q: counted %d %v, want %d", r.Prefix, r.From, r.To, n, err, len(want))
	}
}

// deleteRange deletes a range in a view that is dropped again.
func (d *dbTest) deleteRange(tx *engine.Tx, r engine.Range) {
	d.Helper()
	dropped := fmt.Errorf("dropped")
	err := tx.Sub(func(tx *engine.Tx) error {
		d.check(tx.DeleteRange(r))
		gone := inRange(rangeKeys, r)
		left := slices.DeleteFunc(slices.Clone(rangeKeys), func(k string) bool { return slices.Contains(gone, k) })
		d.sameKeys(engine.Range{}, tx.Scan(engine.Range{}), left)
		return dropped
	})
	d.want("a dropped view", err, dropped)
}

// scans: a loop sees what was there when it began, whatever it does meanwhile; it
// may be left, and gone through again.
func (d *dbTest) scans() {
	ctx, db := d.Context(), d.open(engine.Options{})
	d.put(db.Scope, "a=1", "b=2", "c=3", "d=4")
	all := db.Scan(ctx, engine.Range{})
	var seen []string
	for e, err := range all {
		d.check(err)
		seen = append(seen, string(e.Key))
		d.put(db.Scope, string(e.Key)+"x=new")
		d.check(db.Delete(ctx, []byte("c")))
	}
	if got := strings.Join(seen, " "); got != "a b c d" {
		d.Errorf("a loop that changes the store sees %s", got)
	}
	d.same("gone through again", all, "a=1", "ax=new", "b=2", "bx=new", "cx=new", "d=4", "dx=new")
	for _, reverse := range []bool{false, true} {
		d.check(db.Update(ctx, func(_ context.Context, tx *engine.Tx) error { return d.scanChanging(tx, reverse) }))
	}
	for range all {
		break
	}
}

// scanChanging changes a transaction while scanning it.
func (d *dbTest) scanChanging(tx *engine.Tx, reverse bool) error {
	d.check(tx.DeleteRange(engine.Range{}))
	d.check(puts(tx, "a=1", "b=2", "c=3"))
	all := tx.Scan(engine.Range{Reverse: reverse})
	n := 0
	for e, err := range all {
		d.check(err)
		n++
		d.check(puts(tx, string(e.Key)+"x=new", "0=new", "z=new"))
		d.check(tx.DeleteRange(engine.Range{Prefix: []byte("b")}))
		for range tx.Scan(engine.Range{}) { // a scan inside a scan
			break
		}
	}
	if n != 3 {
		d.Errorf("reverse %v: a loop that changes its transaction sees %d entries, want 3", reverse, n)
	}
	want := []string{"0=new", "a=1", "ax=new", "c=3", "cx=new", "z=new"}
	if reverse { // then b came behind c, and a was the last to delete bx
		slices.Reverse(want)
	}
	d.same("gone through again", all, want...)
	return nil
}
