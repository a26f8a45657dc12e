package vlog_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// source is every line of Go in the module, by file.
func source(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		b, err := os.ReadFile(path)
		files[filepath.ToSlash(path)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func documents(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	docs := map[string]string{}
	for _, name := range append(names, "README.md") {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		docs[name] = string(b)
	}
	return docs
}

// TestDocumentsNameWhatIsThere checks that every test, fuzz target, example and Go
// file that a document names exists.
func TestDocumentsNameWhatIsThere(t *testing.T) {
	all := strings.Builder{}
	files := source(t)
	for _, text := range files {
		all.WriteString(text)
	}
	code := all.String()
	tests := regexp.MustCompile(`\b(Test|Fuzz|Benchmark|Example)[A-Z]\w+`)
	paths := regexp.MustCompile("`((?:[a-z_]+/)+[a-z_]+\\.go)`")
	for name, text := range documents(t) {
		for _, test := range tests.FindAllString(text, -1) {
			if !strings.Contains(code, "func "+test+"(") {
				t.Errorf("%s names %s, which is not there", name, test)
			}
		}
		for _, m := range paths.FindAllStringSubmatch(text, -1) {
			if files[m[1]] == "" {
				t.Errorf("%s names %s, which is not there", name, m[1])
			}
		}
	}
}

// TestDocumentsNameFunctions checks the functions that DESIGN.md walks through:
// those written as `Type.method` or `pkg.Func`, and bare ones in backquotes that
// look like a function of ours.
func TestDocumentsNameFunctions(t *testing.T) {
	code := strings.Builder{}
	for _, text := range source(t) {
		code.WriteString(text)
	}
	dotted := regexp.MustCompile("`(?:[a-z]+\\.)?([A-Za-z]\\w*)\\.([A-Za-z]\\w*)`")
	for _, m := range dotted.FindAllStringSubmatch(documents(t)["docs/DESIGN.md"], -1) {
		if m[2] == "go" || m[2] == "md" {
			continue
		}
		method := regexp.MustCompile(`func \(\w* ?\*?` + m[1] + `\) ` + m[2] + `\(`)
		function := regexp.MustCompile(`(func|type) ` + m[2] + `\b`)
		if !method.MatchString(code.String()) && !function.MatchString(code.String()) {
			t.Errorf("docs/DESIGN.md names %s, which is not there", m[0])
		}
	}
}
