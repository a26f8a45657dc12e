package fuzz

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

// TestSweep makes the 1st, 2nd, 3rd … operation of the disk fail, in each way, in each
// public operation of the engine, until that passes untouched. Each time: the answer is
// the class of the fault, with the fault in it and the file that it was about, and the
// store goes on; or it is a line of testdata/sweep.txt, which is under review. See
// stage.judge for all that must be so as well.
func TestSweep(t *testing.T) {
	x := &table{rows: map[row]map[string]map[string]bool{}}
	both(t, func(t *testing.T, codec engine.Codec) { sweep(t, codec, x) })
	if testing.Short() || t.Failed() {
		return
	}
	const name = "testdata/sweep.txt"
	if *update {
		if err := os.WriteFile(name, []byte(x.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got := x.String(); got != string(want) {
		t.Errorf("%s is not what comes of the faults (-update writes it again):\n%s", name, got)
	}
}

func sweep(t *testing.T, codec engine.Codec, x *table) {
	ctx := t.Context()
	d, err := newDisks(ctx, codec)
	if err != nil {
		t.Fatal(err)
	}
	all := 0
	for _, a := range acts() {
		runs := 0
		for _, how := range tried() {
			runs += sweepAct(ctx, t, a, how, d, x)
		}
		if all += runs; (runs == 0) != a.quiet && !testing.Short() {
			t.Errorf("%s: %d faults", a.name, runs)
		}
	}
	t.Logf("%d faults", all)
}

// tried are the breakages that a run tries.
func tried() []breakage {
	if !testing.Short() {
		return breakages()
	}
	return slices.DeleteFunc(breakages(), func(b breakage) bool { return b.name != "half, no space" && b.name != "sync" })
}

// sweepAct lets the operations of one act fail in turn, and returns how many did. Where
// goroutines come to them in any order, those of each class are counted for themselves:
// the nth of all may be one in one run and another in the next.
func sweepAct(ctx context.Context, t *testing.T, a *act, how breakage, d *disks, x *table) (runs int) {
	if !a.beside {
		return sweepOps(ctx, t, a, how, d, x)
	}
	for _, class := range classes(ctx, t, a, how, d) {
		runs += sweepOps(ctx, t, a, how.of(class), d, x)
	}
	return runs
}

// classes are those of the operations of an act that nothing disturbs.
func classes(ctx context.Context, t *testing.T, a *act, how breakage, d *disks) []string {
	seen := map[string]bool{}
	note := vfs.InjectorFunc(func(op vfs.Op) error {
		seen[class(op)] = seen[class(op)] || how.match(op)
		return nil
	})
	s := newStage(a, how, note, d)
	if _, err := s.runs(ctx, t); err != nil {
		t.Errorf("%s: %v", a.name, err)
	}
	maps.DeleteFunc(seen, func(_ string, matched bool) bool { return !matched })
	return slices.Sorted(maps.Keys(seen))
}

// sweepOps lets the 1st, 2nd, 3rd … operation fail that the breakage is about.
func sweepOps(ctx context.Context, t *testing.T, a *act, how breakage, d *disks, x *table) int {
	for n := 1; ; n++ {
		s := newStage(a, how, how.nth(n), d)
		fired, err := s.runs(ctx, t)
		what := "nothing"
		if fired {
			what = class(s.first())
			x.add(s, what, s.was)
		}
		if err != nil {
			t.Errorf("%s, %s, operation %d (%s): told %v:\n%v", a.name, how.name, n, what, s.told, err)
		}
		if !fired {
			return n - 1
		}
	}
}

// runs is run, with a clock of its own where the act waits for what is done beside it.
func (s *stage) runs(ctx context.Context, t *testing.T) (fired bool, err error) {
	if !s.act.beside {
		return s.run(ctx)
	}
	synctest.Test(t, func(t *testing.T) { fired, err = s.run(t.Context()) })
	return fired, err
}

// row is what was seen to come of a fault.
type row struct{ act, op, told, state string }

// table is all that was seen: row → way to fail → codec.
type table struct {
	rows map[row]map[string]map[string]bool
}

func (x *table) add(s *stage, op, state string) {
	told := toldIn(s.told)
	if strings.HasPrefix(told, fault.KindOf(s.marks[0]).Code()) && state != "stopped" {
		return
	}
	r := row{s.act.name, op, told, state}
	if x.rows[r] == nil {
		x.rows[r] = map[string]map[string]bool{}
	}
	if x.rows[r][s.how.name] == nil {
		x.rows[r][s.how.name] = map[string]bool{}
	}
	x.rows[r][s.how.name][s.w.codec.String()] = true
}

// String returns the table, acts with the same lines together.
func (x *table) String() string {
	blocks := map[string][]string{}
	for r, ways := range x.rows {
		by := map[string][]string{}
		for way, codecs := range ways {
			which := ""
			if len(codecs) == 1 {
				which = " (" + slices.Collect(maps.Keys(codecs))[0] + ")"
			}
			by[which] = append(by[which], way)
		}
		for which, list := range by {
			slices.Sort(list)
			line := fmt.Sprintf("  %-40s %-38s %s", r.op+which, strings.Join(list, "; "), r.told)
			if r.state != "" {
				line += ": " + r.state
			}
			blocks[r.act] = append(blocks[r.act], line)
		}
	}
	same := map[string][]string{}
	for act, lines := range blocks {
		slices.Sort(lines)
		text := strings.Join(lines, "\n")
		same[text] = append(same[text], act)
	}
	var all []string
	for text, acts := range same {
		slices.Sort(acts)
		all = append(all, strings.Join(acts, " · ")+"\n"+text+"\n")
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}
