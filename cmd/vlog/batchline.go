package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Names of the members of a batch and of its changes, as dump spells them.
var (
	batchNames = []string{"seq", "time", "writer", "n", "ops", "chain"}
	opNames    = []string{"op", "space", "tenant", "k", "k64", "v", "t", "b64", "end", "end64"}
)

// parseBatch reads the members of a batch as dump prints it. What was one transaction
// stays in order; the numbers that it had say nothing here.
func parseBatch(f fields) (steps []step, err error) {
	if err := f.only(batchNames); err != nil {
		return nil, err
	}
	var ops []json.RawMessage
	if f["ops"] == nil || f["ops"][0] != '[' || json.Unmarshal(f["ops"], &ops) != nil {
		return nil, errors.New("ops is no list of changes")
	}
	for i, op := range ops {
		s, err := parseOp(op)
		if err != nil {
			return nil, fmt.Errorf("change %d: %w", i+1, err)
		}
		steps = append(steps, s)
	}
	return steps, nil
}

func parseOp(text []byte) (s step, err error) {
	f, err := fieldsOf(text, opNames)
	if err != nil {
		return s, err
	}
	if s.setting, err = f.setting(); err != nil || s.setting {
		return s, err
	}
	if s.tenant = "main"; f["tenant"] != nil {
		if s.tenant, err = f.text("tenant"); err != nil {
			return s, err
		}
	}
	if s.key, err = f.either("k"); err != nil {
		return s, err
	}
	op, err := f.text("op")
	switch {
	case err != nil:
	case op == "put":
		s.value, err = f.spelled()
	case op == "del":
		s.del = true
	case op == "del-range":
		if s.many = true; f["end"] != nil || f["end64"] != nil {
			s.end, err = f.either("end")
		}
	default:
		err = fmt.Errorf("op is put, del or del-range, not %q", brief(op))
	}
	return s, err
}

// setting says whether a change sets something of the store itself: another store has
// its own. Any other space but that of keys is one that this version cannot write.
func (f fields) setting() (bool, error) {
	if f["space"] == nil {
		return false, nil
	}
	space, err := f.text("space")
	if err == nil && space != "sys" {
		err = fmt.Errorf("the space %q, which no change can name", brief(space))
	}
	return true, err
}

// either returns a field that is text, or base64 with 64 behind its name.
func (f fields) either(name string) ([]byte, error) {
	return f.oneOf(name, name+"64")
}

// spelled returns a value: as it stands in v, the text of t, or the bytes of b64.
func (f fields) spelled() ([]byte, error) {
	if f["v"] == nil {
		return f.oneOf("t", "b64")
	}
	if f["t"] != nil || f["b64"] != nil {
		return nil, errors.New("give one of v, t and b64")
	}
	var b bytes.Buffer
	err := json.Compact(&b, f["v"])
	return b.Bytes(), err
}

// oneOf returns the text of one field, or the bytes that another has in base64.
func (f fields) oneOf(text, b64 string) ([]byte, error) {
	if (f[text] == nil) == (f[b64] == nil) {
		return nil, fmt.Errorf("give %s or %s", text, b64)
	}
	if f[text] != nil {
		s, err := f.text(text)
		return []byte(s), err
	}
	s, err := f.text(b64)
	if err != nil {
		return nil, err
	}
	b, err := fromB64(s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", b64, err)
	}
	return b, nil
}
