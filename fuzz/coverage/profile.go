package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

// module is what the paths of a profile begin with.
const module = "github.com/vlogdb/vlog/"

// block is a run of statements that are run together.
type block struct {
	file       string
	line, end  int
	statements int
	count      int // how often they were run
}

// parse reads a profile. Each package that was tested has lines of its own for a block.
func parse(text string) ([]block, error) {
	sum := map[string]*block{}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		place, numbers, _ := strings.Cut(lines.Text(), " ")
		file, span, ok := strings.Cut(place, ":")
		if !ok || file == "mode" {
			continue
		}
		b := block{file: strings.TrimPrefix(file, module)}
		var column, last int
		if _, err := fmt.Sscanf(span+" "+numbers, "%d.%d,%d.%d %d %d", &b.line, &column, &b.end, &last, &b.statements, &b.count); err != nil {
			return nil, fmt.Errorf("a profile does not look so: %q: %w", lines.Text(), err)
		}
		if was := sum[place]; was != nil {
			was.count += b.count
			continue
		}
		sum[place] = &b
	}
	var all []block
	for _, b := range sum {
		all = append(all, *b)
	}
	slices.SortFunc(all, func(a, b block) int { return cmp.Or(cmp.Compare(a.file, b.file), a.line-b.line) })
	return all, lines.Err()
}

// share is how much of a room is run.
type share struct{ run, all int }

func (s share) part() float64 { return float64(s.run) / float64(s.all) }

// report prints the share of each room, then what is not run.
func report(w io.Writer, blocks []block, known reasons) error {
	shares, idle := map[string]share{}, []block{}
	for _, b := range blocks {
		s := shares[path.Dir(b.file)]
		s.all += b.statements
		if b.count > 0 {
			s.run += b.statements
		} else {
			idle = append(idle, b)
		}
		shares[path.Dir(b.file)] = s
	}
	var low []string
	for _, room := range slices.Sorted(maps.Keys(shares)) {
		s := shares[room]
		fmt.Fprintf(w, "%-22s %5d statements, %5.1f %%\n", room, s.all, 100*s.part())
		if s.part() < least {
			low = append(low, room)
		}
	}
	err := list(w, idle, known)
	if low != nil {
		err = errors.Join(err, fmt.Errorf("less than %.0f %%: %s", 100*least, strings.Join(low, ", ")))
	}
	return err
}

// list prints what is not run, function by function.
func list(w io.Writer, idle []block, known reasons) error {
	files := map[string]*source{}
	before := ""
	var unnamed []string
	for _, b := range idle {
		s := files[b.file]
		if s == nil {
			var err error
			if s, err = read(b.file); err != nil {
				return err
			}
			files[b.file] = s
		}
		if name := b.file + " " + s.function(b.line); name != before {
			before = name
			fmt.Fprintf(w, "\n%s\n", name)
			if !known.names(b.file, s.function(b.line)) {
				unnamed = append(unnamed, name)
			}
		}
		fmt.Fprintf(w, "%7d  %s\n", b.line, s.text(b.line, b.end))
	}
	if unnamed != nil {
		return fmt.Errorf("%s says nothing of: %s", document, strings.Join(unnamed, ", "))
	}
	return nil
}

// document says of what is not run why that is so.
const document = "docs/COVERAGE.md"

// reasons is its text.
type reasons string

// names says whether a function of a file is named.
func (r reasons) names(file, function string) bool {
	for line := range strings.Lines(string(r)) {
		list, ok := strings.CutPrefix(line, "- `"+file+"`: ")
		if ok && slices.Contains(strings.Split(strings.TrimSpace(list), ", "), function) {
			return true
		}
	}
	return false
}

// source is a file of Go.
type source struct {
	set   *token.FileSet
	tree  *ast.File
	lines []string
}

// function returns the name of the function that a line belongs to.
func (s *source) function(line int) string {
	for _, d := range s.tree.Decls {
		f, ok := d.(*ast.FuncDecl)
		if ok && s.set.Position(f.Pos()).Line <= line && line <= s.set.Position(f.End()).Line {
			return f.Name.Name
		}
	}
	return "?"
}

// text returns some lines as one.
func (s *source) text(from, to int) string {
	var words []string
	to = min(to, len(s.lines)) // the profile may be older than the file
	for _, l := range s.lines[min(from-1, to):to] {
		words = append(words, strings.TrimSpace(l))
	}
	text := strings.Join(words, " ")
	return text[:min(len(text), 140)]
}

func read(file string) (*source, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, file, text, 0)
	return &source{set, tree, strings.Split(string(text), "\n")}, err
}
