package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/vlogdb/vlog/engine"
	"github.com/vlogdb/vlog/examples/cities"
)

// demoCount is what a look through the store found.
type demoCount struct {
	groups int // transactions that are there
	acked  int // of these, acknowledged before the kill
	cities int
	sums   map[string]int // population of these cities by country
}

// verify compares the store with what was acknowledged: each transaction is there
// whole or not at all, acknowledged ones are there, the countries' sums are those
// of the cities that are there, nothing else is, and the batches are numbered from
// 1 without a gap. all asks for every transaction.
func (d *demo) verify(ctx context.Context, db *engine.DB, all bool) (demoCount, error) {
	c := demoCount{sums: map[string]int{}}
	seqs := map[uint64]int{} // transaction by batch
	for n := range d.groups {
		seq, err := d.verifyGroup(ctx, db, n, &c)
		if err != nil {
			return c, fmt.Errorf("store %s: transaction %d: %w", d.dir, n, err)
		}
		if seq == 0 && (all || d.acked[n]) {
			return c, fmt.Errorf("store %s: transaction %d with %s was acknowledged and is not there", d.dir, n, cityKey(d.groups[n][0]))
		}
		if other, twice := seqs[seq]; twice && seq != 0 {
			return c, fmt.Errorf("store %s: transactions %d and %d are both batch #%d", d.dir, other, n, seq)
		}
		seqs[seq] = n
	}
	if err := firstError(c.verifySums(ctx, db), c.verifyLog(ctx, db)); err != nil {
		return c, fmt.Errorf("store %s: %w", d.dir, err)
	}
	return c, nil
}

// verifyGroup returns the batch of a transaction, 0 where it is not there.
func (d *demo) verifyGroup(ctx context.Context, db *engine.DB, n int, found *demoCount) (uint64, error) {
	mark, err := db.Entry(ctx, groupKey(n))
	if errors.Is(err, engine.ErrNotFound) {
		return 0, d.verifyAbsent(ctx, db, n)
	}
	if err != nil {
		return 0, err
	}
	for _, c := range d.groups[n] {
		want, err := json.Marshal(c)
		if err != nil {
			return 0, err
		}
		e, err := db.Entry(ctx, cityKey(c))
		if err != nil {
			return 0, fmt.Errorf("%s: %w", cityKey(c), err)
		}
		if string(e.Value) != string(want) || e.Seq != mark.Seq {
			return 0, fmt.Errorf("%s holds %s of #%d, not %s of #%d", cityKey(c), e.Value, e.Seq, want, mark.Seq)
		}
		found.cities++
		found.sums[c.Country] += c.Population
	}
	found.groups++
	if d.acked[n] {
		found.acked++
	}
	return mark.Seq, nil
}

// verifyAbsent checks that nothing of a transaction is there.
func (d *demo) verifyAbsent(ctx context.Context, db *engine.DB, n int) error {
	for _, c := range d.groups[n] {
		if has, err := db.Has(ctx, cityKey(c)); err != nil || has {
			return firstError(err, fmt.Errorf("%s is there, the transaction's mark is not", cityKey(c)))
		}
	}
	return nil
}

// verifySums checks the countries: their sums, and that there is none without a
// city. A sum is read, added to and put by transactions at once, so it is wrong
// where one of them was lost, half there, or did not see another.
func (c *demoCount) verifySums(ctx context.Context, db *engine.DB) error {
	countries := 0
	for e, err := range db.Scan(ctx, engine.Range{Prefix: []byte("country/")}) {
		if err != nil {
			return err
		}
		country := string(e.Key[len("country/"):])
		if want := strconv.Itoa(c.sums[country]); string(e.Value) != want {
			return fmt.Errorf("%s holds %s, its cities have %s", e.Key, e.Value, want)
		}
		countries++
	}
	if countries != len(c.sums) {
		return fmt.Errorf("%d countries have a sum, cities are in %d", countries, len(c.sums))
	}
	return nil
}

// verifyLog checks that the log has one batch for each transaction and the map no
// other key. The transactions' batches are known to differ, so that as many of them
// as the newest number leave no gap.
func (c *demoCount) verifyLog(ctx context.Context, db *engine.DB) error {
	info, err := db.Info(ctx)
	if err != nil {
		return err
	}
	if info.First != 1 || info.Last != uint64(c.groups) {
		return fmt.Errorf("the log holds #%d .. #%d, %d transactions are there", info.First, info.Last, c.groups)
	}
	if want := c.cities + c.groups + len(c.sums); info.Keys != want {
		return fmt.Errorf("the store holds %d keys, not %d", info.Keys, want)
	}
	return nil
}

// lookInside shows what a person would look for.
func (d *demo) lookInside(ctx context.Context) error {
	if err := d.say("5. inside: %s; %s; %s", logLine(d.info), keepLine(d.info), plural(d.info.Keys, "key")); err != nil {
		return err
	}
	if err := d.files(); err != nil {
		return err
	}
	return d.a.read(ctx, d.dir, func(db *engine.DB) error {
		return firstError(d.largest(ctx, db, "JP"), d.one(ctx, db, "city/FR/2988507"))
	})
}

// files shows which files make the store, and what they are.
func (d *demo) files() error {
	return fs.WalkDir(os.DirFS(d.dir), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		st, err := e.Info()
		if err != nil {
			return err
		}
		return d.say("   %-36s %10s  %s", name, size(st.Size()), demoFile(path.Base(name)))
	})
}

// demoFile says what a file of a store is.
func demoFile(name string) string {
	checkpoint, isCheckpoint := strings.CutPrefix(name, "checkpoint-")
	first, isSegment := strings.CutSuffix(name, ".vlog")
	switch {
	case isCheckpoint:
		return "the whole map as of #" + strings.TrimLeft(checkpoint, "0")
	case isSegment:
		return "segment: batches from #" + strings.TrimLeft(first, "0") + " on"
	case name == "FORMAT":
		return "which format it is, and who may read it"
	case name == "LOCK":
		return "who has it open"
	}
	return ""
}

// one shows one city.
func (d *demo) one(ctx context.Context, db *engine.DB, key string) error {
	value, err := db.Get(ctx, []byte(key))
	if err != nil {
		return err
	}
	return d.say("   a get of %s: %s", key, value)
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
		return d.a.line(map[string]any{"store": d.dir, "transactions": len(d.groups), "acknowledged": len(d.acked), "found": d.left.acked, "lost": len(d.acked) - d.left.acked,
			"unanswered": d.left.groups - d.left.acked, "cities_after_kill": d.left.cities, "cities": d.end.cities, "killed_after_seconds": d.killedAt.Seconds(), "recovery": reportObject(d.report), "log": infoObject(d.info)["log"],
			"checked": map[string]any{"batches": d.check.Batches, "errors": d.check.Errors}, "seconds": d.seconds()})
	}
	return d.a.print("acknowledged %d, found %d, lost %d; %.2f s. The store stays in %[5]s; try\n  vlog info %[5]s\n  vlog ls %[5]s city/JP/ --limit 5\n  vlog get %[5]s city/JP/1850147\n  vlog check %[5]s",
		len(d.acked), d.left.acked, len(d.acked)-d.left.acked, d.seconds(), d.dir)
}
