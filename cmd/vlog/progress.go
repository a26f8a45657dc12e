package main

import (
	"fmt"
	"strings"
	"time"
)

// progress tells on stderr how far something has come: a bar on a terminal, lines
// of JSON with --json where it takes long or --progress=json, nothing otherwise.
type progress struct {
	a    *app
	op   string
	unit string
	last time.Time
	bar  bool
	json bool
	drew bool
}

func (a *app) newProgress(op, unit string) *progress {
	p := &progress{a: a, op: op, unit: unit}
	if a.progress == "never" {
		return p
	}
	p.json = a.progress == "json" || a.json
	p.bar = !p.json && a.errTerm
	if a.progress != "json" {
		p.last = time.Now() // what is done at once needs no progress, unless that was asked for
	}
	return p
}

// at tells how far it is; total 0 is not known. JSON lines come at most once a
// second, bars ten times.
func (p *progress) at(done, total int64) {
	every := time.Second
	if p.bar {
		every = time.Second / 10
	}
	now := time.Now()
	if (!p.bar && !p.json) || now.Sub(p.last) < every {
		return
	}
	p.last = now
	if p.json {
		fmt.Fprintf(p.a.err, `{"event":"progress","op":%q,"done":%d,"total":%d,"unit":%q}`+"\n", p.op, done, total, p.unit)
		return
	}
	p.drew = true
	fmt.Fprintf(p.a.err, "\r%s", p.text(done, total))
}

func (p *progress) text(done, total int64) string {
	if total <= 0 {
		return fmt.Sprintf("%s %d %s", p.op, done, p.unit)
	}
	const width = 30
	full := int(min(done, total) * width / total)
	return fmt.Sprintf("%s [%s%s] %3d %%", p.op, strings.Repeat("=", full), strings.Repeat(" ", width-full), min(done, total)*100/total)
}

// end wipes the bar.
func (p *progress) end() {
	if p.drew {
		fmt.Fprintf(p.a.err, "\r%s\r", strings.Repeat(" ", 60))
	}
}
