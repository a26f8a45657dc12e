package checkpoint

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/fuzz/cost"
	"github.com/vlogdb/vlog/internal/batch"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/state"
	"github.com/vlogdb/vlog/internal/vfs"
	"github.com/vlogdb/vlog/wal"
)

// FuzzLoad loads any bytes: a whole file, or the entries of a file whose checksums
// hold. What loads is written again in the same bytes.
func FuzzLoad(f *testing.F) {
	h := Header{Store: ours, At: state.Position{Seq: 7, Time: 8, Chain: batch.Chain{9}}}
	a, b := entry(1, "a", "1"), entry(7, "b", "2")
	f.Add(file(h, 2, []byte(a), []byte(b)), false)
	f.Add(file(h, 0), false)
	f.Add([]byte(a+b), true)
	f.Add([]byte(b+a), true)
	f.Add([]byte(a[:3]), true)
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), true)
	f.Fuzz(func(t *testing.T, b []byte, entries bool) {
		m := vfs.NewMem(vfs.MemOptions{})
		check(t, m.Mkdir("log"))
		if entries {
			count, ok := countEntries(b)
			if !ok {
				count = 1
			}
			b = file(h, count, b)
		}
		writeFile(t, m, Backup, b)
		var p *state.Picture
		var sum Summary
		var err error
		cost.Within(t, readCost(len(b)), func() { p, sum, err = Load(m, Backup, ours) })
		_, beside, ahead := load(m, Backup, ours, 0)
		if fault.KindOf(ahead) != fault.KindOf(err) || beside != sum {
			t.Fatalf("several blocks at once: %+v %v, one by one: %+v %v", beside, ahead, sum, err)
		}
		if err != nil {
			if k := fault.KindOf(err); k != fault.ErrCorrupt && k != fault.ErrForeign && k != fault.ErrIncompatible {
				t.Fatal(err)
			}
			return
		}
		again, err := Write(m, Name(1), Image{ours, p, wal.Binary}, nil)
		check(t, err)
		if sum.Blocks <= 1 && sum.Size <= BlockSize && (again != sum || !bytes.Equal(slurp(t, m, Name(1)), b)) {
			t.Fatalf("read %+v, written %+v", sum, again)
		}
	})
}

// FuzzLoadLines loads any bytes as an NDJSON checkpoint: a whole file, or the lines of a
// file whose sums hold. What loads is written again in the same bytes.
func FuzzLoadLines(f *testing.F) {
	h := Header{Store: ours, At: state.Position{Seq: 7, Time: 8, Chain: batch.Chain{9}}}
	a, b := `{"k":"a","v":1,"seq":1}`+"\n", `{"space":"doc","tenant":"acme","k64":"/w==","t":"\u00e9","seq":7}`+"\n"
	f.Add(linesFile(h, 2, a, b), false)
	f.Add(linesFile(h, 0), false)
	f.Add([]byte(a+b), true)
	f.Add([]byte(b+a), true)
	f.Add([]byte(a[:9]), true)
	f.Add([]byte(`{"k":"a","b64":"AP8=","seq":18446744073709551615}`), true)
	f.Fuzz(func(t *testing.T, b []byte, entries bool) {
		if entries {
			text := string(b) + "\n"
			b = linesFile(h, uint64(strings.Count(text, "\n")), text)
		}
		m := vfs.NewMem(vfs.MemOptions{})
		check(t, m.Mkdir("log"))
		writeFile(t, m, Backup, b)
		var p *state.Picture
		var sum Summary
		var err error
		cost.Within(t, readCost(len(b)), func() { p, sum, err = Load(m, Backup, ours) })
		if err != nil {
			if k := fault.KindOf(err); k != fault.ErrCorrupt && k != fault.ErrForeign && k != fault.ErrIncompatible {
				t.Fatal(err)
			}
			return
		}
		again, err := Write(m, Name(1), Image{ours, p, sum.Codec}, nil)
		check(t, err)
		if sum.Blocks <= 1 && sum.Size <= BlockSize && (again != sum || !bytes.Equal(slurp(t, m, Name(1)), b)) {
			t.Fatalf("read %+v, written %+v", sum, again)
		}
	})
}

// FuzzEntryLine reads any bytes as the line of an entry, by the hurried reader and by a
// plain one: both take the same.
func FuzzEntryLine(f *testing.F) {
	f.Add(`{"k":"a","v":{"b":[1]},"seq":1}`)
	f.Add(`{"space":"doc","tenant":"acme","k":"\n","t":"\ud83d\ude00","seq":7}`)
	f.Add(`{"tenant":"acme","k64":"AA==","b64":"AP8=","seq":18446744073709551615}`)
	f.Add(`{"space":"space-9","k":"","t":"","seq":1}`)
	f.Add(`{"k":"","v":",\"seq\":1}","seq":1}`)
	f.Fuzz(func(t *testing.T, text string) {
		line := []byte(text + "\n")
		if bytes.IndexByte(line, '\n') < len(line)-1 {
			return
		}
		want, ok := plainEntry(line)
		var r entryReader
		for range 2 { // the second time in the tree of the first
			got, err := r.entry(line)
			if (err == nil) != ok || ok && fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("%s: read as %v, %v, plainly as %v, %v", line, got, err, want, ok)
			}
		}
	})
}

// plainLine is the line of an entry as package json reads it.
type plainLine struct {
	Space, Tenant  *string
	K, K64, T, B64 *string
	V              json.RawMessage
	Seq            batch.Seq
}

// plainEntry reads a line by package json alone.
func plainEntry(line []byte) (e state.Entry, ok bool) {
	var says plainLine
	if json.Unmarshal(line, &says) != nil {
		return e, false
	}
	space, known := spaceOf(says.Space)
	tenant := batch.Main
	if says.Tenant != nil {
		tenant = *says.Tenant
	}
	key, one := oneOf(nil, says.K, says.K64)
	value, two := oneOf(says.V, says.T, says.B64)
	if !known || !one || !two || batch.CheckTenant(tenant) != nil {
		return e, false
	}
	e = state.Entry{Key: batch.AppendKey(nil, space, tenant, key), Value: value, Seq: says.Seq}
	return e, string(appendEntry(nil, e)) == string(line)
}

// spaceOf finds a space by its name, by trying all.
func spaceOf(name *string) (batch.Space, bool) {
	for s := 0; name != nil && s < 256; s++ {
		if batch.Space(s).String() == *name {
			return batch.Space(s), true
		}
	}
	return batch.KV, name == nil
}

// oneOf returns the bytes of the one that is there, verbatim, as text or in base64.
func oneOf(verbatim []byte, text, b64 *string) ([]byte, bool) {
	switch {
	case verbatim != nil && text == nil && b64 == nil:
		return verbatim, true
	case verbatim == nil && text != nil && b64 == nil:
		return []byte(*text), true
	case verbatim == nil && text == nil && b64 != nil:
		b, err := base64.StdEncoding.DecodeString(*b64)
		return b, err == nil
	}
	return nil, false
}

// countEntries counts as the loader does not: by taking entries off one by one.
func countEntries(b []byte) (n uint64, ok bool) {
	l := state.NewLoader(state.Position{Seq: 7})
	if l.Add(bytes.Clone(b)) != nil {
		return 0, false
	}
	p, err := l.Picture()
	if err != nil {
		return 0, false
	}
	for range p.Ascend(nil, nil) {
		n++
	}
	return n, true
}

// FuzzFlags reads any bytes as each of the flags, under a sum that holds or as they are.
func FuzzFlags(f *testing.F) {
	f.Add([]byte(promotionLine(ourHex, 7, "ab")), false)
	f.Add([]byte(tailLine(ourHex)), false)
	f.Add([]byte(tailLine(otherHex)), false)
	f.Add([]byte("\n"), false)
	f.Add([]byte(`{"store":"`+ourHex+`","seq":1,"digest":"`+strings.Repeat("0", 64)+`","time":-1`), true)
	f.Add([]byte(`{"store":"`+ourHex+`","epoch":1e3,"offset":0.5`), true)
	f.Fuzz(func(t *testing.T, b []byte, sum bool) {
		if sum {
			b = []byte(sealed(string(b)))
		}
		m := vfs.NewMem(vfs.MemOptions{})
		check(t, m.Mkdir("log"))
		for _, name := range []string{Recover, Truncate, TruncateFlag} {
			writeFile(t, m, name, b)
		}
		var fl Flags
		var err error
		cost.Within(t, readCost(0), func() { fl, err = ReadFlags(m, ours) })
		check(t, err)
		if !fl.Recover || !fl.Truncate || !fl.TruncateFlag {
			t.Fatalf("%+v", fl)
		}
		if p := fl.Promotion; p != nil && (len(b) > maxFlag || b[len(b)-1] != '\n' || string(b) != sealed(string(b[:max(len(b)-sumSize, 0)])) || len(p.Digest) != 32 || !bytes.Equal(p.Store, ours[:])) {
			t.Fatalf("believed: %q", b)
		}
		if fl.Tail != nil && (len(b) > maxFlag || !bytes.Equal(fl.Tail.Store, ours[:])) {
			t.Fatalf("believed: %q", b)
		}
	})
}

// FuzzPeek reads the two ends of any bytes: they say what the whole says, wherever that
// verifies.
func FuzzPeek(f *testing.F) {
	h := Header{Store: ours, At: state.Position{Seq: 7, Time: 8, Chain: batch.Chain{9}}}
	f.Add(file(h, 2, []byte(entry(1, "a", "1")), []byte(entry(7, "b", "2"))))
	f.Add(file(h, 0))
	f.Add(linesFile(h, 1, `{"k":"a","v":1,"seq":1}`+"\n"))
	f.Add(linesFile(h, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := vfs.NewMem(vfs.MemOptions{})
		check(t, m.Mkdir("log"))
		writeFile(t, m, Backup, b)
		var whole, ends Summary
		var err, peeked error
		cost.Within(t, readCost(len(b)), func() { whole, err = Verify(m, Backup, ours) })
		cost.Within(t, readCost(len(b)), func() { ends, peeked = Peek(m, Backup, ours) })
		for _, err := range []error{err, peeked} {
			if k := fault.KindOf(err); err != nil && k != fault.ErrCorrupt && k != fault.ErrForeign && k != fault.ErrIncompatible {
				t.Fatal(err)
			}
		}
		if err == nil && (peeked != nil || ends != whole) {
			t.Fatalf("the ends say %+v, %v, the whole %+v", ends, peeked, whole)
		}
	})
}

// readCost is what reading n bytes of a checkpoint may allocate, whatever they say.
func readCost(n int) int { return 64*n + 8<<20 }

// FuzzKeep has any bytes as the store's setting: what is taken is one thing to keep, and
// the same when it is written again.
func FuzzKeep(f *testing.F) {
	for _, k := range []Keep{DefaultKeep(), {Batches: 1 << 63}, {For: 1<<63 - 1}, {All: true}} {
		b, err := k.Encode()
		check(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		keepIn := func(b []byte) (Keep, error) {
			e := state.NewEdit(state.Empty())
			e.Apply(&batch.Batch{Ops: []batch.Op{{Kind: batch.Put, Key: KeepKey(), Value: b}}}, state.Position{Seq: 1})
			return KeepOf(e.Picture())
		}
		k, err := keepIn(b)
		if err != nil {
			if fault.KindOf(err) != fault.ErrIncompatible {
				t.Fatal(err)
			}
			return
		}
		again, err := k.Encode()
		check(t, err)
		if got, err := keepIn(again); err != nil || got != k || k.Check() != nil {
			t.Fatalf("%q is %+v, then %+v, %v", b, k, got, err)
		}
	})
}
