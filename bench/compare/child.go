package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlogdb/vlog/bench/flush"
	"github.com/vlogdb/vlog/bench/gate"
	"github.com/vlogdb/vlog/bench/peer"
	"github.com/vlogdb/vlog/bench/work"
)

// Result is what one child measured.
type Result struct {
	work.Spec
	Round   int          `json:"round"`
	Figures work.Figures `json:"figures,omitempty"`
	Gate    [2]gate.Rate `json:"gate"` // of the disk, before and behind
	Noise   gate.Noise   `json:"noise"`
	RSS     float64      `json:"rss_mb"` // at most
	Failed  string       `json:"failed,omitempty"`
}

// Disturbed says why a result should not count; empty where it should.
func (r *Result) Disturbed() string {
	a, b := r.Gate[0].PerSecond, r.Gate[1].PerSecond
	switch {
	case r.Noise.Loud():
		return fmt.Sprintf("others took %.2f of a processor, the host %.2f", r.Noise.Others, r.Noise.Steal)
	case a > 0 && b > 0 && max(a, b) > 1.6*min(a, b):
		return fmt.Sprintf("the disk did %.0f syncs a second before and %.0f behind", a, b)
	}
	return ""
}

const gateFor = 200 * time.Millisecond

// child does the work of one spec, says what it measured, and where it is asked to stay,
// stays until it is killed.
type child struct {
	spec    work.Spec
	counted bool // flushes are counted
	stay    bool
	profile string // file for a profile of the work; empty is none
}

func (c child) run(out io.Writer) error {
	if c.counted {
		if err := flush.Offer(); err != nil {
			return err
		}
	}
	r := Result{Spec: c.spec}
	if err := c.measure(&r); err != nil {
		return err
	}
	if err := json.NewEncoder(out).Encode(r); err != nil {
		return err
	}
	if c.stay {
		select {}
	}
	return nil
}

// measure sets the gates around the work.
func (c child) measure(r *Result) (err error) {
	if r.Gate[0], err = gate.Raw(filepath.Dir(c.spec.Dir), gateFor); err != nil {
		return err
	}
	noise, err := gate.Watch()
	if err != nil {
		return err
	}
	if r.Figures, err = c.profiled(); err != nil {
		return err
	}
	if r.Noise, err = noise(); err != nil {
		return err
	}
	var ru unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &ru); err != nil {
		return err
	}
	r.RSS = float64(ru.Maxrss) / 1e3
	r.Gate[1], err = gate.Raw(filepath.Dir(c.spec.Dir), gateFor)
	return err
}

// profiled writes a profile of the work, where one is wanted.
func (c child) profiled() (fig work.Figures, err error) {
	if c.profile == "" {
		return c.work()
	}
	f, err := os.Create(c.profile)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	defer pprof.StopCPUProfile()
	return c.work()
}

func (c child) work() (work.Figures, error) {
	p, ok := peer.Find(c.spec.Peer)
	if !ok {
		return nil, fmt.Errorf("no peer %q", c.spec.Peer)
	}
	began := time.Now()
	least := c.spec.Work == "rewrite" || c.spec.Work == "beside"
	s, err := p.Open(c.spec.Dir, peer.Options{Writers: c.spec.Writers, Delay: c.spec.Delay, Least: least})
	if err != nil {
		return nil, err
	}
	fig, err := c.done(s, time.Since(began))
	if c.stay {
		return fig, err // it is to be killed as it stands
	}
	return fig, errors.Join(err, s.Close())
}

// done does what is asked for on an open store.
func (c child) done(s peer.Store, opening time.Duration) (work.Figures, error) {
	switch c.spec.Work {
	case "put":
		return c.marked(func() (work.Figures, error) { return work.Put(s, c.spec) })
	case "mixed":
		return work.Mixed(s, c.spec)
	case "growth":
		return work.Growth(s, c.spec)
	case "rewrite":
		return work.Rewrite(s, c.spec, func() (float64, error) { mb, _, err := sizeOf(c.spec.Dir); return mb, err })
	case "beside":
		return work.Beside(s, c.spec)
	case "million":
		return c.million(s)
	case "open":
		return c.opened(s, opening)
	}
	return nil, fmt.Errorf("no work %q", c.spec.Work)
}

// marked is for who counts flushes.
func (c child) marked(do func() (work.Figures, error)) (work.Figures, error) {
	if !c.counted {
		return do()
	}
	if err := flush.Mark(); err != nil {
		return nil, err
	}
	fig, err := do()
	return fig, errors.Join(err, flush.Mark())
}

// million is W2, W3, W4 and W8, in one life of a store.
func (c child) million(s peer.Store) (work.Figures, error) {
	all := work.Figures{}
	for _, do := range []func(peer.Store, work.Spec) (work.Figures, error){work.Load, work.Read, work.Scan} {
		fig, err := do(s, c.spec)
		if errors.Is(err, peer.ErrLogOnly) {
			continue
		}
		if err != nil {
			return nil, err
		}
		maps.Copy(all, fig)
	}
	maps.Copy(all, work.Heap())
	size, spare, err := sizeOf(c.spec.Dir)
	all["disk MB"], all["spares MB"] = size, spare
	return all, err
}

// opened is W5: how long it took until the last key could be read.
func (c child) opened(s peer.Store, opening time.Duration) (work.Figures, error) {
	began := time.Now()
	if err := peer.Settle(s); err != nil {
		return nil, err
	}
	n := uint64(c.spec.Keys - 1)
	v, err := s.Get(c.spec.Key(n))
	if err != nil && !errors.Is(err, peer.ErrLogOnly) {
		return nil, err
	}
	if err == nil && string(v) != string(work.Value(n)) {
		return nil, errors.New("the last key has another value")
	}
	fig := work.Figures{"open s": (opening + time.Since(began)).Seconds()}
	maps.Copy(fig, work.Heap())
	return fig, nil
}

// sizeOf returns what a directory takes on the disk, in MB: what is data, and files that
// vlog has made ahead or keeps to write them again.
func sizeOf(dir string) (mb, spare float64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		size := float64(st.Blocks) * 512 / 1e6
		if strings.HasPrefix(d.Name(), "spare-") {
			spare += size
		} else {
			mb += size
		}
		return nil
	})
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return mb, spare, err
}
