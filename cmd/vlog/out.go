package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// line writes one JSON value as a line of data.
func (a *app) line(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = a.out.Write(append(b, '\n'))
	return err
}

// paint colours text for a stream.
func (a *app) paint(terminal bool, code, text string) string {
	if !a.colored(terminal) {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// bytesField puts bytes into an object: as text under name where they are UTF-8,
// else in base64 under name_b64, so that any bytes come back exact.
func bytesField(o map[string]any, name string, b []byte) {
	if utf8.Valid(b) {
		o[name] = string(b)
		return
	}
	o[name+"_b64"] = base64.StdEncoding.EncodeToString(b)
}

// shown is a key or value on a terminal or in a list: as it is where it is plain
// text, else quoted.
func shown(b []byte) string {
	s := string(b)
	if s != "" && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return s
	}
	return strconv.Quote(s)
}

// size shows bytes for people.
func size(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	f, u := float64(n), 0
	for f >= 1024 && u < len(units)-1 {
		f, u = f/1024, u+1
	}
	if u == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", f, units[u])
}

// plural counts something.
func plural[N int | int64 | uint64](n N, one string) string {
	switch {
	case n == 1:
		return fmt.Sprintf("%d %s", n, one)
	case strings.HasSuffix(one, "ch"):
		return fmt.Sprintf("%d %ses", n, one)
	}
	return fmt.Sprintf("%d %ss", n, one)
}
