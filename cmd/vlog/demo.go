package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/examples/cities"
)

// The demonstration in numbers.
const (
	demoWriters = 16   // goroutines that write at once
	demoBatch   = 4    // cities of one transaction
	demoKill    = 0.60 // part of the transactions acknowledged when the writer is killed
)

func (a *app) demoCommand() *cobra.Command {
	var codec string
	cmd := &cobra.Command{Use: "demo [DIR] [flags]", Short: "Write real data, be killed in the middle, recover, check, look inside",
		Long: `Show the main job on real data: a writer stores 4,000 cities in transactions and is
killed with SIGKILL in the middle; the store is opened again, every acknowledged
record is checked, the rest is written, and the log is looked into. The store stays,
in DIR, which must not be there yet, or in a new temporary directory.`,
		Example: `  vlog demo
  vlog demo ./cities --codec ndjson
  vlog demo ./cities --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("name at most one directory")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			spelled, err := codecNamed(codec)
			if err != nil {
				return err
			}
			dir, err := demoDir(args)
			if err != nil {
				return err
			}
			a.store = dir
			d := &demo{a: a, dir: dir, codec: spelled, acked: map[int]bool{}}
			return d.run(cmd.Context())
		}}
	codecFlag(cmd, &codec)
	return cmd
}

// demoDir returns where the store goes: the directory named, or one made for it.
func demoDir(args []string) (string, error) {
	if len(args) == 1 && args[0] == "" {
		return "", usagef("the name of the store is empty")
	}
	if len(args) == 1 {
		return args[0], nil
	}
	tmp, err := os.MkdirTemp("", "vlog-demo-")
	if err != nil {
		return "", err
	}
	return filepath.Join(tmp, "store"), nil
}

// demo is one demonstration.
type demo struct {
	a      *app
	dir    string
	codec  engine.Codec
	groups [][]cities.City // the transactions
	acked  map[int]bool    // those acknowledged before the kill

	report   engine.Report // of the opening after the kill
	left     demoCount     // what the kill left
	end      demoCount     // what is there in the end
	info     engine.Info
	check    engine.CheckSummary
	began    time.Time
	killedAt time.Duration
}

func (d *demo) run(ctx context.Context) (err error) {
	d.began = time.Now()
	if d.groups, err = demoGroups(); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{d.make, d.kill, d.recover, d.finish, d.lookInside} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return d.summary()
}

// say tells people what is done; with --json only the summary is data.
func (d *demo) say(format string, args ...any) error {
	if d.a.json {
		return nil
	}
	return d.a.print(format, args...)
}

// demoGroups cuts the cities into transactions.
func demoGroups() ([][]cities.City, error) {
	all, err := cities.Load()
	if err != nil {
		return nil, err
	}
	var groups [][]cities.City
	for len(all) > 0 {
		n := min(demoBatch, len(all))
		groups = append(groups, all[:n])
		all = all[n:]
	}
	return groups, nil
}

func (d *demo) make(ctx context.Context) error {
	db, err := engine.Open(ctx, d.dir, engine.Options{MustNotExist: true, Codec: d.codec, Documentation: "4,000 cities (GeoNames, CC BY)", CheckpointAfter: -1})
	if err != nil {
		return err
	}
	if err := d.say("1. made a store in %s  id %s", d.dir, db.ID()); err != nil {
		return err
	}
	return db.Close()
}

// kill starts a writer in a process of its own and kills it in the middle.
func (d *demo) kill(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	child := exec.CommandContext(ctx, self, demoWriterName, d.dir)
	child.Stderr = d.a.err
	acks, err := child.StdoutPipe()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := child.Start(); err != nil {
		return err
	}
	stop := int(demoKill * float64(len(d.groups)))
	err = d.readAcks(acks, stop, child.Process.Kill)
	if err != nil {
		err = errors.Join(err, child.Process.Kill())
	}
	d.killedAt = time.Since(began)
	waited := child.Wait()
	if ctx.Err() != nil { // an interrupt, of which the writer may have died
		return context.Cause(ctx)
	}
	if err := firstError(err, d.ended(waited, stop)); err != nil {
		return err
	}
	return d.say("2. a second process wrote with %d goroutines, %d cities a transaction; killed with SIGKILL after %s, %d of %d transactions acknowledged",
		demoWriters, demoBatch, d.killedAt.Round(time.Millisecond), len(d.acked), len(d.groups))
}

// ended says what is wrong with the writer's end: it must have been the kill, which
// comes with the acknowledgement number stop and never before.
func (d *demo) ended(waited error, stop int) error {
	switch {
	case waited == nil:
		return fmt.Errorf("the writer ended by itself before it could be killed, with %d of %d transactions acknowledged", len(d.acked), len(d.groups))
	case len(d.acked) < stop:
		return fmt.Errorf("the writer failed with %d of %d transactions acknowledged: %w", len(d.acked), len(d.groups), waited)
	}
	return nil
}

// readAcks reads one number a line until the pipe ends, and kills the writer when
// enough have come. What was acknowledged before the kill counts too; a line that
// the kill cut short does not.
func (d *demo) readAcks(acks io.Reader, stop int, kill func() error) error {
	lines := bufio.NewReader(acks)
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil || n < 0 || n >= len(d.groups) || d.acked[n] {
			return fmt.Errorf("the writer acknowledged %q", line)
		}
		d.acked[n] = true
		if len(d.acked) != stop {
			continue
		}
		if err := kill(); err != nil {
			return err
		}
	}
}

// recover opens the store that the killed writer left and checks it.
func (d *demo) recover(ctx context.Context) error {
	return d.a.with(ctx, d.dir, quiet(), func(db *engine.DB) error {
		d.report = db.Report()
		if err := d.say("3. opened again: %s", openLine(d.report)); err != nil {
			return err
		}
		for _, row := range reportRows(d.report)[2:] {
			if err := d.say("   %-10s %s", row[0], row[1]); err != nil {
				return err
			}
		}
		var err error
		if d.left, err = d.verify(ctx, db, false); err != nil {
			return err
		}
		return d.say("   checked: %d acknowledged transactions, all there and exact; %d more were on disk and not yet answered; none half there; #1 .. #%d without a gap",
			d.left.acked, d.left.groups-d.left.acked, d.left.groups)
	})
}

// finish writes what is missing, takes a checkpoint, and checks everything again
// after another opening.
func (d *demo) finish(ctx context.Context) error {
	err := d.a.with(ctx, d.dir, quiet(), func(db *engine.DB) error {
		for n := range d.groups {
			if err := demoWrite(ctx, db, d.groups[n], n); err != nil {
				return err
			}
		}
		_, err := db.Checkpoint(ctx)
		return err
	})
	if err != nil {
		return err
	}
	err = d.a.read(ctx, d.dir, func(db *engine.DB) (err error) {
		if d.end, err = d.verify(ctx, db, true); err != nil {
			return err
		}
		d.info, err = db.Info(ctx)
		return err
	})
	if err != nil {
		return err
	}
	var findings []error
	d.check, err = engine.Check(ctx, d.dir, engine.CheckOptions{}, func(f engine.Finding) {
		findings = append(findings, fmt.Errorf("check found in %s at %d: %s: %s", f.File, f.Offset, f.Kind, f.Detail))
	})
	if err := firstError(append(findings, err)...); err != nil {
		return err
	}
	return d.say("4. wrote the rest, took a checkpoint, opened again: %d cities, all exact; `vlog check`: %d batches, nothing found", d.end.cities, d.check.Batches)
}

func (d *demo) seconds() float64 { return time.Since(d.began).Seconds() }
