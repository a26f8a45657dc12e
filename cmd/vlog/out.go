package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// line writes one JSON value as a line of data. It is one write, so that a line is
// out as soon as it is there.
func (a *app) line(v any) error {
	b, err := jsonLine(v)
	if err != nil {
		return err
	}
	_, err = a.out.Write(b)
	return err
}

// jsonLine returns one JSON value as a line; it is for people and shells too, so <
// and & stay what they are.
func jsonLine(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}

// buffered runs fn, which prints a lot, with few writes. What was printed before
// an error is out before that is told.
func (a *app) buffered(fn func() error) error {
	out := a.out
	w := bufio.NewWriterSize(out, 64<<10)
	a.out = w
	err := fn()
	a.out = out
	return firstError(err, w.Flush())
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// paint colours text for a stream.
func (a *app) paint(terminal bool, code, text string) string {
	if !a.colored(terminal) {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// textOrB64 returns bytes as text where they are UTF-8, else in base64, so that any
// bytes come back exact.
func textOrB64(b []byte) (text, b64 *string) {
	if utf8.Valid(b) {
		return new(string(b)), nil
	}
	return nil, new(base64.StdEncoding.EncodeToString(b))
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

// briefMax is how much of a text a message shows, in bytes.
const briefMax = 80

// brief cuts a text for a message.
func brief(s string) string {
	if len(s) <= briefMax {
		return s
	}
	return strings.ToValidUTF8(s[:briefMax], "") + fmt.Sprintf("… (%d bytes)", len(s))
}

// quoted is a file's name in a message: as it is where it is plain text.
func quoted(name string) string { return brief(shown([]byte(name))) }

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

// took shows a duration for people, with three or four digits.
func took(d time.Duration) string {
	unit := time.Microsecond
	for unit < time.Hour && d >= 1000*unit {
		unit *= 10
	}
	return d.Round(unit).String()
}

// plural counts something.
func plural[N int | int64 | uint64](n N, one string) string {
	switch {
	case n == 1:
		return fmt.Sprintf("%d %s", n, one)
	case strings.HasSuffix(one, "ch"):
		return fmt.Sprintf("%d %ses", n, one)
	case strings.HasSuffix(one, "ry"):
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(one, "y"))
	}
	return fmt.Sprintf("%d %ss", n, one)
}
