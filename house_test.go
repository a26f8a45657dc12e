package vlog_test

import (
	"go/ast"
	"go/doc"
	"strings"
	"testing"
)

// How long things may be at most, in lines; see docs/DESIGN.md.
const (
	fileLines     = 600
	functionLines = 70
)

// TestHowLong: a file or a function that grows beyond this holds two things.
func TestHowLong(t *testing.T) {
	longest := 0
	for _, f := range goFiles(t) {
		if f.lines > fileLines {
			t.Errorf("%s has %d lines, at most %d", f.path, f.lines, fileLines)
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			fn, ok := n.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				return true
			}
			n1, n2 := f.fset.Position(fn.Pos()).Line, f.fset.Position(fn.End()).Line
			longest = max(longest, n2-n1+1)
			if n := n2 - n1 + 1; n > functionLines {
				t.Errorf("%s:%d: %s has %d lines, at most %d", f.path, n1, fn.Name.Name, n, functionLines)
			}
			return true
		})
	}
	if longest < 30 {
		t.Errorf("the longest function has %d lines: something is not counted", longest)
	}
}

// TestPackageComments: go doc says what each package is, in one attached comment.
func TestPackageComments(t *testing.T) {
	comments := map[string]int{}
	for _, f := range goFiles(t) {
		comments[f.dir] += 0
		if f.syntax.Doc == nil {
			continue
		}
		comments[f.dir]++
		text, name := f.syntax.Doc.Text(), f.syntax.Name.Name
		if first := strings.SplitN(text, " ", 3); name != "main" && (first[0] != "Package" || first[1] != name) {
			t.Errorf("%s: the comment of package %s begins with %.30q", f.path, name, text)
		}
	}
	for dir, n := range comments {
		if n != 1 {
			t.Errorf("%s has %d package comments", dir, n)
		}
	}
}

// TestExportedIsDocumented: whoever embeds the engine, builds another log, or runs
// the contract finds a sentence for every name.
func TestExportedIsDocumented(t *testing.T) {
	packages := map[string][]goFile{}
	for _, f := range goFiles(t) {
		packages[f.dir] = append(packages[f.dir], f)
	}
	for _, dir := range []string{"engine", "wal", "vlogtest"} {
		var files []*ast.File
		for _, f := range packages[dir] {
			files = append(files, f.syntax)
		}
		p, err := doc.NewFromFiles(packages[dir][0].fset, files, module+"/"+dir, doc.PreserveAST)
		if err != nil {
			t.Fatal(err)
		}
		named := 0
		say := func(name, text string) {
			if named++; ast.IsExported(name[strings.LastIndexByte(name, '.')+1:]) && strings.TrimSpace(text) == "" {
				t.Errorf("%s.%s is not documented", dir, name)
			}
		}
		functions(say, "", p.Funcs)
		values(say, append(p.Consts, p.Vars...))
		for _, typ := range p.Types {
			say(typ.Name, typ.Doc)
			functions(say, "", typ.Funcs)
			functions(say, typ.Name+".", typ.Methods)
			values(say, append(typ.Consts, typ.Vars...))
		}
		if named < 10 {
			t.Errorf("%s: only %d names", dir, named)
		}
	}
}

func functions(say func(name, text string), prefix string, all []*doc.Func) {
	for _, fn := range all {
		say(prefix+fn.Name, fn.Doc)
	}
}

// values asks for a comment on the group, or on each of its lines.
func values(say func(name, text string), all []*doc.Value) {
	for _, v := range all {
		for _, spec := range v.Decl.Specs {
			s := spec.(*ast.ValueSpec)
			for _, name := range s.Names {
				say(name.Name, v.Doc+s.Doc.Text()+s.Comment.Text())
			}
		}
	}
}
