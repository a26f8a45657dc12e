package main

import (
	"strings"
	"testing"

	"github.com/vlogdb/vlog/bench/gate"
	"github.com/vlogdb/vlog/bench/work"
)

// TestTable: ratios are taken within a round, and neither failed nor disturbed results
// count.
func TestTable(t *testing.T) {
	result := func(peer string, round int, rate float64) Result {
		return Result{Spec: work.Spec{Peer: peer, Work: "mixed", Writers: 1}, Round: round, Figures: work.Figures{"ops/s": rate}}
	}
	loud := result("bolt", 2, 1)
	loud.Noise = gate.Noise{Others: 1}
	failed := result("bolt", 0, 1)
	failed.Failed = "no"
	uneven := result("bolt", 1, 1)
	uneven.Gate = [2]gate.Rate{{PerSecond: 1}, {PerSecond: 2}}
	var out strings.Builder
	err := table(&out, []Result{result("vlog", 0, 200), result("bolt", 0, 100), result("vlog", 1, 30), result("bolt", 1, 10), result("bolt", 2, 10), loud, failed, uneven})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(out.String(), "\n") {
		f := strings.Fields(line)
		if len(f) < 5 || f[3] != "bolt" || f[2] != "ops/s" {
			continue
		}
		if got := strings.Join(f[3:], " "); got != "bolt 10 10 100 2.50 2.00 3.00 3" {
			t.Errorf("%q", got)
		}
		return
	}
	t.Errorf("no line in %s", &out)
}

// TestMedian of an even number is between the two in the middle.
func TestMedian(t *testing.T) {
	if m, lo, hi := median([]float64{4, 1, 3, 2}); m != 2.5 || lo != 1 || hi != 4 {
		t.Error(m, lo, hi)
	}
	if m, _, _ := median(nil); m != 0 {
		t.Error(m)
	}
}
