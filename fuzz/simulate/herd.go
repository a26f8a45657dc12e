package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vlogdb/vlog/fuzz/sim"
)

// hung is how long one seed may take; the longest took some seconds.
const hung = 3 * time.Minute

// herd is processes that run seeds, each every nth one, and what they found.
type herd struct {
	bin      string
	settings settings
	terminal bool
	began    time.Time

	mu     sync.Mutex // guards what follows
	seeds  int
	counts map[string]int
	states map[uint64]bool
	wrong  []sim.Line
	shown  time.Time
}

func newHerd(bin string, s settings) *herd {
	return &herd{bin: bin, settings: s, began: time.Now(), counts: map[string]int{}, states: map[uint64]bool{}}
}

// run lets all processes run and reports.
func (h *herd) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	errs := make([]error, h.settings.jobs)
	for n := range errs {
		all.Go(func() {
			if errs[n] = h.process(ctx, uint64(n)); errs[n] != nil {
				cancel()
			}
		})
	}
	all.Wait()
	h.report(os.Stdout)
	if len(h.wrong) > 0 {
		w := h.wrong[0]
		fmt.Printf("\nseed %d: %s\n\n", w.Seed, w.Err)
		return errors.Join(fmt.Errorf("seed %d shows something wrong", w.Seed), tellStory(context.WithoutCancel(ctx), h.bin, w.Seed))
	}
	return first(errs...)
}

// share returns the seeds of one process.
func (h *herd) share(n uint64) (from, count uint64) {
	jobs := uint64(h.settings.jobs)
	return h.settings.first + n, (h.settings.seeds + jobs - 1 - n) / jobs
}

// process runs one process to its end.
func (h *herd) process(ctx context.Context, n uint64) error {
	from, count := h.share(n)
	if count == 0 && h.settings.span == 0 {
		return nil
	}
	if h.settings.span > 0 {
		count = 0
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	cmd := exec.CommandContext(ctx, h.bin, "-test.run=^TestSeeds$", "-test.v", "-test.timeout=0", fmt.Sprint("-sim.first=", from),
		fmt.Sprint("-sim.step=", h.settings.jobs), fmt.Sprint("-sim.count=", count), fmt.Sprint("-sim.for=", h.settings.span))
	var rest tail
	cmd.Stderr = &rest
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	last, err := h.listen(out, &rest, func() *time.Timer {
		return time.AfterFunc(hung, func() { cancel(errors.New("a seed hangs")) })
	})
	if err = first(err, cmd.Wait()); err == nil || len(h.failed()) > 0 {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil && errors.Is(cause, context.Canceled) {
		return cause
	}
	return fmt.Errorf("the process that ran seed %d (or the one %d behind it): %w\n%s", last, h.settings.jobs, first(context.Cause(ctx), err), rest.String())
}

// listen takes in what a process tells; the watchdog barks where it tells nothing.
func (h *herd) listen(out io.Reader, rest io.Writer, watchdog func() *time.Timer) (last uint64, err error) {
	lines := bufio.NewReader(out)
	for {
		dog := watchdog()
		line, err := lines.ReadBytes('\n')
		dog.Stop()
		if text, ok := bytes.CutPrefix(line, []byte(sim.Mark)); ok {
			var l sim.Line
			if err := json.Unmarshal(text, &l); err != nil {
				return last, err
			}
			last = l.Seed
			h.add(l)
		} else if _, err := rest.Write(line); err != nil {
			return last, err
		}
		if err == io.EOF {
			return last, nil
		}
		if err != nil {
			return last, err
		}
	}
}

func (h *herd) failed() []sim.Line {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.wrong
}

// add counts one seed, and shows how far it is now and then.
func (h *herd) add(l sim.Line) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seeds++
	for what, n := range l.Counts {
		h.counts[what] += n
	}
	for _, s := range l.States {
		h.states[s] = true
	}
	if l.Err != "" {
		h.wrong = append(h.wrong, l)
	}
	pause := 30 * time.Second
	if h.terminal {
		pause = time.Second
	}
	if time.Since(h.shown) < pause {
		return
	}
	h.shown = time.Now()
	line := fmt.Sprintf("%v: %d seeds, %s", time.Since(h.began).Round(time.Second), h.seeds, h.summaryLocked())
	if h.terminal {
		line = "\r" + line + "\x1b[K"
	} else {
		line += "\n"
	}
	fmt.Fprint(os.Stderr, line)
}

func (h *herd) summaryLocked() string {
	crashes, faults := 0, 0
	for what, n := range h.counts {
		switch {
		case strings.HasPrefix(what, "crashes: "):
			crashes += n
		case strings.HasPrefix(what, "fault: "):
			faults += n
		}
	}
	return fmt.Sprintf("%d states, %d crashes, %d faults, %d reopenings, %d failures",
		len(h.states), crashes, faults, h.counts["openings"]+h.counts["openings that failed"]+h.counts["disks probed"], len(h.wrong))
}

// report prints all counts.
func (h *herd) report(out io.Writer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.terminal {
		fmt.Fprintln(os.Stderr)
	}
	took := time.Since(h.began)
	fmt.Fprintf(out, "%d seeds in %v (%.0f a second): %s\n", h.seeds, took.Round(100*time.Millisecond), float64(h.seeds)/took.Seconds(), h.summaryLocked())
	for _, what := range slices.Sorted(maps.Keys(h.counts)) {
		fmt.Fprintf(out, "%10d  %s\n", h.counts[what], what)
	}
}

// tail keeps the last part of what a process wrote.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	const most = 64 << 10
	t.b = append(t.b, p...)
	t.b = t.b[max(0, len(t.b)-most):]
	return len(p), nil
}

func (t *tail) String() string { return string(t.b) }

// tellStory runs one seed and prints what happens, line by line.
func tellStory(ctx context.Context, bin string, seed uint64) error {
	cmd := exec.CommandContext(ctx, bin, "-test.run=^TestSeeds$", "-test.v", fmt.Sprint("-sim.first=", seed), "-sim.count=1", "-sim.story")
	out, err := cmd.Output()
	for line := range bytes.Lines(out) {
		text, ok := bytes.CutPrefix(line, []byte(sim.Mark))
		if !ok {
			continue
		}
		var l sim.Line
		if err := json.Unmarshal(text, &l); err != nil {
			return err
		}
		fmt.Printf("%s\ntrace %s\n", l.Story, l.Trace)
		if l.Err == "" {
			fmt.Printf("seed %d shows nothing wrong\n", seed)
			return nil
		}
		return fmt.Errorf("seed %d: %s", seed, l.Err)
	}
	return first(err, fmt.Errorf("seed %d gave no line:\n%s", seed, out))
}
