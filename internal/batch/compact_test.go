package batch

import (
	"fmt"
	"strings"
	"testing"
)

// TestDoubleNames: an object of many names in which one stands twice, wherever the two
// stand and however the second is spelled, is not spelled verbatim; without it, it is.
func TestDoubleNames(t *testing.T) {
	for n := range 2*fewNames + 4 {
		var names []string
		for i := range n {
			names = append(names, fmt.Sprintf(`"%c%d":{"a":0}`, 'a'+rune(i%26), i))
		}
		object := func(more ...string) []byte {
			return []byte("{" + strings.Join(append(names[:n:n], more...), ",") + "}")
		}
		if !isCompact(object()) || !isCompact(object(`"new":1`)) {
			t.Fatalf("%d names are refused", n)
		}
		for _, name := range names {
			escaped := fmt.Sprintf(`"\u%04x%s`, name[1], name[2:])
			if isCompact(object(name)) || isCompact(object(escaped)) {
				t.Fatalf("%d names: %s stands there twice", n, name)
			}
		}
	}
}
