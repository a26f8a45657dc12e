package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/vlogdb/vlog/engine"
)

// event is one change of one batch, as tail tells it. The value is JSON where it is
// JSON that nests no deeper than is read, else text where it is text; bytes stand in the fields whose names end in _b64.
type event struct {
	Store    string          `json:"store,omitempty"` // where there are several
	Seq      uint64          `json:"seq"`
	Time     time.Time       `json:"time"`
	Tenant   string          `json:"tenant"`
	Kind     string          `json:"kind"` // space and op: kv.put, kv.del, kv.del-range, sys.put
	Key      *string         `json:"key,omitempty"`
	KeyB64   *string         `json:"key_b64,omitempty"`
	End      *string         `json:"end,omitempty"` // of a range; left out where it has none
	EndB64   *string         `json:"end_b64,omitempty"`
	Value    json.RawMessage `json:"value,omitempty"`
	Text     *string         `json:"text,omitempty"`
	ValueB64 *string         `json:"value_b64,omitempty"`
	Size     *int            `json:"size,omitempty"` // of the value
	Change   int             `json:"change"`         // its number in the batch, from 1
	Of       int             `json:"of"`             // changes in the batch

	change engine.Change
}

// eventsOf are the changes of a batch; the bytes of the batch are not kept.
func eventsOf(store string, b engine.Batch) (all []event) {
	for c := range b.Changes() {
		e := event{Store: store, Seq: b.Seq, Time: b.Time, Tenant: c.Tenant, Kind: c.Space + "." + c.Op, Change: len(all) + 1}
		e.change = engine.Change{Op: c.Op, Space: c.Space, Tenant: c.Tenant, Key: clone(c.Key), Value: clone(c.Value), End: clone(c.End)}
		e.Key, e.KeyB64 = textOrB64(c.Key)
		if len(c.End) > 0 {
			e.End, e.EndB64 = textOrB64(c.End)
		}
		if c.Op == "put" {
			e.put(e.change.Value)
		}
		all = append(all, e)
	}
	for i := range all {
		all[i].Of = len(all)
	}
	return all
}

func clone(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}

func (e *event) put(value []byte) {
	e.Size = new(len(value))
	switch {
	case utf8.Valid(value) && nestable(value):
		e.Value = value
	default:
		e.Text, e.ValueB64 = textOrB64(value)
	}
}

// nestMax is how deep package json reads what is nested.
const nestMax = 10000

// nestable says whether a value is JSON that can be read where it stands, in an object.
func nestable(value []byte) bool {
	if !json.Valid(value) {
		return false
	}
	deep := bytes.Count(value, []byte("["))+bytes.Count(value, []byte("{")) >= nestMax
	return !deep || json.Valid(slices.Concat([]byte("["), value, []byte("]")))
}

// under says whether the event is about keys of kv that begin with prefix; a range is
// about all that it deletes.
func (e *event) under(prefix string) bool {
	c := e.change
	if c.Space != "kv" {
		return prefix == ""
	}
	key := string(c.Key)
	if c.Op != "del-range" {
		return len(key) >= len(prefix) && key[:len(prefix)] == prefix
	}
	past := behind(prefix)
	return (len(c.End) == 0 || string(c.End) > prefix) && (past == "" || key < past)
}

// behind is the first key behind all that begin with prefix; empty where there is none.
func behind(prefix string) string {
	b := []byte(prefix)
	for len(b) > 0 {
		if last := len(b) - 1; b[last] < 0xff {
			b[last]++
			return string(b)
		}
		b = b[:len(b)-1]
	}
	return ""
}
