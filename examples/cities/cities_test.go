package cities

import (
	"slices"
	"strings"
	"testing"
)

func TestLoad(t *testing.T) {
	all, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 4000 {
		t.Fatalf("%d cities", len(all))
	}
	paris := City{ID: 2988507, Name: "Paris", Country: "FR", Population: 2138551, Lat: 48.85341, Lon: 2.3488}
	if !slices.Contains(all, paris) {
		t.Fatalf("no %+v", paris)
	}
}

// TestParseRefuses shows that what is wrong is told with its line.
func TestParseRefuses(t *testing.T) {
	const good = `{"id":1,"name":"A","country":"FR","population":1,"lat":0,"lon":0}` + "\n"
	for bad, want := range map[string]string{
		"{": "unexpected EOF",
		"":  "EOF",
		`{"id":2,"name":"B","country":"FR","population":1,"lat":0,"lon":0} x`:         "more than one value",
		`{"id":2,"name":"B","country":"FR","population":1,"lat":0,"lon":0,"river":1}`: "unknown field",
		`{"id":1,"name":"B","country":"FR","population":1,"lat":0,"lon":0}`:           "not above 1",
		`{"id":2,"country":"FR","population":1,"lat":0,"lon":0}`:                      "no name",
		`{"id":2,"name":"B","country":"FRA","population":1,"lat":0,"lon":0}`:          "two letters",
		`{"id":2,"name":"B","country":"FR","lat":0,"lon":0}`:                          "population",
		`{"id":2,"name":"B","country":"FR","population":1,"lat":91,"lon":0}`:          "no place",
	} {
		_, err := parse([]byte(good + bad + "\n"))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "line 2: ") {
			t.Errorf("%s: %v, not %q", bad, err, want)
		}
	}
}
