package main

import (
	"cmp"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/vlogdb/vlog/bench/plot"
)

// drawing is one plot of bars.
type drawing struct {
	file, title string
	work        string // as name spells it, with %s for how many keys; empty matches any
	figure      string
	unit        string
	least       bool // the least is the best
}

// drawings are what people ask first.
var drawings = []drawing{
	{"put-1", "Durable puts, one writer", "put 1", "puts/s", "puts per second", false},
	{"put-16", "Durable puts, 16 writers", "put 16", "puts/s", "puts per second", false},
	{"put-64", "Durable puts, 64 writers", "put 64", "puts/s", "puts per second", false},
	{"put-256", "Durable puts, 256 writers", "put 256", "puts/s", "puts per second", false},
	{"load", "Durable transactions of 1,000 puts", "million", "load puts/s", "puts per second", false},
	{"read", "Point reads, one goroutine", "million", "read uniform 1g ns", "nanoseconds a read", true},
	{"read-2", "Point reads, two goroutines", "million", "read uniform 2g ns", "nanoseconds a read, of both", true},
	{"scan", "Scan in the order of keys", "million", "scan keys/s", "keys per second", false},
	{"open-killed", "Opening after SIGKILL", "open killed", "open s", "seconds", true},
	{"open-closed", "Opening after a close", "open closed", "open s", "seconds", true},
	{"compaction", "Compaction", "rewrite", "compaction s", "seconds", true},
}

// draw writes the plots of results into a directory.
func draw(dir string, results []Result) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, d := range drawings {
		bars := d.bars(results)
		if len(bars) < 2 {
			continue // there is nothing to compare
		}
		if err := os.WriteFile(filepath.Join(dir, d.file+".svg"), []byte(plot.Bars(d.title, d.unit, bars)), 0o644); err != nil {
			return err
		}
	}
	for figure, file := range map[string]string{"puts/s": "growth-put", "read uniform 1g ns": "growth-read"} {
		lines := growth(results, figure)
		if len(lines) == 0 {
			continue
		}
		text := plot.Lines("As a store grows: "+figure, "keys in the store", figure, lines)
		if err := os.WriteFile(filepath.Join(dir, file+".svg"), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// matches says whether a result is of the drawing's work: put as a whole, the others
// whatever the number of keys, but without a prefix.
func (d drawing) matches(r *Result) bool {
	if r.Prefix != "" || r.Delay > 0 {
		return false
	}
	return r.Work == d.work || r.Work == "put" && name(r.Spec) == d.work
}

func (d drawing) bars(results []Result) (bars []plot.Bar) {
	figures, order := gathered(results, d.matches, d.figure, func(r *Result) string { return r.Peer })
	for _, peer := range order {
		mid, low, high := median(figures[peer])
		bars = append(bars, plot.Bar{Name: peer, Mid: mid, Low: low, High: high, Ours: peer == ours})
	}
	slices.SortStableFunc(bars, func(a, b plot.Bar) int {
		if d.least {
			a, b = b, a
		}
		return cmp.Compare(b.Mid, a.Mid)
	})
	return bars
}

// gathered collects a figure of those results that count and match, by a key, and the
// keys as they came.
func gathered[K comparable](results []Result, matches func(*Result) bool, figure string, key func(*Result) K) (m map[K][]float64, order []K) {
	m = map[K][]float64{}
	for i := range results {
		r := &results[i]
		v, ok := r.Figures[figure]
		if r.Failed != "" || r.Disturbed() != "" || !ok || !matches(r) {
			continue
		}
		k := key(r)
		if m[k] == nil {
			order = append(order, k)
		}
		m[k] = append(m[k], v)
	}
	return m, order
}

// growth returns how a figure of each peer changes with the number of keys.
func growth(results []Result, figure string) (lines []plot.Line) {
	for _, peer := range growing {
		of := func(r *Result) bool { return r.Work == "growth" && r.Peer == peer }
		figures, _ := gathered(results, of, figure, func(r *Result) int { return r.Keys })
		line := plot.Line{Name: peer, Ours: peer == ours}
		for _, keys := range slices.Sorted(maps.Keys(figures)) {
			mid, _, _ := median(figures[keys])
			line.Points = append(line.Points, plot.Point{X: float64(keys), Y: mid})
		}
		if len(line.Points) > 0 {
			lines = append(lines, line)
		}
	}
	return lines
}

// readResults reads what an earlier run wrote.
func readResults(file string) (results []Result, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return results, json.Unmarshal(b, &results)
}
