package plot

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

// wellFormed reads a drawing to its end and counts elements by name.
func wellFormed(t *testing.T, text string) map[string]int {
	t.Helper()
	count := map[string]int{}
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return count
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := tok.(xml.StartElement); ok {
			count[e.Name.Local]++
		}
	}
}

// TestBars: one bar an engine; names and numbers that are not usual do no harm.
func TestBars(t *testing.T) {
	text := Bars(`a < "b" & c`, "puts/s", []Bar{{Name: "vlog", Mid: 1200, Low: 1000, High: 1500, Ours: true}, {Name: "<x>", Mid: 3, Low: 3, High: 3}, {Name: "none"}})
	if n := wellFormed(t, text); n["rect"] != 4 || n["svg"] != 1 {
		t.Errorf("%v", n)
	}
	if !strings.Contains(text, ">1.2k<") || strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
		t.Error(text)
	}
	wellFormed(t, Bars("none", "", nil))
}

// TestLines: a point a measurement.
func TestLines(t *testing.T) {
	text := Lines("growth", "keys", "ns", []Line{{Name: "vlog", Ours: true, Points: []Point{{1e4, 300}, {1e6, 900}}}, {Name: "other"}})
	if n := wellFormed(t, text); n["circle"] != 2 || n["polyline"] != 1 {
		t.Errorf("%v", n)
	}
	wellFormed(t, Lines("none", "", "", nil))
}

// TestScale: both ends lie where they should, and what cannot be shown is at the beginning.
func TestScale(t *testing.T) {
	s := newScale([]float64{20, 3000, 0}, 100, 500)
	if s.low != 10 || s.high != 10_000 || s.at(10) != 100 || math.Abs(s.at(10_000)-500) > 1e-9 || s.at(0) != 100 || len(s.ticks()) != 4 {
		t.Errorf("%+v %v", s, s.ticks())
	}
	if one := newScale([]float64{10}, 0, 1); one.low == one.high {
		t.Errorf("%+v", one)
	}
	for v, want := range map[float64]string{0.5: "0.5", 999: "999", 1000: "1k", 2.5e6: "2.5M", 3e9: "3G"} {
		if got := Short(v); got != want {
			t.Errorf("%v is %s", v, got)
		}
	}
}
