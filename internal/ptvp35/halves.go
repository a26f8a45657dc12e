package ptvp35

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// unknown is what package json makes of half a surrogate pair, whichever half it is.
const unknown = "\uFFFD"

// halves returns a key in which package json keeps halves of surrogate pairs apart, as
// that system does: file names that are no text come so. U+FFFD begins one here, and
// where it stands for itself a zero follows, so that no other key looks the same.
func halves(key []byte) []byte {
	if !bytes.Contains(key, []byte(`\u`)) && !bytes.Contains(key, []byte(unknown)) {
		return key
	}
	out := make([]byte, 0, len(key)+16)
	for len(key) > 0 {
		n := 0
		out, n = appendHalf(out, key)
		key = key[n:]
	}
	return out
}

// appendHalf appends the character, or its escape, with which rest begins, and returns
// how long that was.
func appendHalf(dst, rest []byte) ([]byte, int) {
	switch {
	case bytes.HasPrefix(rest, []byte(unknown)):
		return append(append(dst, unknown...), '0'), len(unknown)
	case rest[0] != '\\' || len(rest) < 2:
		return append(dst, rest[0]), 1
	}
	r, ok := escaped(rest)
	switch {
	case !ok:
		return append(dst, rest[:2]...), 2
	case r == utf8.RuneError:
		return append(append(dst, unknown...), '0'), escape
	case !utf16.IsSurrogate(r):
		return append(dst, rest[:escape]...), escape
	}
	if low, ok := escaped(rest[escape:]); ok && utf16.DecodeRune(r, low) != utf8.RuneError {
		return append(dst, rest[:2*escape]...), 2 * escape
	}
	return strconv.AppendInt(append(append(dst, unknown...), '1'), int64(r), 16), escape
}

// escape is how long `\ud83d` is.
const escape = 6

// escaped returns the code unit that an escape at the beginning of b stands for.
func escaped(b []byte) (rune, bool) {
	if len(b) < escape || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[2:escape]), 16, 16)
	return rune(n), err == nil
}
