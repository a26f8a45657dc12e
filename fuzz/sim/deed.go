package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vlogdb/vlog/engine"
)

// deed is one transaction beside its model.
type deed struct {
	*client
	tx *engine.Tx
	r  *record
}

// act does one thing in the transaction.
func (d *deed) act(depth int) error {
	tenant := pick(d.chance, tenants()...)
	tx, err := d.tx.Tenant(tenant)
	if err != nil {
		return err
	}
	kinds := 9
	if d.tx.Mode() == engine.Reading {
		kinds = 3
	}
	switch d.IntN(kinds) {
	case 0:
		return d.get(tx, tenant)
	case 1:
		return d.scan(tx, tenant)
	case 2:
		return d.count(tx, tenant)
	case 3:
		return d.change(tx, change{what: 'd', at: place{tenant, d.key()}})
	case 4:
		return d.change(tx, d.cut(tenant))
	case 5:
		if depth < 2 {
			return d.sub(depth)
		}
	}
	return d.change(tx, change{what: 'p', at: place{tenant, d.key()}, value: d.value()})
}

// key returns one of few keys, so that transactions meet.
func (d *deed) key() string {
	if d.one(20) {
		return pick(d.chance, "", "\x00", "\xff\xff", "k\x00")
	}
	return fmt.Sprintf("k%02d", d.IntN(20))
}

// value returns one that nobody else writes.
func (d *deed) value() string {
	mark := fmt.Sprintf("%s-%d ", d.r.who, len(d.r.changes))
	return mark + strings.Repeat("v", pick(d.chance, 0, 0, 5, 40, 300, 900))
}

// cut returns a range to delete; it has a first key, and now and then no end.
func (d *deed) cut(tenant string) change {
	from := d.IntN(20)
	c := change{what: 'r', at: place{tenant, fmt.Sprintf("k%02d", from)}, to: fmt.Sprintf("k%02d", from+d.between(1, 6))}
	if d.one(8) {
		c.to = ""
	}
	return c
}

func (d *deed) change(tx *engine.Tx, c change) (err error) {
	key := []byte(c.at.key)
	switch c.what {
	case 'p':
		err = tx.Put(key, []byte(c.value))
	case 'd':
		err = tx.Delete(key)
	default:
		err = tx.DeleteRange(engine.Range{From: key, To: []byte(c.to)[:len(c.to):len(c.to)]})
		if c.to == "" {
			err = tx.DeleteRange(engine.Range{From: key})
		}
	}
	if err == nil {
		d.r.changes = append(d.r.changes, c)
		d.story.tellf(d.name, "%s: %v", d.r.who, c)
	}
	return err
}

// sub does some things in a stacked view and keeps or drops it.
func (d *deed) sub(depth int) error {
	before := len(d.r.changes)
	drop := errors.New("dropped")
	err := d.tx.Sub(func(*engine.Tx) error {
		for range d.between(0, 3) {
			if err := d.act(depth + 1); err != nil {
				return err
			}
		}
		if d.one(3) {
			return drop
		}
		return nil
	})
	if err == drop {
		d.r.changes = d.r.changes[:before:before]
		return nil
	}
	return err
}

// saw notes what the transaction read, with what it had changed by then.
func (d *deed) saw(what string, same func(content) error) {
	mine := slices.Clone(d.r.changes)
	d.r.saw = append(d.r.saw, func(c content) error {
		if err := same(c.with(mine)); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	})
}

func (d *deed) get(tx *engine.Tx, tenant string) error {
	p := place{tenant, d.key()}
	got, err := tx.Get([]byte(p.key))
	there := err == nil
	if err != nil && !errors.Is(err, engine.ErrNotFound) {
		return err
	}
	has, err := tx.Has([]byte(p.key))
	if err != nil {
		return err
	}
	if has != there {
		d.ledger.fail("%s: get finds %v, has says %v", d.r.who, there, has)
	}
	value := string(got)
	d.saw("get "+p.tenant+"/"+p.key, func(c content) error {
		if want, wanted := c[p]; wanted != there || want != value {
			return fmt.Errorf("it is %s, not %s", brief(value, there), brief(want, wanted))
		}
		return nil
	})
	return nil
}

// scan goes some way through a tenant's keys, from either end.
func (d *deed) scan(tx *engine.Tx, tenant string) error {
	most, reverse := d.between(1, 12), d.one(3)
	var keys, values []string
	for e, err := range tx.Scan(engine.Range{Reverse: reverse}) {
		if err != nil {
			return err
		}
		keys, values = append(keys, string(e.Key)), append(values, string(e.Value))
		if len(keys) == most {
			break
		}
	}
	d.saw("scan "+tenant, func(c content) error {
		want := c.in(tenant, "", "")
		if reverse {
			slices.Reverse(want)
		}
		want = want[:min(most, len(want))]
		if !slices.Equal(keys, want) {
			return fmt.Errorf("it gives %q, not %q", keys, want)
		}
		for i, k := range keys {
			if v := c[place{tenant, k}]; v != values[i] {
				return fmt.Errorf("%q is %s, not %s", k, brief(values[i], true), brief(v, true))
			}
		}
		return nil
	})
	return nil
}

func (d *deed) count(tx *engine.Tx, tenant string) error {
	from := d.IntN(20)
	a, b := fmt.Sprintf("k%02d", from), fmt.Sprintf("k%02d", from+d.between(1, 10))
	n, err := tx.Count(engine.Range{From: []byte(a), To: []byte(b)})
	if err != nil {
		return err
	}
	d.saw("count "+tenant, func(c content) error {
		if want := len(c.in(tenant, a, b)); n != want {
			return fmt.Errorf("[%s, %s) has %d keys, not %d", a, b, n, want)
		}
		return nil
	})
	return nil
}

// end commits, submits or rolls back.
func (d *deed) end(ctx context.Context) {
	switch d.IntN(6) {
	case 0:
		d.rollback(ctx)
	case 1, 2:
		d.ledger.ask(d.r)
		p, err := d.tx.Submit()
		d.client.submitted(ctx, d, p, err)
	default:
		d.ledger.ask(d.r)
		d.decided(ctx, d, d.tx.Commit())
	}
}

func (d *deed) rollback(ctx context.Context) {
	err := d.tx.Rollback()
	if !d.fine(ctx, err, engine.ErrConflict) || d.door.over() {
		return
	}
	d.r.changes = nil
	d.unchanged(d.r)
}
