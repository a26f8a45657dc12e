package vfs

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vlogdb/vlog/internal/fault"
)

// work is a small workload through an FS; it stops at the first error.
func work(fsys FS) (err error) {
	l, err := fsys.Lock("LOCK")
	if err != nil {
		return err
	}
	defer func() { err = also(err, l.Close()) }()
	if err := errors.Join(l.SetContent([]byte("me"), false), fsys.Mkdir("d")); err != nil {
		return err
	}
	f, err := fsys.Open("d/a", CreateNew)
	if err != nil {
		return err
	}
	if err := fill(f); err != nil {
		return err
	}
	if err := fsys.Replace("head", []byte("d/a")); err != nil {
		return err
	}
	return fsys.SyncDir("d")
}

func fill(f File) (err error) {
	defer func() { err = also(err, f.Close()) }()
	if _, err := f.WriteAt([]byte("text"), 0); err != nil {
		return err
	}
	return f.Sync()
}

func TestLog(t *testing.T) {
	var trace Trace
	fsys := NewLog(NewFail(tracked(), When(Both(OnKind(OpSync), OnPath("*.tmp")), Nth(1, syscall.EIO))), trace.Record)
	want(t, work(fsys), fault.ErrIO)
	trace.Note("again")
	want(t, work(fsys), fault.ErrExists)
	trace.Reads = true
	if _, err := fsys.ReadDir("d"); err != nil {
		t.Fatal(err)
	}
	const golden = `lock LOCK
setlock LOCK 2
mkdir d
create d/a
write d/a 0+4
sync d/a
create .head.tmp
write .head.tmp 0+3
sync .head.tmp: IO
remove .head.tmp
unlock LOCK
again
lock LOCK
setlock LOCK 2
mkdir d: EXISTS
unlock LOCK
readdir d
`
	if got := trace.String(); got != golden {
		t.Errorf("%s", got)
	}
	trace.Reset()
	if trace.String() != "" {
		t.Error("not empty")
	}
}

// Fails the first operation, the second, and so on: each error arrives, nothing
// hangs, the lock is free afterwards, and the head is never half there.
func TestFailEachOperation(t *testing.T) {
	for n := 1; ; n++ {
		m := tracked()
		f := NewFail(m, Nth(n, syscall.ENOSPC)).DropOnSync(OnChange())
		err := work(f)
		if f.Injected() == 0 {
			if err != nil || n < 15 {
				t.Fatalf("after %d operations: %v", n, err)
			}
			return
		}
		want(t, err, fault.ErrNoSpace)
		if f.Injected() != 1 || f.Ops() < n {
			t.Fatalf("%d: injected %d of %d", n, f.Injected(), f.Ops())
		}
		if held, err := m.Held("LOCK"); held || err != nil {
			t.Fatalf("%d: lock left", n)
		}
		for _, model := range Models() {
			for _, got := range states(t, m, model) {
				if strings.Contains(got, " head=") && !strings.Contains(got, " head=d*1+/*1+a*1") {
					t.Errorf("%d, %v: %s", n, model, got)
				}
			}
		}
	}
}

func TestFailShort(t *testing.T) {
	m := tracked()
	f := NewFail(m, When(OnKind(OpWrite), Nth(2, Short(fault.ErrNoSpace))))
	g := create(t, f, "a", "text")
	n, err := g.WriteAt([]byte("12345678"), 4)
	want(t, err, fault.ErrNoSpace)
	if n != 4 || read(t, m, "a") != "text1234" {
		t.Errorf("%d bytes, %q", n, read(t, m, "a"))
	}
	if _, err := g.WriteAt([]byte("12345678"), 4); err != nil || read(t, f, "a") != "text12345678" {
		t.Error(err)
	}
}

func TestFailSyncDropsPages(t *testing.T) {
	m := tracked()
	f := NewFail(m, When(OnKind(OpSync), Nth(1, syscall.EIO))).DropOnSync(OnChange())
	g := create(t, f, "a", "text")
	check(t, f.SyncDir("."))
	want(t, g.Sync(), fault.ErrIO)
	check(t, g.Sync())
	wantStates(t, m, Lost, "a=")
	wantStates(t, m, Kill, "a=t*1+e*1+x*1+t*1")
}

// TestFailSyncDropsPagesOfRenamed: segments are made as spares and renamed while they
// are open; the pages that a failed sync drops are theirs all the same.
func TestFailSyncDropsPagesOfRenamed(t *testing.T) {
	m := tracked()
	f := NewFail(NewLog(m, new(Trace).Record), When(OnKind(OpSync), Nth(1, syscall.EIO))).DropOnSync(OnChange())
	g := create(t, f, "spare", "text")
	check(t, f.Rename("spare", "segment"))
	put(t, create(t, f, "spare", ""), "other", 1, 0)
	check(t, f.SyncDir("."))
	want(t, g.Sync(), fault.ErrIO)
	check(t, g.Sync())
	wantAmong(t, m, Kept, "segment= spare=o*1+t*1+h*1+e*1+r*1")
	wantStates(t, m, Kill, "segment=t*1+e*1+x*1+t*1 spare=o*1+t*1+h*1+e*1+r*1")
}

func TestFailCloseCloses(t *testing.T) {
	m := tracked()
	f := NewFail(m, When(OnKind(OpClose, OpUnlock), Always(syscall.EIO)))
	g := create(t, f, "a", "")
	want(t, g.Close(), fault.ErrIO)
	want(t, g.Sync(), fault.ErrClosed)
	l, err := f.Lock("LOCK")
	check(t, err)
	want(t, l.Close(), fault.ErrIO)
	if held, err := f.Held("LOCK"); held || err != nil {
		t.Error(held, err)
	}
}

func TestInjectors(t *testing.T) {
	count := func(inj Injector) (failed []int) {
		for i := range 6 {
			if inj.Fail(Op{Kind: OpWrite, Name: "log/" + string(rune('a'+i))}) != nil {
				failed = append(failed, i+1)
			}
		}
		return failed
	}
	err := errors.New("injected")
	for name, c := range map[string]struct {
		inj  Injector
		want int
		last int
	}{
		"always": {Always(err), 6, 6}, "nth": {Nth(3, err), 1, 3}, "from": {From(3, err), 4, 6},
		"path": {When(OnPath("log/[bd]"), Always(err)), 2, 4}, "second of path": {When(OnPath("log/[bd]"), Nth(2, err)), 1, 4},
		"kind": {When(OnKind(OpSync), Always(err)), 0, 0}, "change": {When(OnChange(), Nth(2, err)), 1, 2},
		"any": {Any(Nth(1, err), Nth(5, err)), 2, 5}, "malformed": {When(OnPath("["), Always(err)), 0, 0},
	} {
		got := count(c.inj)
		if len(got) != c.want || c.want > 0 && got[len(got)-1] != c.last {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := NewSlow(NewMem(MemOptions{}), SlowSyncs(time.Second))
		begin := time.Now()
		check(t, fsys.Replace("a", []byte("text")))
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("a replace syncs twice, and took %v", took)
		}
	})
}

// Wrappers go around each other and around the real file system.
func TestWrappersCompose(t *testing.T) {
	var trace Trace
	none := func(Op) time.Duration { return 0 }
	fsys := NewLog(NewSlow(NewFail(openTemp(t), When(OnKind(OpSyncDir), Nth(1, fault.ErrIO))), none), trace.Record)
	want(t, fsys.Replace("a", []byte("aa")), fault.ErrIO)
	if got := show(t, fsys); got != "a=a*2" {
		t.Error(got)
	}
	check(t, fsys.Replace("a", []byte("bb")))
}
