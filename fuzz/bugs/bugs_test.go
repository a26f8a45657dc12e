package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestTable: each mistake can still be made, has a test that is there, and stands in
// docs/CRASH.md. That the tests catch them is shown by running the command.
func TestTable(t *testing.T) {
	t.Chdir("../..")
	all, names := mistakes(), map[string]bool{}
	for _, m := range all {
		if names[m.name] {
			t.Errorf("two mistakes are called %q", m.name)
		}
		names[m.name] = true
		if m.old == m.new {
			t.Errorf("%s changes nothing", m.name)
		}
		if _, err := m.changed(); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
		there(t, m)
	}
	doc, err := os.ReadFile("docs/CRASH.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(doc), table(all)) {
		t.Error("docs/CRASH.md does not hold what `go run ./fuzz/bugs -list` prints")
	}
	if len(all) < 40 {
		t.Errorf("only %d mistakes", len(all))
	}
}

// there checks that the test of a mistake exists.
func there(t *testing.T, m mistake) {
	top, _, _ := strings.Cut(m.test, "/")
	files, err := os.ReadDir(m.pkg)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		text, err := os.ReadFile(m.pkg + "/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		if regexp.MustCompile(`(?m)^func ` + top + `\(`).Match(text) {
			return
		}
	}
	t.Errorf("%s: there is no %s in %s", m.name, top, m.pkg)
}
