package gate

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Noise is what others took of the machine during a time, as shares of one processor:
// other processes, and the host for other machines.
type Noise struct {
	Others float64 `json:"others"`
	Steal  float64 `json:"steal"`
}

// Loud says whether a figure that was taken meanwhile should not count.
func (n Noise) Loud() bool { return n.Others > 0.15 || n.Steal > 0.05 }

// ticks is how many of the kernel's ticks a second has; fixed in the interface.
const ticks = 100

// Watch begins to watch; the function that it returns says what was seen.
func Watch() (func() (Noise, error), error) {
	before, err := look()
	if err != nil {
		return nil, err
	}
	return func() (Noise, error) {
		after, err := look()
		wall := after.at.Sub(before.at).Seconds()
		busy, own := after.busy-before.busy, after.own-before.own
		return Noise{Others: max(busy-own, 0) / wall, Steal: (after.steal - before.steal) / wall}, err
	}, nil
}

// sight is what the counters say at a moment, in seconds of processor time.
type sight struct {
	at               time.Time
	busy, steal, own float64
}

func look() (s sight, err error) {
	s.at = time.Now()
	if runtime.GOOS != "linux" {
		return s, nil
	}
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return s, err
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	fields := bytes.Fields(line) // cpu user nice system idle iowait irq softirq steal
	if len(fields) < 9 {
		return s, fmt.Errorf("/proc/stat begins with %q", line)
	}
	for i, into := range map[int]*float64{1: &s.busy, 2: &s.busy, 3: &s.busy, 8: &s.steal} {
		n, err := strconv.ParseFloat(string(fields[i]), 64)
		if err != nil {
			return s, err
		}
		*into += n / ticks
	}
	var ru unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &ru); err != nil {
		return s, err
	}
	s.own = float64(ru.Utime.Nano()+ru.Stime.Nano()) / 1e9
	return s, nil
}
