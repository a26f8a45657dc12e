package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/bench/gate"
	"github.com/vlogdb/vlog/bench/work"
)

// TestDraw: a plot for each work that several engines did, of results that count.
func TestDraw(t *testing.T) {
	result := func(peer, what string, keys int, fig work.Figures) Result {
		r := Result{Spec: work.Spec{Peer: peer, Work: what, Keys: keys}, Figures: fig}
		if what == "put" {
			r.Writers = 64
		}
		return r
	}
	loud := result("bolt", "put", 0, work.Figures{"puts/s": 5e9})
	loud.Noise = gate.Noise{Others: 1}
	late := result("bolt", "put", 0, work.Figures{"puts/s": 7e9})
	late.Delay = 1
	dir := filepath.Join(t.TempDir(), "img")
	err := draw(dir, []Result{
		result("bolt", "put", 0, work.Figures{"puts/s": 10}), result("vlog", "put", 0, work.Figures{"puts/s": 200}), loud, late,
		result("vlog", "open killed", 10, work.Figures{"open s": 1}),
		result("vlog", "growth", 1000, work.Figures{"puts/s": 9}), result("vlog", "growth", 10, work.Figures{"puts/s": 10}),
	})
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 2 || files[0].Name() != "growth-put.svg" || files[1].Name() != "put-64.svg" {
		t.Fatalf("%v %v", files, err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "put-64.svg"))
	if s := string(text); err != nil || strings.Index(s, ">vlog<") > strings.Index(s, ">bolt<") || strings.Contains(s, "G<") {
		t.Errorf("%s %v", text, err)
	}
}
