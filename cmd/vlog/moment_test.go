package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestMoments: what flags may name, and what they may not.
func TestMoments(t *testing.T) {
	zone := time.FixedZone("there", 2*60*60)
	now := time.Date(2026, 11, 22, 1, 30, 0, 0, zone)
	at := func(t time.Time) moment { return moment{kind: byTime, time: t} }
	for text, want := range map[string]moment{
		"start": {kind: atStart}, "end": {kind: atEnd},
		"0": {}, "1042": {seq: 1042}, "#1042": {seq: 1042}, "007": {seq: 7}, "20261122": {seq: 20261122}, "18446744073709551615": {seq: 1<<64 - 1},
		"-10m": at(now.Add(-10 * time.Minute)), "-1h30m": at(now.Add(-90 * time.Minute)), "-2d": at(now.Add(-48 * time.Hour)),
		"-1d12h": at(now.Add(-36 * time.Hour)), "-0s": at(now), "-0d": at(now), "-1.5s": at(now.Add(-1500 * time.Millisecond)),
		"2026-11-22T00:50:00Z":           at(time.Date(2026, 11, 22, 0, 50, 0, 0, time.UTC)),
		"2026-11-22T00:50:00.000000001Z": at(time.Date(2026, 11, 22, 0, 50, 0, 1, time.UTC)),
		"2026-11-22T00:50:00+05:30":      at(time.Date(2026, 11, 21, 19, 20, 0, 0, time.UTC)),
		"2026-11-22":                     at(time.Date(2026, 11, 22, 0, 0, 0, 0, zone)),
	} {
		got, err := parseMoment(text, now)
		if err != nil || got.kind != want.kind || got.seq != want.seq || !got.time.Equal(want.time) {
			t.Errorf("%s is %+v %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "#", "##1", "#-1", "-", "--10m", "-10", "-10x", "-m", "-d", "-1d-1h", "-1d+1h", "-1.5d", "-1d1d", "+10m", "10m", "1e3", "0x10", " 1", "1_000", "now", "Start", "18446744073709551616",
		"-106752d", "-106751d24h", "-9223372037s", "2026-13-01", "2026-02-30", "2026-11-22T00:50", "2026-11-22 00:50:00Z", "yesterday", "\x1b[31m", strings.Repeat("9", 5000)} {
		m, err := parseMoment(text, now)
		if u, ok := errors.AsType[*usage](err); !ok || !strings.Contains(u.message, "is not a moment") || strings.ContainsAny(u.message, "\x1b\n") || len(u.message) > 400 {
			t.Errorf("%.40q is %+v %v", text, m, err)
		}
	}
}

// TestSpans: days and what package time writes come back, and nothing is below zero.
func TestSpans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Min(0).Draw(t, "d"))
		days := d / (24 * time.Hour)
		for _, text := range []string{d.String(), fmt.Sprintf("%dd%v", days, d-days*24*time.Hour)} {
			if got, ok := parseSpan(text); !ok || got != d {
				t.Fatalf("%s is %v %v", text, got, ok)
			}
		}
		if got, ok := parseSpan(rapid.StringMatching(`-?[0-9.]{0,20}[dhms]?-?[0-9]{0,3}[dhmsn]{0,2}`).Draw(t, "text")); got < 0 && ok {
			t.Fatalf("a span of %v", got)
		}
	})
}
