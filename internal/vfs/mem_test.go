package vfs

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// plain is the stupid model of a Mem: files are byte slices, and nothing is ever lost.
type plain struct {
	now, durable map[string][]byte
}

func (p *plain) write(name, text string, off int) {
	b := p.now[name]
	if grow := off + len(text) - len(b); grow > 0 {
		b = append(b, make([]byte, grow)...)
	}
	copy(b[off:], text)
	p.now[name] = b
}

func (p *plain) truncate(name string, size int) {
	b := p.now[name]
	if size <= len(b) {
		p.now[name] = slices.Clone(b[:size])
		return
	}
	p.now[name] = append(slices.Clone(b), make([]byte, size-len(b))...)
}

// step is one random operation on both.
func (p *plain) step(t *rapid.T, m *Mem) {
	names := []string{"a", "b", "c"}
	name, other := rapid.SampledFrom(names).Draw(t, "name"), rapid.SampledFrom(names).Draw(t, "other")
	off, n := rapid.IntRange(0, 10_000).Draw(t, "off"), rapid.IntRange(0, 9_000).Draw(t, "len")
	_, exists := p.now[name]
	switch rapid.SampledFrom([]string{"write", "write", "truncate", "rename", "remove", "replace", "settle"}).Draw(t, "op") {
	case "write":
		text := string(bytes.Repeat([]byte{byte('a' + n%26)}, n))
		f, err := m.Open(name, Create)
		ok(t, err)
		_, err = f.WriteAt([]byte(text), int64(off))
		ok(t, err)
		if p.now[name] == nil {
			p.now[name] = []byte{}
		}
		if n > 0 {
			p.write(name, text, off)
		}
	case "truncate":
		f, err := m.Open(name, ReadWrite)
		if exists != (err == nil) {
			t.Fatal(err)
		}
		if exists {
			ok(t, f.Truncate(int64(off)))
			p.truncate(name, off)
		}
	case "rename":
		if err := m.Rename(name, other); exists != (err == nil) {
			t.Fatal(err)
		}
		if exists {
			b := p.now[name]
			delete(p.now, name)
			p.now[other] = b
		}
	case "remove":
		if err := m.Remove(name); exists != (err == nil) {
			t.Fatal(err)
		}
		delete(p.now, name)
	case "replace":
		ok(t, m.Replace(name, []byte(other)))
		p.now[name] = []byte(other)
		p.settle(t, m)
	case "settle":
		p.settle(t, m)
	}
}

// settle syncs everything.
func (p *plain) settle(t *rapid.T, m *Mem) {
	for name := range p.now {
		f, err := m.Open(name, ReadWrite)
		ok(t, err)
		ok(t, f.Sync())
	}
	ok(t, m.SyncDir("."))
	p.durable = map[string][]byte{}
	for name, b := range p.now {
		p.durable[name] = slices.Clone(b)
	}
}

func ok(t *rapid.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

func same(t *rapid.T, m *Mem, want map[string][]byte) {
	list, err := m.ReadDir(".")
	ok(t, err)
	if len(list) != len(want) {
		t.Fatalf("files %v, want %v", list, slices.Sorted(maps.Keys(want)))
	}
	for name, b := range want {
		f, err := m.Open(name, ReadOnly)
		ok(t, err)
		got := make([]byte, len(b)+1)
		n, err := f.ReadAt(got, 0)
		if err != io.EOF || !bytes.Equal(got[:n], b) {
			t.Fatalf("%s: %d bytes, want %d, %v", name, n, len(b), err)
		}
	}
}

func TestMemAgainstPlain(t *testing.T) {
	for _, track := range []bool{false, true} {
		t.Run(fmt.Sprint("track ", track), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				m, p := NewMem(MemOptions{Track: track}), &plain{now: map[string][]byte{}, durable: map[string][]byte{}}
				for range rapid.IntRange(1, 30).Draw(t, "steps") {
					p.step(t, m)
				}
				same(t, m, p.now)
				same(t, m.Crash(Kill, 1), p.now)
				same(t, m.Crash(Kept, 1), p.now)
				if track {
					same(t, m.Crash(Lost, 1), p.durable)
					same(t, m.Crash(Kill, 1).Crash(Lost, 1), p.durable)
				}
				m.Snapshot().Images(Reordered, 20, func(img *Image) bool { img.Hash(); return true })
				same(t, m, p.now)
			})
		})
	}
}

// The exploration that recovery tests do: after each of 400 operations, images
// of every model, each hashed.
func TestExploring400Operations(t *testing.T) {
	m := tracked()
	seen := map[[32]byte]bool{}
	explore := func() {
		disk := m.Snapshot()
		for _, model := range Models() {
			disk.Images(model, 16, func(img *Image) bool { seen[img.Hash()] = true; return true })
		}
	}
	m.OnOp(func(Op) { explore() })
	f, err := m.Open("log", Create)
	check(t, err)
	for i := range 130 {
		put(t, f, string(rune('a'+i%26)), 3000, int64(i*3000))
		if i%3 == 0 {
			check(t, f.Sync())
		}
		if i%5 == 0 {
			check(t, m.Replace(fmt.Sprint("head", i%7), fmt.Append(nil, i)))
		}
	}
	t.Logf("%d operations, %d images", m.Ops(), len(seen))
}

// Memory that is used as a store: 32 MiB written in pieces must not take long.
func TestMemIsLinear(t *testing.T) {
	m := NewMem(MemOptions{})
	f := create(t, m, "a", "")
	begin := time.Now()
	p := make([]byte, 1000)
	for off := int64(0); off < 32<<20; off += 1000 {
		_, err := f.WriteAt(p, off)
		check(t, err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("32 MiB took %v", took)
	}
}

func TestMemConcurrently(t *testing.T) {
	m := tracked()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			name := fmt.Sprint("f", i%4)
			f, err := m.Open(name, Create)
			if err != nil {
				t.Error(err)
				return
			}
			for k := range 50 {
				_, werr := f.WriteAt([]byte("some text"), int64(k*100))
				_, rerr := f.ReadAt(make([]byte, 9), int64(k*100))
				if werr != nil || rerr != nil || f.Sync() != nil || m.SyncDir(".") != nil {
					t.Error(werr, rerr)
				}
				if k%10 == 0 {
					m.Snapshot().Images(Reordered, 4, func(img *Image) bool { img.Hash(); img.Mem(true); return true })
				}
			}
		})
	}
	all.Wait()
}

func TestMemOps(t *testing.T) {
	m := tracked()
	var ops []string
	m.OnOp(func(op Op) {
		ops = append(ops, fmt.Sprint(op.N, " ", op))
		if op.N != m.Ops() {
			t.Errorf("op %d, counted %d", op.N, m.Ops())
		}
		m.Snapshot()
	})
	check(t, m.Mkdir("d"))
	f := create(t, m, "d/a", "text")
	if _, err := m.Open("d/a", Create); err != nil {
		t.Fatal(err)
	}
	check(t, f.Truncate(2))
	check(t, f.Sync())
	if m.Remove("d") == nil || m.Rename("x", "y") == nil {
		t.Fatal("no error")
	}
	check(t, m.Replace("d/b", []byte("bb")))
	check(t, m.Remove("d/b"))
	want := []string{"1 mkdir d", "2 create d/a", "3 write d/a 0+4", "4 truncate d/a 2", "5 sync d/a",
		"6 create d/.b.tmp", "7 write d/.b.tmp 0+2", "8 sync d/.b.tmp", "9 rename d/.b.tmp d/b", "10 syncdir d", "11 remove d/b"}
	if !slices.Equal(ops, want) {
		t.Errorf("%q", ops)
	}
}

func TestReopen(t *testing.T) {
	m := NewMem(MemOptions{})
	check(t, m.Replace("a", []byte("aa")))
	again := m.Reopen()
	l, err := m.Lock("LOCK")
	check(t, err)
	if _, err := again.Lock("LOCK"); err == nil {
		t.Error("locked twice")
	}
	check(t, m.Close())
	check(t, l.Close())
	if got := show(t, again); got != "LOCK= a=a*2" {
		t.Error(got)
	}
}
