package main

import "testing"

func TestRun(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		if err := run(t.Context(), dir); err != nil {
			t.Fatal(err)
		}
	}
}
