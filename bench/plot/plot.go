// Package plot draws figures as SVG, for a page of documentation: bars for engines beside
// each other, lines for how a figure changes. Axes are logarithmic, since engines differ
// by factors.
package plot

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"
)

// Bar is one engine's figure, from the least to the most that was measured.
type Bar struct {
	Name           string
	Mid, Low, High float64
	Ours           bool
}

// Point is one measurement of a line.
type Point struct{ X, Y float64 }

// Line is one engine's figures.
type Line struct {
	Name   string
	Points []Point
	Ours   bool
}

// Sizes, in the units of the drawing.
const (
	width    = 760
	rowH     = 22
	barH     = 14
	labelW   = 150
	valueW   = 110
	top      = 40
	bottom   = 30
	chartH   = 320
	oursFill = "#c2410c"
	restFill = "#64748b"
)

// page is a drawing that grows by lines of text.
type page struct{ b strings.Builder }

func begin(title string, height int) *page {
	p := &page{}
	fmt.Fprintf(&p.b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&p.b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", width, height)
	p.text(10, 22, "start", `font-size="15" font-weight="bold"`, title)
	return p
}

func (p *page) text(x, y float64, anchor, more, s string) {
	fmt.Fprintf(&p.b, `<text x="%.1f" y="%.1f" text-anchor="%s" %s>%s</text>`+"\n", x, y, anchor, more, escaped(s))
}

func (p *page) line(x1, y1, x2, y2 float64, more string) {
	fmt.Fprintf(&p.b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" %s/>`+"\n", x1, y1, x2, y2, more)
}

func (p *page) end() string { return p.b.String() + "</svg>\n" }

func escaped(s string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		return "" // a strings.Builder takes everything
	}
	return b.String()
}

func fill(ours bool) string {
	if ours {
		return oursFill
	}
	return restFill
}

// scale is a logarithmic axis from one place of the drawing to another.
type scale struct{ low, high, from, to float64 }

// newScale covers all that is above zero, and whole powers of ten around it.
func newScale(all []float64, from, to float64) scale {
	s := scale{low: math.Inf(1), high: 0, from: from, to: to}
	for _, v := range all {
		if v > 0 {
			s.low, s.high = min(s.low, v), max(s.high, v)
		}
	}
	if s.high == 0 {
		s.low, s.high = 1, 10
	}
	s.low = math.Pow(10, math.Floor(math.Log10(s.low)))
	s.high = math.Pow(10, math.Ceil(math.Log10(s.high)))
	if s.low == s.high {
		s.high *= 10
	}
	return s
}

func (s scale) at(v float64) float64 {
	if v <= s.low {
		return s.from
	}
	return s.from + (s.to-s.from)*math.Log(v/s.low)/math.Log(s.high/s.low)
}

// ticks returns the powers of ten of the axis.
func (s scale) ticks() (all []float64) {
	for v := s.low; v <= s.high*1.0001; v *= 10 {
		all = append(all, v)
	}
	return all
}

// Short is a number as people say it.
func Short(v float64) string {
	switch {
	case v >= 1e9:
		return fmt.Sprintf("%.3gG", v/1e9)
	case v >= 1e6:
		return fmt.Sprintf("%.3gM", v/1e6)
	case v >= 1e3:
		return fmt.Sprintf("%.3gk", v/1e3)
	}
	return fmt.Sprintf("%.3g", v)
}

// Bars draws engines below each other, with the spread as a thin line.
func Bars(title, unit string, bars []Bar) string {
	p := begin(title, top+rowH*len(bars)+bottom)
	var all []float64
	for _, b := range bars {
		all = append(all, b.Mid, b.Low, b.High)
	}
	s := newScale(all, labelW, width-valueW)
	end := float64(top + rowH*len(bars))
	for _, v := range s.ticks() {
		p.line(s.at(v), top, s.at(v), end, `stroke="#e2e8f0"`)
		p.text(s.at(v), end+16, "middle", `fill="#475569"`, Short(v))
	}
	p.text(width-10, end+16, "end", `fill="#475569"`, unit)
	for i, b := range bars {
		y := float64(top + rowH*i)
		p.text(labelW-8, y+barH-1, "end", "", b.Name)
		fmt.Fprintf(&p.b, `<rect x="%d" y="%.1f" width="%.1f" height="%d" fill="%s"/>`+"\n", labelW, y, max(s.at(b.Mid)-labelW, 1), barH, fill(b.Ours))
		p.line(s.at(b.Low), y+barH/2, s.at(b.High), y+barH/2, `stroke="#0f172a"`)
		p.text(max(s.at(b.Mid), s.at(b.High))+6, y+barH-2, "start", "", Short(b.Mid))
	}
	return p.end()
}

// Lines draws how figures change with x.
func Lines(title, xUnit, yUnit string, lines []Line) string {
	p := begin(title, top+chartH+bottom+10)
	var xs, ys []float64
	for _, l := range lines {
		for _, q := range l.Points {
			xs, ys = append(xs, q.X), append(ys, q.Y)
		}
	}
	x, y := newScale(xs, 70, width-valueW-40), newScale(ys, top+chartH, top+10)
	for _, v := range x.ticks() {
		p.line(x.at(v), y.from, x.at(v), y.to, `stroke="#e2e8f0"`)
		p.text(x.at(v), y.from+16, "middle", `fill="#475569"`, Short(v))
	}
	for _, v := range y.ticks() {
		p.line(x.from, y.at(v), x.to, y.at(v), `stroke="#e2e8f0"`)
		p.text(x.from-6, y.at(v)+4, "end", `fill="#475569"`, Short(v))
	}
	p.text(x.to, y.from+32, "end", `fill="#475569"`, xUnit)
	p.text(10, top, "start", `fill="#475569"`, yUnit)
	for _, l := range lines {
		p.draw(l, x, y)
	}
	return p.end()
}

func (p *page) draw(l Line, x, y scale) {
	if len(l.Points) == 0 {
		return
	}
	var at []string
	for _, q := range l.Points {
		at = append(at, fmt.Sprintf("%.1f,%.1f", x.at(q.X), y.at(q.Y)))
		fmt.Fprintf(&p.b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", x.at(q.X), y.at(q.Y), fill(l.Ours))
	}
	fmt.Fprintf(&p.b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(at, " "), fill(l.Ours))
	last := l.Points[len(l.Points)-1]
	p.text(x.at(last.X)+8, y.at(last.Y)+4, "start", `fill="`+fill(l.Ours)+`"`, l.Name)
}
