package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/vlogdb/vlog/bench/work"
)

// name is a spec without its peer, in words.
func name(s work.Spec) string {
	text := s.Work
	if s.Writers > 0 {
		text += fmt.Sprintf(" %d", s.Writers)
	}
	if s.Delay > 0 {
		text += fmt.Sprintf(" +%v", s.Delay)
	}
	if s.Reads > 0 {
		text += fmt.Sprintf(" %d/%d", s.Reads, 100-s.Reads)
	}
	if s.Keys > 0 {
		text += fmt.Sprintf(" %dk", s.Keys/1000)
	}
	if s.Prefix != "" {
		text += " prefix"
	}
	return text
}

// ours is the peer that all others are compared with.
const ours = "vlog"

// row is one figure of one peer over the rounds.
type row struct {
	spec, figure, peer string
}

// median returns the middle of some numbers, and the least and the largest.
func median(all []float64) (mid, low, high float64) {
	if len(all) == 0 {
		return 0, 0, 0
	}
	all = slices.Sorted(slices.Values(all))
	n := len(all)
	return (all[(n-1)/2] + all[n/2]) / 2, all[0], all[n-1]
}

// table prints each figure with the ratio of ours to it.
func table(out io.Writer, results []Result) error {
	figures, ratios := map[row][]float64{}, map[row][]float64{}
	var order []row
	left := 0
	put := func(m map[row][]float64, k row, v float64) { m[k] = append(m[k], v) }
	for i := range results {
		r := &results[i]
		if r.Failed != "" || r.Disturbed() != "" {
			left++
			continue
		}
		for f, v := range r.withGate() {
			k := row{name(r.Spec), f, r.Peer}
			if figures[k] == nil {
				order = append(order, k)
			}
			put(figures, k, v)
			if base, ok := beside(results, r, f); ok && v != 0 {
				put(ratios, k, base/v)
			}
		}
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	slices.SortStableFunc(order, compareRows)
	fmt.Fprintln(w, "work\tfigure\tpeer\tmedian\tleast\tmost\tvlog ÷ it\tleast\tmost\trounds")
	for _, k := range order {
		m, lo, hi := median(figures[k])
		r, rlo, rhi := median(ratios[k])
		fmt.Fprintf(w, "%s\t%s\t%s\t%.4g\t%.4g\t%.4g\t%.2f\t%.2f\t%.2f\t%d\n", k.spec, k.figure, k.peer, m, lo, hi, r, rlo, rhi, len(figures[k]))
	}
	if left > 0 {
		fmt.Fprintf(w, "%d of %d results are left out: disturbed, or failed\n", left, len(results))
	}
	return w.Flush()
}

func compareRows(a, b row) int {
	return cmp.Or(cmp.Compare(a.spec, b.spec), cmp.Compare(a.figure, b.figure))
}

// withGate adds what share of the bare disk a rate is.
func (r *Result) withGate() work.Figures {
	f := maps.Clone(r.Figures)
	if g := (r.Gate[0].PerSecond + r.Gate[1].PerSecond) / 2; r.Work == "put" && r.Delay == 0 && g > 0 {
		f["puts/gate"] = r.Figures["puts/s"] / g
	}
	f["rss MB"] = r.RSS
	delete(f, "puts")
	return f
}

// beside returns our figure of the same work in the same round.
func beside(results []Result, r *Result, figure string) (float64, bool) {
	want := r.Spec
	want.Peer = ours
	for i := range results {
		o := &results[i]
		if o.Spec == want && o.Round == r.Round && o.Failed == "" && o.Disturbed() == "" {
			v, ok := o.withGate()[figure]
			return v, ok
		}
	}
	return 0, false
}
