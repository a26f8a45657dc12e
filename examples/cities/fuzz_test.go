package cities

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/vlogdb/vlog/fuzz/cost"
)

// FuzzParse reads any bytes as cities: what is taken is ordered by id, and the same again
// when it is written.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"id":1,"name":"Aa","country":"DE","population":1,"lat":-90,"lon":180}` + "\n" + `{"id":2,"name":"\u00e9","country":"FR","population":9,"lat":1e-9,"lon":0}`))
	f.Add([]byte(`{"id":1} {"id":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var all []City
		var err error
		cost.Within(t, 512*len(data)+8<<20, func() { all, err = parse(data) })
		if err != nil {
			return
		}
		var lines []byte
		for _, c := range all {
			line, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			lines = append(append(lines, line...), '\n')
		}
		if again, err := parse(lines); err != nil || !reflect.DeepEqual(again, all) {
			t.Fatalf("%q is %v, written again %v, %v", data, all, again, err)
		}
	})
}
