package recovery

import (
	"fmt"
	"maps"
	"path"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/fuzz/cost"
	"github.com/vlogdb/vlog/internal/checkpoint"
	"github.com/vlogdb/vlog/wal"
)

// FuzzNames classifies any name: one that is ours has one spelling only, lies where ours
// lie, and says in full what it stands for.
func FuzzNames(f *testing.F) {
	n := write(f, 1)
	for name := range n.closed {
		f.Add(strings.TrimSuffix(name, "/"), strings.HasSuffix(name, "/"))
	}
	for _, name := range []string{"log/spare-1", "log/copy.tmp", "log/durable", checkpoint.Backup, checkpoint.Recover, checkpoint.Truncate, checkpoint.TruncateFlag, ".FORMAT.tmp", ".FORMAT123"} {
		f.Add(name, false)
	}
	f.Fuzz(func(t *testing.T, name string, dir bool) {
		class := Classify(name, dir)
		if dir && class != Unknown && class != ClassLogDir && class != ClassErrorDir {
			t.Fatalf("the directory %q is of class %d", name, class)
		}
		if class == Unknown {
			return
		}
		if path.Clean(name) != name || strings.HasPrefix(name, "/") || strings.Count(name, "/") > 2 || strings.ContainsAny(name, "\x00\\\n") {
			t.Fatalf("%q is of class %d", name, class)
		}
		base := path.Base(name)
		switch first, codec, _ := wal.ParseSegment(base); class {
		case ClassSegment:
			spells(t, name, codec.SegmentName(first))
		case ClassCheckpoint:
			seq, _ := checkpoint.ParseName(base)
			spells(t, name, checkpoint.Name(seq))
		case ClassSpare:
			var n int
			_, err := fmt.Sscanf(base, "spare-%d", &n)
			check(t, err)
			spells(t, name, wal.SpareName(n))
		case ClassKept, ClassAside:
			spells(t, path.Dir(name), checkpoint.ErrorDir)
		}
	})
}

func spells(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Fatalf("%q is taken for %q", got, want)
	}
}

// FuzzSalvage puts any bytes in the place of one file of a store and salvages it: what is
// left opens as it was behind some batch, or nothing could be kept and nothing was touched.
func FuzzSalvage(f *testing.F) { fuzzSalvage(f, wal.Binary) }

// FuzzSalvageLines does the same with a store of lines.
func FuzzSalvageLines(f *testing.F) { fuzzSalvage(f, wal.NDJSON) }

func fuzzSalvage(f *testing.F, codec wal.Codec) {
	n := novelIn(f, codec, 1)
	paths := append(n.closed.names("log/"), LockName, "log/durable")
	for i, name := range paths {
		whole := n.closed[name]
		f.Add(uint8(i), []byte(whole))
		f.Add(uint8(i), []byte(whole[:len(whole)/2]))
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		path := paths[int(which)%len(paths)]
		g := n.closed.with(path, string(b))
		m := g.disk(t)
		var sum Salvaged
		var err error
		cost.Within(t, openCost(len(b)), func() { sum, err = salvaged(t, m, SalvageOptions{}) })
		if err != nil {
			if !known(err) {
				t.Fatal(err)
			}
			return
		}
		after := dump(t, m)
		for _, a := range sum.Aside {
			if after[a.To] != g[a.File][a.Offset:] {
				t.Fatalf("%s: %+v is not what stood there", path, a)
			}
		}
		s, err := Open(t.Context(), m.Reopen(), small(3))
		if err != nil {
			t.Fatalf("%s: salvaged, %+v, and then: %v", path, sum, err)
		}
		if seq := s.Picture.Seq(); seq != sum.Last || seq > 11 || !maps.Equal(contentOf(s.Picture), n.hist[seq]) {
			t.Fatalf("%s: salvaged up to %v, opens at %v with %d keys", path, sum.Last, seq, s.Picture.Len())
		}
	})
}

// openCost is what opening the small store of these tests, with n bytes in the place of
// one file, may allocate, whatever they say.
func openCost(n int) int { return 64*n + 32<<20 }
