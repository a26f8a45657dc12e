// Command compare puts vlog beside its peers, in one run, in turn, and says by how much
// it is faster or slower.
//
//	go run ./compare                       # five rounds of everything: hours
//	go run ./compare -works put -rounds 3
//	go run ./compare -peers vlog,pebble,bbolt -keys 100000
//	go run ./compare -prove                # how often each peer flushes for one answer
//
// Each measurement is a process of its own. The disk is measured in front of it and
// behind it, and what others took of the machine meanwhile; where that was too much the
// measurement is made again, and if need be left out. Ratios are of one round, and the
// median over the rounds counts.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/vlogdb/vlog/bench/peer"
	"github.com/vlogdb/vlog/bench/work"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	peers, works string
	rounds, keys int
	quick        bool
	prove        bool
	dir, out     string
	profile      string
	from, into   string // results of an earlier run, and where plots go
	seconds      time.Duration

	child, spec string // of a child
	stay        bool
	counted     bool
}

func run(ctx context.Context, args []string) error {
	var o options
	fl := flag.NewFlagSet("compare", flag.ContinueOnError)
	fl.StringVar(&o.peers, "peers", "", "names, with commas between; empty is all")
	fl.StringVar(&o.works, "works", "put,slow,million,mixed,rewrite,growth", "what to do: put, slow, million, mixed, rewrite, growth")
	fl.IntVar(&o.rounds, "rounds", 5, "rounds")
	fl.IntVar(&o.keys, "keys", 1_000_000, "keys of million, and the most of growth, which has five times as many too; mixed and rewrite have a tenth")
	fl.DurationVar(&o.seconds, "for", 2*time.Second, "how long one measurement of put or mixed takes")
	fl.BoolVar(&o.prove, "prove", false, "count flushes instead of time")
	fl.StringVar(&o.dir, "dir", "", "where stores are made; empty is a temporary directory")
	fl.StringVar(&o.out, "out", "results.json", "where the results go")
	fl.StringVar(&o.from, "from", "", "measure nothing: show the results in this file")
	fl.StringVar(&o.into, "draw", "", "a directory for plots of the results")
	fl.StringVar(&o.profile, "profile", "", "a directory for profiles of the processor, one a measurement")
	fl.StringVar(&o.spec, "child", "", "what a child is to do (used by this program itself)")
	fl.StringVar(&o.child, "child-dir", "", "where")
	fl.BoolVar(&o.stay, "child-stays", false, "until it is killed")
	fl.BoolVar(&o.counted, "child-counted", false, "its flushes are counted")
	if err := fl.Parse(args); err != nil {
		return err
	}
	if o.spec != "" {
		return o.asChild()
	}
	return o.asParent(ctx)
}

func (o options) asChild() error {
	c := child{counted: o.counted, stay: o.stay, profile: o.profile}
	if err := json.Unmarshal([]byte(o.spec), &c.spec); err != nil {
		return err
	}
	c.spec.Dir = o.child
	return c.run(os.Stdout)
}

func (o options) asParent(ctx context.Context) (err error) {
	if o.from != "" {
		results, err := readResults(o.from)
		if err != nil {
			return err
		}
		o.out = o.from
		return o.show(results)
	}
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "compare"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.dir)) }()
	}
	peers, err := o.chosen()
	if err != nil {
		return err
	}
	l := &lab{options: o, peers: peers, say: os.Stderr}
	if o.prove {
		return l.prove(ctx, os.Stdout)
	}
	if err := l.rounds(ctx); err != nil {
		return err
	}
	return o.show(l.results)
}

// show writes down what was measured, draws it where that is wanted, and prints the table.
func (o options) show(results []Result) error {
	b, err := json.MarshalIndent(results, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(o.out, append(b, '\n'), 0o600); err != nil {
		return err
	}
	if o.into != "" {
		if err := draw(o.into, results); err != nil {
			return err
		}
	}
	return table(os.Stdout, results)
}

// chosen returns the peers that were asked for.
func (o options) chosen() ([]peer.Peer, error) {
	if o.peers == "" {
		return peer.All(), nil
	}
	var all []peer.Peer
	for name := range strings.SplitSeq(o.peers, ",") {
		p, ok := peer.Find(name)
		if !ok {
			return nil, fmt.Errorf("no peer is called %q", name)
		}
		all = append(all, p)
	}
	return all, nil
}

// growing are the peers that are filled with millions of keys in bearable time, by
// transactions of a thousand.
var growing = []string{"vlog", "vlog-ndjson", "pebble"}

// specs returns what is to be done to a peer in each round.
func (o options) specs(p peer.Peer) (all []work.Spec) {
	works := strings.Split(o.works, ",")
	for _, w := range []int{1, 16, 64, 256} {
		if slices.Contains(works, "put") {
			all = append(all, work.Spec{Work: "put", Writers: w, For: o.seconds})
		}
	}
	for _, d := range []time.Duration{time.Millisecond, 5 * time.Millisecond} {
		for _, w := range []int{1, 16, 64, 256} {
			if slices.Contains(works, "slow") && p.Delays {
				all = append(all, work.Spec{Work: "put", Writers: w, Delay: d, For: o.seconds})
			}
		}
	}
	if slices.Contains(works, "million") {
		all = append(all, work.Spec{Work: "million", Keys: o.keys}, work.Spec{Work: "million", Keys: o.keys, Prefix: "shared-by-us"})
	}
	for _, reads := range []int{95, 50} {
		if slices.Contains(works, "mixed") && p.Kind == peer.Map {
			all = append(all, work.Spec{Work: "mixed", Writers: 16, Reads: reads, Keys: o.keys / 10, For: o.seconds})
		}
	}
	if slices.Contains(works, "rewrite") && p.Kind == peer.Map {
		all = append(all, work.Spec{Work: "rewrite", Keys: o.keys / 10}, work.Spec{Work: "beside", Keys: o.keys / 10, For: o.seconds})
	}
	for _, keys := range []int{o.keys / 100, o.keys / 10, o.keys, 5 * o.keys} {
		if slices.Contains(works, "growth") && slices.Contains(growing, p.Name) {
			all = append(all, work.Spec{Work: "growth", Keys: keys, Writers: 64, For: o.seconds})
		}
	}
	for i := range all {
		all[i].Peer = p.Name
	}
	return all
}
