package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/examples/cities"
)

// verify compares the store with what was acknowledged: each group is there whole
// or not at all, acknowledged ones are there, and the countries' sums are those of
// the cities that are there. all asks for every group.
func (d *demo) verify(ctx context.Context, db *engine.DB, all bool) error {
	acked := map[int]bool{}
	for _, n := range d.acked {
		acked[n] = true
	}
	d.found, d.unasked, d.sums = 0, 0, map[string]int{}
	for n, group := range d.groups {
		there, err := db.Has(ctx, groupKey(n))
		if err != nil {
			return err
		}
		if !there && (all || acked[n]) {
			return fmt.Errorf("transaction %d was acknowledged and is not there", n)
		}
		if there && !acked[n] {
			d.unasked++
		}
		if err := d.verifyGroup(ctx, db, group, there); err != nil {
			return err
		}
	}
	return d.verifySums(ctx, db)
}

func (d *demo) verifyGroup(ctx context.Context, db *engine.DB, group []cities.City, there bool) error {
	for _, c := range group {
		value, err := db.Get(ctx, cityKey(c))
		if !there {
			if !errors.Is(err, engine.ErrNotFound) {
				return fmt.Errorf("%s: half of a transaction is there (%v)", cityKey(c), err)
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", cityKey(c), err)
		}
		want, err := json.Marshal(c)
		if err != nil {
			return err
		}
		if string(value) != string(want) {
			return fmt.Errorf("%s holds %s, not %s", cityKey(c), value, want)
		}
		d.found++
		d.sums[c.Country] += c.Population
	}
	return nil
}

// verifySums checks the countries: their sums, and that there is none without a city.
func (d *demo) verifySums(ctx context.Context, db *engine.DB) error {
	countries := 0
	for e, err := range db.Scan(ctx, engine.Range{Prefix: []byte("country/")}) {
		if err != nil {
			return err
		}
		country := string(e.Key[len("country/"):])
		if sum, err := strconv.Atoi(string(e.Value)); err != nil || sum != d.sums[country] {
			return fmt.Errorf("%s holds %s, its cities have %d", e.Key, e.Value, d.sums[country])
		}
		countries++
	}
	if countries != len(d.sums) {
		return fmt.Errorf("%d countries have a sum, cities are in %d", countries, len(d.sums))
	}
	info, err := db.Info(ctx)
	if err == nil && info.First <= info.Last && info.Last < uint64(len(d.acked)) {
		err = fmt.Errorf("the log ends at #%d, %d transactions were acknowledged", info.Last, len(d.acked))
	}
	return err
}

// lookInside shows what a person would look for.
func (d *demo) lookInside(ctx context.Context) error {
	if err := d.say("5. inside: %s; %s; %s", logLine(d.info), keepLine(d.info), plural(d.info.Keys, "key")); err != nil {
		return err
	}
	entries, err := os.ReadDir(d.dir + "/log")
	if err != nil {
		return err
	}
	for _, e := range entries {
		st, err := e.Info()
		if err != nil {
			return err
		}
		if err := d.say("   log/%-32s %10s", e.Name(), size(st.Size())); err != nil {
			return err
		}
	}
	return d.a.read(ctx, d.dir, func(db *engine.DB) error { return d.largest(ctx, db, "JP") })
}

// largest scans one country and shows its five largest cities.
func (d *demo) largest(ctx context.Context, db *engine.DB, country string) error {
	var all []cities.City
	for e, err := range db.Scan(ctx, engine.Range{Prefix: []byte("city/" + country + "/")}) {
		if err != nil {
			return err
		}
		var c cities.City
		if err := json.Unmarshal(e.Value, &c); err != nil {
			return err
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b cities.City) int { return b.Population - a.Population })
	if err := d.say("   a scan of city/%s/ finds %d cities; the largest:", country, len(all)); err != nil {
		return err
	}
	for _, c := range all[:min(5, len(all))] {
		if err := d.say("     %-12s %9d  %s", c.Name, c.Population, cityKey(c)); err != nil {
			return err
		}
	}
	return nil
}

// summary ends the demonstration.
func (d *demo) summary() error {
	if d.a.json {
		return d.a.line(map[string]any{"store": d.dir, "transactions": len(d.groups), "acknowledged": len(d.acked), "lost": 0, "unanswered": d.unasked,
			"cities": d.found, "killed_after_seconds": d.killedAt.Seconds(), "recovery": reportObject(d.report), "log": infoObject(d.info)["log"],
			"checked": map[string]any{"batches": d.check.Batches, "errors": d.check.Errors}, "seconds": sinceSeconds(d)})
	}
	return d.a.print("acknowledged %d, found %d, lost 0; %.2f s. The store stays: try\n  vlog info %s\n  vlog ls %s city/JP/ --limit 5\n  vlog check %s",
		len(d.acked), len(d.acked), sinceSeconds(d), d.dir, d.dir, d.dir)
}
