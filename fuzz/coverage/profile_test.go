package main

import (
	"strings"
	"testing"
)

// TestReport: what any package's tests ran counts as run, and a room below nine
// statements in ten is named.
func TestReport(t *testing.T) {
	t.Chdir("../..")
	blocks, err := parse("mode: set\n" +
		module + "wal/names.go:1.1,2.2 9 0\n" + module + "wal/names.go:3.1,4.2 1 0\n" + module + "engine/db.go:1.1,2.2 4 0\n" +
		module + "wal/names.go:1.1,2.2 9 3\n" + module + "wal/names.go:3.1,4.2 1 0\n" + module + "engine/db.go:1.1,2.2 4 0\n")
	if err != nil || len(blocks) != 3 {
		t.Fatal(blocks, err)
	}
	var out strings.Builder
	err = report(&out, blocks, "- `engine/db.go`: ?, Get\n- `wal/names.go`: Name\n")
	if err == nil || !strings.Contains(err.Error(), "less than 90 %: engine") || !strings.Contains(err.Error(), "says nothing of: wal/names.go ") || strings.Contains(err.Error(), "of: engine") {
		t.Errorf("what is low: %v", err)
	}
	for _, want := range []string{"engine                     4 statements,   0.0 %", "wal                       10 statements,  90.0 %", "\nwal/names.go "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in:\n%s", want, out.String())
		}
	}
	if _, err := parse("mode: set\nwal/names.go:x 1 1\n"); err == nil {
		t.Error("no profile, and no error")
	}
}
