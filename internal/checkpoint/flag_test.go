package checkpoint

import (
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/vlogdb/vlog/internal/fault"
	"github.com/vlogdb/vlog/internal/vfs"
)

const (
	ourHex   = "6f757273000000000000000000000000"
	otherHex = "01000000000000000000000000000000"
)

// sealed ends the line of a flag with its sum, by docs/FORMAT.md.
func sealed(text string) string {
	return fmt.Sprintf("%s,\"sum\":\"%08x\"}\n", text, crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli)))
}

func promotionLine(store string, seq int, digest string) string {
	return sealed(fmt.Sprintf(`{"store":"%s","seq":%d,"digest":"%s","time":5`, store, seq, digest))
}

func tailLine(store string) string {
	return sealed(fmt.Sprintf(`{"store":"%s","segment":5,"epoch":18446744073709551615,"offset":512,"digest":"00ff"`, store))
}

func raiseLine(store string) string { return sealed(fmt.Sprintf(`{"store":"%s"`, store)) }

// TestFlags: a flag that is torn, foreign, or not understood counts as not raised;
// that it is there is told all the same.
func TestFlags(t *testing.T) {
	digest := strings.Repeat("ab", 32)
	good := promotionLine(ourHex, 7, digest)
	text, _, _ := strings.Cut(good, `,"sum"`)
	for name, c := range map[string]struct {
		line   string
		raised bool
	}{
		"good":              {good, true},
		"more fields":       {sealed(strings.Replace(text, "{", `{"later":[1],`, 1)), true},
		"no sum":            {text + "}\n", false},
		"sum of another":    {strings.Replace(good, `"time":5`, `"time":6`, 1), false},
		"sum alone":         {sealed(""), false},
		"sum in front":      {strings.Replace(text+"}\n", "{", `{"sum":"`+good[len(good)-11:len(good)-3]+`",`, 1), false},
		"without newline":   {good[:len(good)-1], false},
		"torn":              {good[:40], false},
		"empty":             {"", false},
		"zeros":             {strings.Repeat("\x00", len(good)), false},
		"other store":       {promotionLine(otherHex, 7, digest), false},
		"no store":          {promotionLine("", 7, digest), false},
		"short digest":      {promotionLine(ourHex, 7, "ab"), false},
		"odd digest":        {promotionLine(ourHex, 7, digest+"a"), false},
		"not hex":           {promotionLine(ourHex, 7, strings.Repeat("xy", 32)), false},
		"seq below zero":    {promotionLine(ourHex, -7, digest), false},
		"null":              {sealed("null"), false},
		"array":             {sealed("[1"), false},
		"twice":             {good + good, false},
		"huge":              {sealed(strings.Replace(text, "{", "{"+strings.Repeat(" ", maxFlag), 1)), false},
		"huge behind":       {good + strings.Repeat(" ", maxFlag-len(good)-1) + "\n" + "junk", false},
		"as long as can be": {sealed(text + strings.Repeat(" ", maxFlag-len(good))), true},
		"one byte longer":   {sealed(text + strings.Repeat(" ", maxFlag-len(good)+1)), false},
		"deep":              {sealed(`{"later":` + strings.Repeat("[", 4000)), false},
	} {
		fsys := dirOnly(t)
		writeFile(t, fsys, Recover, []byte(c.line))
		f, err := ReadFlags(fsys, ours)
		check(t, err)
		if !f.Recover || f.Backup || f.Truncate || f.TruncateFlag || f.Tail != nil || (f.Promotion != nil) != c.raised {
			t.Errorf("%s: %+v", name, f)
		}
		if c.raised && (f.Promotion.Seq != 7 || fmt.Sprintf("%x", []byte(f.Promotion.Digest)) != digest) {
			t.Errorf("%s: %+v", name, f.Promotion)
		}
	}
}

// TestTailFlags: what is to be cut is raised by a second flag of the same store.
func TestTailFlags(t *testing.T) {
	up, other := raiseLine(ourHex), raiseLine(otherHex)
	for name, c := range map[string]struct {
		truncate, flag string // "-": not there
		raised         bool
	}{
		"both":           {tailLine(ourHex), up, true},
		"no flag":        {tailLine(ourHex), "-", false},
		"flag alone":     {"-", up, false},
		"torn flag":      {tailLine(ourHex), up[:9], false},
		"torn":           {tailLine(ourHex)[:30], up, false},
		"of another":     {tailLine(otherHex), up, false},
		"flag of other":  {tailLine(ourHex), other, false},
		"both of others": {tailLine(otherHex), other, false},
	} {
		fsys := dirOnly(t)
		if c.truncate != "-" {
			writeFile(t, fsys, Truncate, []byte(c.truncate))
		}
		if c.flag != "-" {
			writeFile(t, fsys, TruncateFlag, []byte(c.flag))
		}
		f, err := ReadFlags(fsys, ours)
		check(t, err)
		if f.Truncate != (c.truncate != "-") || f.TruncateFlag != (c.flag != "-") || (f.Tail != nil) != c.raised {
			t.Errorf("%s: %+v", name, f)
		}
		if c.raised && (f.Tail.Segment != 5 || f.Tail.Epoch != 1<<64-1 || f.Tail.Offset != 512 || string(f.Tail.Digest) != "\x00\xff") {
			t.Errorf("%s: %+v", name, f.Tail)
		}
	}
}

// TestFlagFlips: a flag with one bit of it changed, wherever, is not raised.
func TestFlagFlips(t *testing.T) {
	good := map[string]string{Recover: promotionLine(ourHex, 7, strings.Repeat("ab", 32)), Truncate: tailLine(ourHex), TruncateFlag: raiseLine(ourHex)}
	for name, line := range good {
		for bit := -1; bit < 8*len(line); bit++ {
			fsys := dirOnly(t)
			for other, b := range good {
				data := []byte(b)
				if other == name && bit >= 0 {
					data[bit/8] ^= 1 << (bit % 8)
				}
				writeFile(t, fsys, other, data)
			}
			f, err := ReadFlags(fsys, ours)
			check(t, err)
			promotion, tail := bit < 0 || name != Recover, bit < 0 || name == Recover
			if (f.Promotion != nil) != promotion || (f.Tail != nil) != tail {
				t.Errorf("%s, bit %d: %+v", name, bit, f)
			}
		}
	}
}

// TestFlagErrors: what cannot be read is an error, not a flag that is down.
func TestFlagErrors(t *testing.T) {
	m := dirOnly(t)
	for _, name := range []string{Recover, Truncate, TruncateFlag, Backup} {
		writeFile(t, m, name, []byte("{}\n"))
	}
	for n := 1; ; n++ {
		fail := vfs.NewFail(m, vfs.Nth(n, fault.ErrIO))
		_, err := ReadFlags(fail, ours)
		if fail.Injected() == 0 {
			if check(t, err); n < 12 {
				t.Errorf("%d operations", n-1)
			}
			break
		}
		if !errors.Is(err, fault.ErrIO) {
			t.Errorf("operation %d: %v", n, err)
		}
	}
}

// TestCutTrace: c2, c3, c5 and c6, each with its sync.
func TestCutTrace(t *testing.T) {
	var trace vfs.Trace
	fsys := vfs.NewLog(dirOnly(t), trace.Record)
	tail := Tail{Store: ours[:], Segment: 5, Epoch: 6, Offset: 512, Digest: []byte{1}}
	trace.Note("-- raise")
	check(t, RaiseCut(fsys, tail))
	f, err := ReadFlags(fsys, ours)
	if check(t, err); f.Tail == nil || f.Tail.Offset != 512 || f.Tail.Epoch != 6 {
		t.Errorf("%+v", f)
	}
	trace.Note("-- raise again")
	check(t, RaiseCut(fsys, tail))
	trace.Note("-- drop")
	check(t, DropCut(fsys))
	trace.Note("-- drop again")
	check(t, DropCut(fsys))
	golden(t, "cut.trace", trace.String())
	if left := disk(t, fsys); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}
