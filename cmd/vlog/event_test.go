package main

import (
	"strings"
	"testing"
)

// TestDeepValue: a value that nests as deep as is read by itself, and deeper than that in
// an event, is told as text, so that no program of jq ends at it.
func TestDeepValue(t *testing.T) {
	for depth, json := range map[int]bool{1: true, nestMax - 1: true, nestMax: false, nestMax + 1: false} {
		e := &event{}
		e.put([]byte(strings.Repeat("[", depth) + strings.Repeat("]", depth)))
		if (e.Value != nil) != json || (e.Text != nil) == json {
			t.Errorf("depth %d: JSON %v", depth, e.Value != nil)
		}
		if _, err := generic(e); err != nil {
			t.Errorf("depth %d: %v", depth, err)
		}
	}
	many := &event{}
	many.put([]byte(`["` + strings.Repeat("[", 2*nestMax) + `"]`))
	if many.Value == nil {
		t.Error("a text of brackets is not deep")
	}
}
