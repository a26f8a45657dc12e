package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/vlogdb/vlog/bench/flush"
	"github.com/vlogdb/vlog/bench/peer"
	"github.com/vlogdb/vlog/bench/work"
)

// lab makes the measurements.
type lab struct {
	options
	peers   []peer.Peer
	say     io.Writer
	results []Result
	made    int
}

// tries is how often a measurement that was disturbed is made again.
const tries = 3

// rounds makes all measurements of a round, peer by peer for each work, before the next.
func (l *lab) rounds(ctx context.Context) error {
	for round := range l.options.rounds {
		for _, turn := range l.turns() {
			for _, spec := range turn {
				if err := l.quietly(ctx, round, spec); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// turns returns the specs so that those which are compared stand beside each other.
func (l *lab) turns() (turns [][]work.Spec) {
	for _, p := range l.peers {
		for _, s := range l.specs(p) {
			alike := func(t []work.Spec) bool {
				a := t[0]
				a.Peer = s.Peer
				return a == s
			}
			i := slices.IndexFunc(turns, alike)
			if i < 0 {
				turns = append(turns, nil)
				i = len(turns) - 1
			}
			turns[i] = append(turns[i], s)
		}
	}
	return turns
}

// quietly makes a measurement, again where it was disturbed.
func (l *lab) quietly(ctx context.Context, round int, spec work.Spec) error {
	for try := range tries {
		if err := ctx.Err(); err != nil {
			return err
		}
		results, err := l.measure(ctx, spec)
		if err != nil {
			results = []Result{{Spec: spec, Failed: err.Error()}}
		}
		why := ""
		for i := range results {
			results[i].Round = round
			why += results[i].Disturbed()
		}
		fmt.Fprintf(l.say, "round %d %-16s %s\n", round+1, spec.Peer, told(results, why))
		if why == "" || try == tries-1 {
			l.results = append(l.results, results...)
			return nil
		}
		time.Sleep(time.Second)
	}
	return nil
}

// told is a measurement in words.
func told(results []Result, why string) string {
	text := ""
	for _, r := range results {
		text += name(r.Spec)
		for _, f := range slices.Sorted(maps.Keys(r.Figures)) {
			text += fmt.Sprintf(", %s %.4g", f, r.Figures[f])
		}
		if r.Failed != "" {
			text += " FAILED: " + r.Failed
		}
		text += "; "
	}
	if why != "" {
		text += "DISTURBED: " + why
	}
	return text
}

// measure makes a measurement in a fresh directory; million goes on to what opening takes
// when it was killed, and when it was closed.
func (l *lab) measure(ctx context.Context, spec work.Spec) (all []Result, err error) {
	l.made++
	dir := filepath.Join(l.dir, fmt.Sprint(l.made))
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	spec.Dir = filepath.Join(dir, "store")
	r, err := l.child(ctx, spec, spec.Work == "million")
	if err != nil || spec.Work != "million" {
		return []Result{r}, err
	}
	all = append(all, r)
	if p, _ := peer.Find(spec.Peer); p.Kind == peer.Floor {
		return all, nil // which recovers nothing
	}
	for _, how := range []string{"killed", "closed"} {
		open := work.Spec{Peer: spec.Peer, Work: "open", Keys: spec.Keys, Prefix: spec.Prefix, Dir: spec.Dir}
		r, err := l.child(ctx, open, false)
		if err != nil {
			return all, err
		}
		r.Work += " " + how
		all = append(all, r)
	}
	return all, nil
}

// child runs a child; one that stays is killed once it has said what it measured.
func (l *lab) child(ctx context.Context, spec work.Spec, stay bool) (r Result, err error) {
	cmd, err := l.command(ctx, spec, fmt.Sprintf("-child-stays=%v", stay))
	if err != nil {
		return r, err
	}
	cmd.Stderr = l.say
	out, err := cmd.StdoutPipe()
	if err != nil {
		return r, err
	}
	if err := cmd.Start(); err != nil {
		return r, err
	}
	err = json.NewDecoder(bufio.NewReader(out)).Decode(&r)
	if stay && err == nil {
		err = cmd.Process.Kill()
	}
	if ended := cmd.Wait(); !stay || err != nil {
		err = errors.Join(err, ended)
	}
	return r, err
}

func (l *lab) command(ctx context.Context, spec work.Spec, more ...string) (*exec.Cmd, error) {
	b, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	if l.profile != "" {
		more = append(more, "-profile", filepath.Join(l.profile, fmt.Sprintf("%s-%s-%d.pprof", spec.Peer, strings.ReplaceAll(name(spec), " ", "-"), l.made)))
	}
	self, err := os.Executable()
	return exec.CommandContext(ctx, self, append([]string{"-child", string(b), "-child-dir", spec.Dir}, more...)...), err
}

// prove counts the flushes of each peer for one answer.
func (l *lab) prove(ctx context.Context, out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "peer\twriters\tputs\tfsync\tfdatasync\tmsync\tflushes per put")
	for _, p := range l.peers {
		for _, writers := range []int{1, 16, 64} {
			if err := l.proveOne(ctx, w, work.Spec{Peer: p.Name, Work: "put", Writers: writers, For: l.seconds / 2}); err != nil {
				return fmt.Errorf("%s: %w", p.Name, err)
			}
		}
	}
	return w.Flush()
}

func (l *lab) proveOne(ctx context.Context, w io.Writer, spec work.Spec) (err error) {
	l.made++
	dir := filepath.Join(l.dir, fmt.Sprint(l.made))
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	spec.Dir = filepath.Join(dir, "store")
	said, err := os.Create(filepath.Join(dir, "said"))
	if err != nil {
		return err
	}
	cmd, err := l.command(ctx, spec, "-child-counted")
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = said, os.Stderr
	counts, err := flush.Count(cmd)
	if err = errors.Join(err, said.Close()); err != nil {
		return err
	}
	text, err := os.ReadFile(said.Name())
	if err != nil {
		return err
	}
	var r Result
	if err := json.Unmarshal(text, &r); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\t%d\t%.0f\t%d\t%d\t%d\t%.3f\n", spec.Peer, spec.Writers, r.Figures["puts"], counts.Fsync, counts.Fdatasync, counts.Msync, float64(counts.All())/r.Figures["puts"])
	return err
}
