package vlog_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/vlogdb/vlog"

// room is a package: its number in docs/DESIGN.md, and what it imports of this
// module. A new arrow needs a commit whose message argues for it.
type room struct {
	level   int
	imports string
}

// rooms are all packages that are there. internal/fault counts as below all.
var rooms = map[string]room{
	".":                   {8, ""},
	"internal/fault":      {-1, ""},
	"internal/vfs":        {0, "internal/fault"},
	"internal/batch":      {0, "internal/fault"},
	"internal/gauge":      {1, "internal/vfs"},                // what vlog bench measures
	"internal/ptvp35":     {1, "internal/fault internal/vfs"}, // the files of another system
	"wal":                 {1, "internal/fault internal/vfs internal/batch"},
	"internal/state":      {2, "internal/fault internal/batch"},
	"internal/txn":        {3, "internal/fault internal/batch internal/state"},
	"internal/checkpoint": {3, "internal/fault internal/vfs internal/batch wal internal/state"},
	"internal/committer":  {4, "internal/fault internal/batch wal internal/state internal/txn"},
	"recovery":            {4, "internal/fault internal/vfs internal/batch wal internal/state internal/checkpoint"},
	"internal/backup":     {5, "internal/fault internal/vfs internal/batch wal internal/checkpoint recovery"},
	"engine":              {6, "internal/fault internal/vfs internal/batch wal internal/state internal/txn internal/checkpoint internal/committer recovery internal/backup"},
	"vlogtest":            {7, "internal/fault internal/vfs internal/batch wal engine"},
	"cmd/vlog":            {8, "engine internal/gauge internal/ptvp35 examples/cities"},
	"fuzz":                {8, ""},
	"fuzz/cost":           {0, ""}, // imported by tests of any room
	"fuzz/sim":            {7, "internal/fault internal/vfs recovery engine"},
	"fuzz/simulate":       {8, "fuzz/sim"},
	"fuzz/coverage":       {8, ""},
	"fuzz/bugs":           {8, ""},
	"fuzz/real":           {8, ""},
	"examples/cities":     {7, ""}, // data: what the demonstrations write
	"examples/embed":      {8, "engine"},
	"examples/killloop":   {8, "engine"},
}

// goFile is one Go file of the module that is no test.
type goFile struct {
	path, dir string
	fset      *token.FileSet // the same for all
	syntax    *ast.File
	lines     int
}

// goFiles returns every Go file of the module, tests and other modules aside, with
// every build tag.
func goFiles(t *testing.T) []goFile {
	t.Helper()
	all, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 80 {
		t.Fatalf("only %d files found", len(all))
	}
	return all
}

var parsed = sync.OnceValues(func() (all []goFile, err error) {
	fset := token.NewFileSet()
	err = filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			_, e := os.Stat(filepath.Join(path, "go.mod"))
			if path != "." && (e == nil || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_")) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f := goFile{path: filepath.ToSlash(path), dir: filepath.ToSlash(filepath.Dir(path)), fset: fset}
		if f.syntax, err = parser.ParseFile(fset, path, nil, parser.ParseComments); err == nil {
			f.lines = fset.File(f.syntax.Pos()).LineCount()
			all = append(all, f)
		}
		return err
	})
	return all, err
})

func (f goFile) imports() (all []string) {
	for _, spec := range f.syntax.Imports {
		all = append(all, strings.Trim(spec.Path.Value, `"`))
	}
	return all
}

// TestLayers: a package imports only what the table grants, and the table grants
// only lower numbers.
func TestLayers(t *testing.T) {
	for dir, r := range rooms {
		for _, to := range strings.Fields(r.imports) {
			if lower, ok := rooms[to]; !ok || lower.level >= r.level {
				t.Errorf("the table lets %s (%d) import %s (%d)", dir, r.level, to, lower.level)
			}
		}
	}
	used := map[string]map[string]bool{}
	for _, f := range goFiles(t) {
		r, ok := rooms[f.dir]
		if !ok {
			t.Errorf("%s: package %s is not in the table", f.path, f.dir)
			continue
		}
		if used[f.dir] == nil {
			used[f.dir] = map[string]bool{}
		}
		for _, path := range f.imports() {
			to, ours := strings.CutPrefix(path, module+"/")
			if used[f.dir][to] = ours; ours && !slices.Contains(strings.Fields(r.imports), to) {
				t.Errorf("%s imports %s", f.path, to)
			}
		}
	}
	for dir, r := range rooms {
		if used[dir] == nil {
			t.Errorf("the table names %s, which is not there", dir)
		}
		for _, to := range strings.Fields(r.imports) {
			if !used[dir][to] {
				t.Errorf("the table lets %s import %s, which it does not", dir, to)
			}
		}
	}
}

// TestBanned: what may be imported only in its home, or nowhere.
func TestBanned(t *testing.T) {
	in := func(dirs ...string) func(dir string) bool {
		return func(dir string) bool {
			return slices.ContainsFunc(dirs, func(d string) bool { return dir == d || strings.HasPrefix(dir, d+"/") })
		}
	}
	notIn := func(dirs ...string) func(dir string) bool { return func(dir string) bool { return !in(dirs...)(dir) } }
	for _, ban := range []struct {
		path  string
		where func(dir string) bool // banned there
	}{
		{"os", notIn("internal/vfs", "cmd", "examples", "fuzz")},
		{"io/ioutil", notIn()},
		{"math/rand", notIn("examples")},
		{"math/rand/v2", notIn("examples", "internal/vfs", "fuzz")}, // the crashing file system: seeded, never in a store
		{"log", notIn("examples")},
		{"encoding/json", in("wal", "internal/state", "internal/vfs", "internal/txn", "internal/committer")}, // never where bytes are hashed; batch has a form for people
		{"encoding/gob", notIn()},
		{"net/http", in("engine", "recovery", "wal", "internal")},
		{"testing", notIn("vlogtest", "fuzz")},
	} {
		for _, f := range goFiles(t) {
			if ban.where(f.dir) && slices.Contains(f.imports(), ban.path) {
				t.Errorf("%s imports %s", f.path, ban.path)
			}
		}
	}
}

// TestNoInit: nothing happens by importing a package.
func TestNoInit(t *testing.T) {
	for _, f := range goFiles(t) {
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s has an init", f.path)
			}
		}
		for _, spec := range f.syntax.Imports {
			if spec.Name != nil && (spec.Name.Name == "_" || spec.Name.Name == ".") && !strings.HasSuffix(spec.Path.Value, `embed"`) {
				t.Errorf("%s imports %s as %s", f.path, spec.Path.Value, spec.Name.Name)
			}
		}
	}
}
