package main

import (
	"encoding/json"
	"testing"

	"github.com/vlogdb/vlog/engine"
)

// TestEvents: what no script can make is told too: ranges, and bytes that are no text.
func TestEvents(t *testing.T) {
	for _, c := range []struct {
		event      engine.Event
		text, json string
	}{
		{engine.Event{Change: engine.Change{Op: "del-range", Key: []byte("a"), End: []byte("b")}}, "del-range  a .. b", `"op":"del-range","key":"a","end":"b"}`},
		{engine.Event{Change: engine.Change{Op: "del-range", End: []byte{}}}, `del-range  "" .. the end`, `"op":"del-range","key":""}`},
		{engine.Event{Change: engine.Change{Op: "del-range", Key: []byte{0xff}, End: []byte{0xff, 0xff}}}, `del-range  "\xff" .. "\xff\xff"`, `"op":"del-range","key_b64":"/w==","end_b64":"//8="}`},
		{engine.Event{Change: engine.Change{Op: "put", Value: []byte{}}}, `put  ""`, `"op":"put","key":"","value":""}`},
		{engine.Event{Change: engine.Change{Op: "put", Value: []byte{0xff}}, Begins: true, By: 3}, "begins  1 B of bytes  put by #3; what came before is no longer kept", `"op":"put","key":"","value_b64":"/w==","begins":true,"by":3}`},
	} {
		line, err := json.Marshal(eventObject(c.event))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "text", eventText(c.event), c.text)
		equal(t, "json", string(line), `{"tenant":"","seq":0,"time":"0001-01-01T00:00:00Z",`+c.json)
	}
}
