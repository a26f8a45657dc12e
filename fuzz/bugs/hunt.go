package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// mistake is one change to one file that a test must notice.
type mistake struct {
	name string // a word or two
	what string // it does, in words
	file string
	old  string // stands there once
	new  string
	pkg  string // of the test
	test string // its name, and perhaps that of a subtest

	hangs bool // the test waits for ever, and is ended soon
}

// result is what became of a mistake.
type result struct {
	by      string // tests that failed
	took    time.Duration
	skipped bool  // the system does not let the test look
	err     error // why it is not caught
}

func (r result) String() string {
	if r.err != nil {
		return "NOT CAUGHT: " + r.err.Error()
	}
	if r.skipped {
		return "not tried: its test is skipped on this system"
	}
	return fmt.Sprintf("caught by %s in %.1fs", r.by, r.took.Seconds())
}

// A test that a mistake makes hang is ended, which is caught too.
const (
	timeout = 10 * time.Minute
	soon    = 20 * time.Second
)

// changed returns the file with the mistake in it.
func (m mistake) changed() (string, error) {
	text, err := os.ReadFile(m.file)
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(text), m.old); n != 1 {
		return "", fmt.Errorf("%q stands %d times in %s", m.old, n, m.file)
	}
	return strings.Replace(string(text), m.old, m.new, 1), nil
}

// make makes the mistake and runs its test.
func (m mistake) make(ctx context.Context) (res result) {
	dir, err := os.MkdirTemp("", "bugs")
	if err != nil {
		return result{err: err}
	}
	defer func() { res.err = errors.Join(res.err, os.RemoveAll(dir)) }()
	overlay, err := m.overlay(dir)
	if err != nil {
		return result{err: err}
	}
	binary := filepath.Join(dir, "test.exe")
	if out, err := exec.CommandContext(ctx, "go", "test", "-overlay", overlay, "-c", "-o", binary, m.pkg).CombinedOutput(); err != nil {
		return result{err: fmt.Errorf("it does not build: %s", out)}
	}
	began := time.Now()
	out, err := m.command(ctx, binary).CombinedOutput()
	res = result{by: strings.Join(failed(string(out)), ", "), took: time.Since(began)}
	switch _, exit := errors.AsType[*exec.ExitError](err); {
	case ctx.Err() != nil:
		res.err = ctx.Err()
	case err == nil && skipped.Match(out) && !passed.Match(out):
		res.skipped = true
	case err == nil:
		res.err = fmt.Errorf("%s passes", m.test)
	case !exit:
		res.err = err
	case res.by == "": // it panicked or hung, and was alone
		res.by = m.test
	}
	return res
}

func (m mistake) command(ctx context.Context, binary string) *exec.Cmd {
	limit := timeout
	if m.hangs {
		limit = soon
	}
	cmd := exec.CommandContext(ctx, binary, "-test.run", "^"+strings.ReplaceAll(m.test, "/", "$/^")+"$", "-test.failfast", "-test.v", "-test.timeout", limit.String())
	cmd.Dir = m.pkg
	return cmd
}

// overlay writes the changed file and what tells the compiler of it.
func (m mistake) overlay(dir string) (string, error) {
	text, err := m.changed()
	if err != nil {
		return "", err
	}
	path, err := filepath.Abs(m.file)
	if err != nil {
		return "", err
	}
	file, list := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json")
	b, err := json.Marshal(map[string]map[string]string{"Replace": {path: file}})
	if err != nil {
		return "", err
	}
	return list, errors.Join(os.WriteFile(file, []byte(text), 0o600), os.WriteFile(list, b, 0o600))
}

var (
	failures = regexp.MustCompile(`(?m)^--- FAIL: (\S+)`)
	skipped  = regexp.MustCompile(`(?m)^--- SKIP: `)
	passed   = regexp.MustCompile(`(?m)^--- PASS: `)
)

// failed returns the tests that failed.
func failed(out string) (names []string) {
	for _, m := range failures.FindAllStringSubmatch(out, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// sound checks that without a mistake every test that is named passes: otherwise it
// would catch anything.
func sound(ctx context.Context, all []mistake) error {
	tests := map[string][]string{}
	for _, m := range all {
		top, _, _ := strings.Cut(m.test, "/")
		tests[m.pkg] = append(tests[m.pkg], top)
	}
	for pkg, names := range tests {
		slices.Sort(names)
		cmd := exec.CommandContext(ctx, "go", "test", "-run", "^("+strings.Join(slices.Compact(names), "|")+")$", pkg)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("without any mistake: %w\n%s", err, out)
		}
	}
	return nil
}

// table is what docs/CRASH.md holds.
func table(all []mistake) string {
	var b strings.Builder
	b.WriteString("| mistake | what it does | caught by |\n|---|---|---|\n")
	for _, m := range all {
		pkg := strings.TrimPrefix(m.pkg, "./")
		fmt.Fprintf(&b, "| %s | %s | %s (%s) |\n", m.name, m.what, m.test, pkg)
	}
	return b.String()
}
