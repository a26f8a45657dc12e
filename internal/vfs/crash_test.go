package vfs

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestSyncedIsOneImage(t *testing.T) {
	m := tracked()
	check(t, m.Mkdir("d"))
	durable(t, m, "a", "a", 1000)
	check(t, create(t, m, "d/b", "").Close())
	check(t, m.Replace("c", bytes.Repeat([]byte("c"), 100)))
	check(t, m.SyncDir("d"))
	f, err := m.Open("a", ReadWrite)
	check(t, err)
	put(t, f, "z", 9, 4000)
	check(t, f.Truncate(3))
	check(t, f.Sync())
	var first [32]byte
	for _, model := range Models() {
		wantStates(t, m, model, "a=a*3 c=c*100 d/ d/b=")
		m.Snapshot().Images(model, 10, func(img *Image) bool {
			if model == Lost {
				first = img.Hash()
			}
			if model > Lost && img.Hash() != first {
				t.Errorf("%v: another hash", model)
			}
			return true
		})
	}
}

func TestKill(t *testing.T) {
	m := tracked()
	durable(t, m, "a", "a", 10)
	check(t, create(t, m, "b", "bbb").Close())
	l, err := m.Lock("a")
	check(t, err)
	check(t, l.SetContent([]byte("xx"), false))
	wantStates(t, m, Kill, "a=x*2 b=b*3")
	after := m.Crash(Kill, 0)
	if after.Boot() != m.Boot() {
		t.Error("a kill changed the boot")
	}
	if held, err := after.Held("a"); held || err != nil {
		t.Error("a lock outlived its process", err)
	}
	wantStates(t, after, Lost, "a=a*10")
	wantAmong(t, after, Reordered, "a=a*10", "a=x*2", "a=x*2 b=b*3", "a=a*10 b=b*3")
	// What is synced after the kill is durable, and what was not synced stays in doubt.
	check(t, after.SyncDir("."))
	wantStates(t, after, Lost, "a=a*10 b=")
	f, err := after.Open("b", ReadWrite)
	check(t, err)
	put(t, f, "q", 1, 0)
	wantAmong(t, after, Torn, "a=x*2 b=b*3", "a=x*2 b=q*1+b*2")
	check(t, f.Sync())
	lost := after.Crash(Lost, 0)
	if got := show(t, lost); got != "a=a*10 b=q*1+b*2" {
		t.Error(got)
	}
	if lost.Boot() == m.Boot() {
		t.Error("a power cut left the boot as it was")
	}
}

func TestLostAndKept(t *testing.T) {
	m := tracked()
	f := durable(t, m, "a", "a", 600)
	put(t, f, "b", 600, 300)
	check(t, m.Mkdir("d"))
	g := create(t, m, "d/c", "cc")
	check(t, g.Sync())
	wantStates(t, m, Lost, "a=a*600")
	wantStates(t, m, Kept, "a=a*300+b*600 d/ d/c=c*2")
	// A name in a directory whose own name is not durable is lost with it.
	check(t, m.SyncDir("d"))
	wantStates(t, m, Lost, "a=a*600")
	check(t, m.SyncDir("."))
	wantStates(t, m, Lost, "a=a*600 d/ d/c=c*2")
}

func TestTorn(t *testing.T) {
	m := tracked()
	f := durable(t, m, "a", "a", 700)
	put(t, f, "b", 1000, 600)
	wantStates(t, m, Torn,
		// The head came, the size as far as it or in full.
		"a=a*700", "a=a*600+b*424", "a=a*600+b*425", "a=a*600+b*680", "a=a*600+b*935",
		"a=a*600+b*936", "a=a*600+b*937", "a=a*600+b*1000",
		"a=a*700+0*900", "a=a*600+b*424+0*576", "a=a*600+b*425+0*575", "a=a*600+b*680+0*320", "a=a*600+b*935+0*65",
		"a=a*600+b*936+0*64", "a=a*600+b*937+0*63",
		// The tail came.
		"a=a*700+0*324+b*576", "a=a*700+0*836+b*64")
	// What has content is torn at sectors only; what was before is there.
	put(t, f, "c", 1024, 0)
	wantStates(t, m, Torn, "a=a*600+b*1000", "a=c*512+a*88+b*1000", "a=c*1024+b*576", "a=a*512+c*512+b*576")
	check(t, create(t, m, "n", "").Close())
	wantAmong(t, m, Torn, "a=c*1024+b*576", "a=c*1024+b*576 n=")
}

func TestReorderedSectors(t *testing.T) {
	m := tracked()
	f := durable(t, m, "a", "a", 512)
	put(t, f, "b", 512, 0)
	put(t, f, "c", 256, 0)
	put(t, f, "d", 1024, 512)
	wantStates(t, m, Reordered, product(
		[]string{"a*512", "b*512", "c*256+b*256"},
		[]string{"", "+0*1024", "+0*512+d*512", "+d*512+0*512", "+d*1024", "+?*512+0*512",
			"+0*512+?*512", "+?*512+d*512", "+d*512+?*512", "+?*512+?*512"})...)
}

func product(first, second []string) []string {
	var list []string
	for _, a := range first {
		for _, b := range second {
			list = append(list, "a="+a+b)
		}
	}
	return list
}

func TestReorderedAcrossFiles(t *testing.T) {
	m := tracked()
	f, g := durable(t, m, "log", "a", 512), durable(t, m, "obj", "b", 512)
	put(t, f, "x", 512, 0)
	put(t, g, "y", 512, 0)
	wantStates(t, m, Reordered, "log=a*512 obj=b*512", "log=x*512 obj=b*512", "log=a*512 obj=y*512", "log=x*512 obj=y*512")
}

func TestNames(t *testing.T) {
	t.Run("lost though data is durable", func(t *testing.T) {
		m := tracked()
		check(t, create(t, m, "a", "aa").Sync())
		wantStates(t, m, Lost, "")
		wantStates(t, m, Reordered, "", "a=a*2")
	})
	t.Run("unlink undone", func(t *testing.T) {
		m := tracked()
		durable(t, m, "a", "a", 2)
		check(t, m.Remove("a"))
		wantStates(t, m, Lost, "a=a*2")
		wantStates(t, m, Reordered, "", "a=a*2")
	})
	t.Run("create lost and rename kept", func(t *testing.T) {
		m := tracked()
		check(t, create(t, m, "a", "aa").Sync())
		check(t, m.Rename("a", "b"))
		wantStates(t, m, Reordered, "", "a=a*2", "b=a*2")
	})
	t.Run("rename without sync", func(t *testing.T) {
		m := tracked()
		durable(t, m, "b", "o", 3)
		check(t, create(t, m, "a", "nn").Close())
		check(t, m.Rename("a", "b"))
		check(t, m.SyncDir("."))
		wantStates(t, m, Lost, "b=")
		wantStates(t, m, Zeroed, "b=0*2")
		wantAmong(t, m, Reordered, "b=", "b=n*2", "b=0*2", "b=?*2")
	})
	t.Run("rename between directories", func(t *testing.T) {
		m := tracked()
		check(t, m.Mkdir("d"))
		durable(t, m, "x", "x", 1)
		check(t, create(t, m, "a", "aa").Sync())
		check(t, m.Rename("a", "d/a"))
		wantStates(t, m, Reordered, "d/ x=x*1", "a=a*2 d/ x=x*1", "d/ d/a=a*2 x=x*1")
		// Durable on one side is durable on the other, where nothing older comes back.
		check(t, m.SyncDir("d"))
		wantStates(t, m, Reordered, "d/ d/a=a*2 x=x*1")
	})
	t.Run("replace is old or new after each step", func(t *testing.T) {
		m := tracked()
		durable(t, m, "a", "o", 3)
		m.OnOp(func(op Op) {
			for _, model := range Models() {
				for _, got := range states(t, m, model) {
					if !strings.HasPrefix(got, ".a.tmp=") && got != "a=o*3" && got != "a=n*2" {
						t.Errorf("after %v, %v: %s", op, model, got)
					}
				}
			}
		})
		check(t, m.Replace("a", []byte("nn")))
		wantStates(t, m, Lost, "a=n*2")
	})
}

func TestZeroedAndGarbage(t *testing.T) {
	m := tracked()
	f := durable(t, m, "a", "a", 100)
	put(t, f, "b", 2000, 50)
	wantStates(t, m, Zeroed, "a=a*100+0*1950")
	wantStates(t, m, Garbage, "a=a*100+0*412+?*512+?*512+?*512+?*2", "a=a*100+0*412+?*512+?*512+?*512+?*1",
		"a=a*100+0*412+?*512+?*51", "a=a*100+0*412+?*100")
	check(t, create(t, m, "new", strings.Repeat("n", 512)).Close())
	wantStates(t, m, Zeroed, "a=a*100+0*1950 new=0*512")
}

func TestClean(t *testing.T) {
	m := tracked()
	f := durable(t, m, "a", "a", 512)
	put(t, f, "b", 1024, 0)
	check(t, m.DropDirty("a"))
	if got := show(t, m); got != "a=b*1024" {
		t.Fatal("dropped pages cannot be read:", got)
	}
	check(t, f.Sync())
	wantStates(t, m, Lost, "a=a*512")
	wantStates(t, m, Kept, "a=a*512")
	wantStates(t, m, Kill, "a=b*1024")
	wantStates(t, m, Clean, "a=a*512", "a=b*512", "a=a*512+0*512", "a=b*512+0*512", "a=a*512+b*512", "a=b*1024")
	// A later write is durable with its own sectors and the size, not with theirs.
	put(t, f, "c", 512, 1024)
	check(t, f.Sync())
	wantStates(t, m, Lost, "a=a*512+0*512+c*512")
	wantStates(t, m, Kill, "a=b*1024+c*512")
	if got := show(t, m.Crash(Kill, 1).Crash(Lost, 1)); got != "a=a*512+0*512+c*512" {
		t.Error("a kill brought dropped pages back:", got)
	}
	// Writing the same bytes again helps.
	put(t, f, "b", 1024, 0)
	wantStates(t, m, Lost, "a=a*512+0*512+c*512")
	check(t, f.Sync())
	for _, model := range Models() {
		wantStates(t, m, model, "a=b*1024+c*512")
	}
	if err := m.DropDirty("no"); err == nil {
		t.Error("no error for a file that is not there")
	}
}

func TestTruncate(t *testing.T) {
	m := tracked()
	f := durable(t, m, "a", "a", 2048)
	check(t, f.Truncate(600))
	wantStates(t, m, Lost, "a=a*2048")
	wantStates(t, m, Reordered, "a=a*2048", "a=a*600")
	check(t, f.Truncate(1100))
	put(t, f, "b", 10, 1200)
	wantStates(t, m, Zeroed, "a=a*600+0*610")
	wantAmong(t, m, Reordered, "a=a*2048", "a=a*600", "a=a*600+0*500", "a=a*600+0*600+b*10")
	// The size has shrunk and grown again: what was cut off is not between.
	wantNever(t, m, Reordered, "a=a*1200+b*10", "a=a*1024+0*176+b*10")
}

func TestImagesLimit(t *testing.T) {
	m := tracked()
	f := create(t, m, "a", "")
	for i := range 40 {
		put(t, f, string(rune('b'+i%20)), 700, int64(i*300))
	}
	for _, limit := range []int{0, 1, 10, 100} {
		var hashes, again [][32]byte
		left := m.Snapshot().Images(Reordered, limit, func(img *Image) bool {
			hashes = append(hashes, img.Hash())
			return true
		})
		m.Snapshot().Images(Reordered, limit, func(img *Image) bool {
			again = append(again, img.Hash())
			return true
		})
		if left == 0 || len(hashes) > max(limit, 10) || !slices.Equal(hashes, again) {
			t.Errorf("limit %d: %d images, %d left, the same again %v", limit, len(hashes), left, slices.Equal(hashes, again))
		}
	}
	n := 0
	left := m.Snapshot().Images(Torn, 1000, func(*Image) bool { n++; return n < 3 })
	if n != 3 || left == 0 {
		t.Errorf("stopped after %d, %d left", n, left)
	}
}

func TestImageIsIndependent(t *testing.T) {
	m := tracked()
	f := durable(t, m, "a", "a", 5000)
	disk := m.Snapshot()
	put(t, f, "x", 5000, 0)
	check(t, f.Truncate(1))
	check(t, m.Remove("a"))
	for _, model := range Models() {
		disk.Images(model, 5, func(img *Image) bool {
			one, two := img.Mem(true), img.Mem(false)
			g := create(t, one, "a", "yyy")
			check(t, g.Sync())
			check(t, one.Mkdir("d"))
			if got := show(t, two); got != "a=a*5000" {
				t.Errorf("%v: %s", model, got)
			}
			if got := show(t, one); got != "a=y*3+a*4997 d/" {
				t.Errorf("%v: %s", model, got)
			}
			return true
		})
	}
}
