package sim

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/vlogdb/vlog/internal/vfs"
)

// What `go run ./fuzz/simulate` asks of one of its processes.
var (
	first = flag.Uint64("sim.first", 1, "seed to begin with")
	every = flag.Uint64("sim.step", 1, "from one seed to the next")
	count = flag.Uint64("sim.count", 40, "seeds to run")
	until = flag.Duration("sim.for", 0, "run for so long, however many seeds that are")
	told  = flag.Bool("sim.story", false, "tell the story")
)

// alone makes the runs of a test the same each time.
func alone(t *testing.T) {
	before := runtime.GOMAXPROCS(1)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

// TestSeeds runs seeds one after the other, and none may show anything wrong. Each
// line of its output is what one seed gave, for who started it.
func TestSeeds(t *testing.T) {
	alone(t)
	met := map[string]int{}
	began := time.Now()
	seeds := uint64(0)
	for seed := *first; seeds < *count || *until > 0 && time.Since(began) < *until; seed += *every {
		res := Run(t, seed, *told)
		tell(t, res)
		if res.Err != nil {
			t.Fatalf("seed %d: %v\nsee it with: go run ./fuzz/simulate -story %d", seed, res.Err, seed)
		}
		for what, n := range res.Counts {
			met[what] += n
		}
		seeds++
	}
	if seeds < 40 {
		return
	}
	for _, what := range []string{"lives", "openings", "clean closes", "committed", "checkpoints", "backups", "restores", "looks compared", "watched", "damages refused", "salvages", "tails cut", "openings that failed", "conflicts"} {
		if met[what] == 0 {
			t.Errorf("%d seeds, and not once: %s", seeds, what)
		}
	}
	for _, m := range vfs.Models() {
		if met["crashes: "+m.String()] == 0 {
			t.Errorf("%d seeds, and no crash that left the disk as by %v", seeds, m)
		}
	}
}

// tell prints what a seed gave, where somebody reads it.
func tell(t *testing.T, res Result) {
	if !testing.Verbose() {
		return
	}
	line := Line{Seed: res.Seed, Trace: fmt.Sprintf("%016x", res.Trace), Counts: res.Counts, Story: res.Story}
	for s := range res.States {
		line.States = append(line.States, s)
	}
	slices.Sort(line.States)
	if res.Err != nil {
		line.Err = res.Err.Error()
	}
	b, err := json.Marshal(line)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(os.Stdout, "%s%s\n", Mark, b)
}

// TestSameAgain: a seed gives the same run each time, to the moment and the byte; so
// what failed once can be looked at as often as it takes. The scheduler of Go alone may
// step in between: it moves a goroutine back that has been on a processor for 10 ms by
// the wall, as on a crowded machine. So a run that differs is made again; that
// this is rare is part of the test, for a run that hangs on chance would differ often.
func TestSameAgain(t *testing.T) {
	if raced {
		t.Skip("under the race detector who is next is drawn, each time anew")
	}
	alone(t)
	again := 0
	for seed := uint64(1000); seed < 1020; seed++ {
		met := map[uint64]bool{Run(t, seed, false).Trace: true}
		for next := Run(t, seed, true).Trace; !met[next]; next = Run(t, seed, true).Trace {
			met[next] = true
			if again++; len(met) > 4 {
				t.Fatalf("seed %d gave %d different runs", seed, len(met))
			}
		}
		if met[Run(t, seed+100, false).Trace] {
			t.Errorf("seeds %d and %d gave the same", seed, seed+100)
		}
	}
	if again > 10 {
		t.Errorf("20 seeds gave another run %d times", again)
	}
}

// liar is a disk that says it did what it did not do.
type liar struct {
	vfs.FS
	files, names bool // of which syncs it lies
	cut          bool // writes are made without their last byte
}

func (l liar) Open(name string, mode vfs.Mode) (vfs.File, error) {
	f, err := l.FS.Open(name, mode)
	if err != nil {
		return nil, err
	}
	return lyingFile{f, l}, nil
}

func (l liar) SyncDir(name string) error {
	if l.names {
		return nil
	}
	return l.FS.SyncDir(name)
}

type lyingFile struct {
	vfs.File
	liar
}

func (f lyingFile) Sync() error {
	if f.files {
		return nil
	}
	return f.File.Sync()
}

func (f lyingFile) WriteAt(p []byte, off int64) (int, error) {
	if f.cut && len(p) > 1000 {
		n, err := f.File.WriteAt(p[:len(p)-1], off)
		return n + 1, err
	}
	return f.File.WriteAt(p, off)
}

func (f lyingFile) Stat() (vfs.Stat, error) { return f.File.Stat() }
func (f lyingFile) Close() error            { return f.File.Close() }

// TestNotices: what a disk that lies does to a store does not stay unnoticed; so the
// comparisons compare.
func TestNotices(t *testing.T) {
	alone(t)
	for name, l := range map[string]liar{"files not synced": {files: true}, "names not synced": {names: true}, "writes cut": {cut: true}} {
		noticed := 0
		for seed := uint64(1); seed <= 10; seed++ {
			res := runOn(t, seed, func(fs vfs.FS) vfs.FS { return liar{fs, l.files, l.names, l.cut} })
			if res.Err != nil {
				noticed++
			}
		}
		if noticed < 3 {
			t.Errorf("%s: noticed by %d of 10 seeds", name, noticed)
		}
	}
}
