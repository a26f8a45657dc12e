package sim

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/vlogdb/vlog/engine"
)

// place is a key of a tenant.
type place struct{ tenant, key string }

// content is what a store holds, kept in the simplest way.
type content map[place]string

// change is one change of a transaction: a put, a delete, or a range to delete.
type change struct {
	what  byte // p, d, r
	at    place
	value string
	to    string // of a range; empty has no end
}

func (c change) String() string {
	switch c.what {
	case 'p':
		return fmt.Sprintf("put %s/%s %d bytes", c.at.tenant, c.at.key, len(c.value))
	case 'd':
		return fmt.Sprintf("del %s/%s", c.at.tenant, c.at.key)
	}
	return fmt.Sprintf("del %s/[%s, %s)", c.at.tenant, c.at.key, c.to)
}

// with returns the content behind some changes; c stays as it is.
func (c content) with(changes []change) content {
	if len(changes) == 0 {
		return c
	}
	next := maps.Clone(c)
	for _, ch := range changes {
		switch ch.what {
		case 'p':
			next[ch.at] = ch.value
		case 'd':
			delete(next, ch.at)
		default:
			maps.DeleteFunc(next, func(p place, _ string) bool { return ch.covers(p) })
		}
	}
	return next
}

func (c change) covers(p place) bool {
	return p.tenant == c.at.tenant && p.key >= c.at.key && (c.to == "" || p.key < c.to)
}

// in returns the keys of a tenant from a key on, before another, ascending.
func (c content) in(tenant, from, to string) (keys []string) {
	r := change{what: 'r', at: place{tenant, from}, to: to}
	for p := range c {
		if r.covers(p) {
			keys = append(keys, p.key)
		}
	}
	slices.Sort(keys)
	return keys
}

// differs tells one difference between what a store holds and what it should hold.
func (c content) differs(want content) error {
	all := maps.Clone(want)
	maps.Copy(all, c)
	places := slices.SortedFunc(maps.Keys(all), func(a, b place) int {
		return cmp.Or(cmp.Compare(a.tenant, b.tenant), cmp.Compare(a.key, b.key))
	})
	for _, p := range places {
		got, there := c[p]
		if value, wanted := want[p]; there != wanted || got != value {
			return fmt.Errorf("%s/%s is %s, not %s", p.tenant, p.key, brief(got, there), brief(value, wanted))
		}
	}
	return nil
}

func brief(value string, there bool) string {
	if !there {
		return "missing"
	}
	return fmt.Sprintf("%.16q (%d bytes)", value, len(value))
}

// tenants are all that the clients use.
func tenants() []string { return []string{"main", "acme", "zoo"} }

// whole reads all that a transaction sees.
func whole(tx *engine.Tx) (content, error) {
	all := content{}
	for _, name := range tenants() {
		t, err := tx.Tenant(name)
		if err != nil {
			return nil, err
		}
		for e, err := range t.Scan(engine.Range{}) {
			if err != nil {
				return nil, err
			}
			all[place{name, string(e.Key)}] = string(e.Value)
		}
	}
	return all, nil
}

// changesOf returns what a batch of the log changed in the tenants' keys.
func changesOf(b engine.Batch) (list []change) {
	for c := range b.Changes() {
		if c.Space != "kv" {
			continue
		}
		ch := change{at: place{c.Tenant, string(c.Key)}, value: string(c.Value), to: string(c.End)}
		ch.what = map[string]byte{"put": 'p', "del": 'd', "del-range": 'r'}[c.Op]
		list = append(list, ch)
	}
	return list
}
