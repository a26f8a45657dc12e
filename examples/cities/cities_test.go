package cities_test

import (
	"testing"

	"github.com/vlogdb/vlog/examples/cities"
)

func TestLoad(t *testing.T) {
	all, err := cities.Load()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 4000 {
		t.Fatalf("%d cities", len(all))
	}
	last := 0
	for _, c := range all {
		if c.ID <= last || c.Name == "" || len(c.Country) != 2 || c.Population <= 0 {
			t.Fatalf("%+v behind %d", c, last)
		}
		last = c.ID
	}
}
