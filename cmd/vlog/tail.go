package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/vlogdb/vlog/engine"
)

// tailing is how a tail was asked for.
type tailing struct {
	from, to  *moment
	where, jq string
	prefix    string
	last      int
	limit     int
	follow    bool
}

func (a *app) tailCommand() *cobra.Command {
	var o tailing
	var from, to momentFlag
	cmd := &cobra.Command{Use: "tail DIR... [flags]", Short: "Show what was changed, and with -f what is being changed",
		Long: `Show the changes in the log of one store or several, in order, and with -f those that
come, from this process or another. Several stores are merged by time, with the store in
front; each keeps its own order.

--from and --to take a batch (1042 or #1042), a time (2026-11-22T00:50:00Z, 2026-11-22), a
time ago (-10m, -2d), start or end. --from begins with the first batch of that time or
later, --to ends before the first batch that is later, in the order of the log. Without -f it
ends where the log ended when it began. All tenants are shown unless -t names one.

--where and --jq are programs of jq over an object for each change, as --json prints it: seq,
time, tenant, kind (kv.put, kv.del, kv.del-range), key, value (JSON) or text or value_b64.`,
		Example: `  vlog tail ./data -n 2
  vlog tail ./data -f --from end --where '.kind == "kv.put" and .value.age > 30' --json
  vlog tail ./data --from -1h --jq '[.key, .value.age] | @tsv'
  vlog tail ./a ./b -f --prefix users/`,
		RunE: func(cmd *cobra.Command, args []string) error {
			dirs, err := a.stores(args)
			if err != nil {
				return err
			}
			if o.from, err = from.moment(cmd, a); err != nil {
				return err
			}
			if cmd.Flags().Changed("last") && o.last < 0 {
				return usagef("-n is not below 0")
			}
			if o.from != nil && o.last >= 0 {
				return usagef("--from and -n say both where to begin")
			}
			if o.to, err = to.moment(cmd, a); err != nil {
				return err
			}
			f, err := a.filter(o, cmd.Flags().Changed("tenant") || a.getenv("VLOG_TENANT") != "")
			if err != nil {
				return err
			}
			return a.tail(cmd.Context(), dirs, o, f)
		}}
	f := cmd.Flags()
	f.BoolVarP(&o.follow, "follow", "f", false, "go on with what comes, until interrupted")
	from.add(cmd, "from", "where to begin (start)")
	to.add(cmd, "to", "where to end")
	f.IntVarP(&o.last, "last", "n", -1, "begin so many batches before the end")
	f.StringVar(&o.prefix, "prefix", "", "only keys that begin so")
	f.StringVar(&o.where, "where", "", "only changes for which this program of jq is true")
	f.StringVar(&o.jq, "jq", "", "print what this program of jq makes of each")
	f.IntVar(&o.limit, "limit", 0, "end behind so many changes (0: all)")
	return cmd
}

// stores are the arguments of a verb that takes nothing else.
func (a *app) stores(args []string) ([]string, error) {
	if env := a.getenv("VLOG_STORE"); len(args) == 0 && env != "" {
		args = []string{env}
	}
	if len(args) == 0 {
		return nil, usagef("name the store, or set VLOG_STORE")
	}
	for _, dir := range args {
		if dir == "" {
			return nil, usagef("the name of a store is empty")
		}
	}
	if len(args) == 1 {
		a.store = args[0]
	}
	return args, nil
}

func (a *app) filter(o tailing, tenant bool) (*filter, error) {
	if o.limit < 0 {
		return nil, usagef("--limit is not below 0")
	}
	f := &filter{prefix: o.prefix}
	if tenant {
		f.tenant = a.tenant
	}
	var err error
	if f.where, err = program("where", o.where); err != nil {
		return nil, err
	}
	f.jq, err = program("jq", o.jq)
	return f, err
}

// tail opens the stores and prints what is asked for.
func (a *app) tail(ctx context.Context, dirs []string, o tailing, f *filter) (err error) {
	var all []*source
	defer func() {
		for _, s := range all {
			if e := s.db.Close(); err == nil {
				err = e
			}
		}
	}()
	for _, dir := range dirs {
		db, err := engine.Open(ctx, dir, engine.Options{ReadOnly: true})
		if err != nil {
			a.store = dir
			return err
		}
		s := &source{dir: dir, db: db, from: o.from, to: o.to, last: o.last}
		if len(dirs) > 1 {
			s.name = dir
		}
		all = append(all, s)
	}
	p := &printer{a: a, filter: f, left: o.limit}
	if o.follow {
		var stop func()
		ctx, stop = whileHeard(ctx, a.out)
		defer stop()
	}
	err = p.run(ctx, all, o.follow)
	if in, ok := errors.AsType[*inStore](err); ok {
		a.store, err = in.dir, in.err
	}
	return unlessEnough(err)
}

// errEnough ends printing: as many as were asked for are out.
var errEnough = errors.New("enough")

func unlessEnough(err error) error {
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// printer prints events, at most so many.
type printer struct {
	a      *app
	filter *filter
	left   int  // 0: no limit
	enough bool // as many as were asked for are out
}

func (p *printer) run(ctx context.Context, all []*source, follow bool) error {
	for _, s := range all {
		if err := s.begin(ctx); err != nil {
			return s.failed(err)
		}
	}
	err := p.a.buffered(func() error { // enough is no error here, so that one of writing it out is told
		return unlessEnough(merged(ctx, all, func(events []event) error { return p.print(ctx, events) }))
	})
	if err != nil || !follow || p.enough {
		return err
	}
	return live(ctx, all, func(events []event) error { return p.print(ctx, events) })
}

// print prints those of a batch's events that are wanted.
func (p *printer) print(ctx context.Context, events []event) error {
	for i := range events {
		e := &events[i]
		ok, err := p.filter.takes(ctx, e)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if err := p.one(ctx, e); err != nil {
			return err
		}
		if p.left--; p.left == 0 {
			p.enough = true
			return errEnough
		}
	}
	return nil
}

func (p *printer) one(ctx context.Context, e *event) error {
	if p.filter.jq != nil {
		return p.a.showJQ(ctx, p.filter, e)
	}
	if p.a.json {
		return p.a.line(e)
	}
	store := ""
	if e.Store != "" {
		store = shown([]byte(e.Store)) + "  "
	}
	return p.a.print("%s#%d  %s  %s", store, e.Seq, p.a.time(e.Time.Round(time.Millisecond)), tailText(e))
}

// tailText is an event for people.
func tailText(e *event) string {
	c := e.change
	text := c.Tenant + "  " + e.Kind + "  " + quoted(string(c.Key))
	switch c.Op {
	case "put":
		return text + "  " + valueText(c.Value)
	case "del-range":
		return rangeText(text, c.End)
	}
	return text
}
