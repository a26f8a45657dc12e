package main

import (
	"context"
	"fmt"
	"iter"

	"github.com/vlogdb/vlog/engine"
)

// reading is what can be asked of a tenant as it is, and of one as it was.
type reading interface {
	Entry(ctx context.Context, key []byte) (engine.Entry, error)
	Scan(ctx context.Context, r engine.Range) iter.Seq2[engine.Entry, error]
}

// looked is a tenant as it is, or as it was.
type looked struct {
	reading
	tenant string
	at     *uint64 // the newest batch that is seen of a past; nil: what is there now
}

// look returns the tenant that the flags name, at a moment; nil means now. Where the
// moment is no number a line on stderr says which batch it is.
func (a *app) look(ctx context.Context, db *engine.DB, m *moment) (looked, error) {
	s, err := a.scope(db)
	if err != nil || m == nil {
		return looked{reading: s, tenant: a.tenant}, err
	}
	p, err := m.past(ctx, db)
	if err != nil {
		return looked{}, err
	}
	tenant, err := p.Tenant(a.tenant)
	if err != nil {
		return looked{}, err
	}
	if m.kind != bySeq && !a.json {
		if _, err := fmt.Fprintf(a.err, "as of %s\n", a.asOf(p)); err != nil { // no data
			return looked{}, err
		}
	}
	return looked{tenant, a.tenant, new(p.Seq())}, nil
}

// asOf names a past for people.
func (a *app) asOf(p engine.Past) string {
	if p.Seq() == 0 {
		return "#0, before the first batch"
	}
	return "#" + number(p.Seq()) + "  " + a.time(p.Time())
}
